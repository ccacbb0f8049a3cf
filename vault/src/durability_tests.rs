//! What reaches the disk, in which order, and what happens when the disk refuses.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex};

use domain::codec::{Decoded, Encoded, encode};
use domain::ids::{PersonId, UserId};
use domain::value::{Country, CustomerNumber, PersonName};
use domain::{Personal, ShopEvent, user};

use crate::disk::Disk;
use crate::{Vault, VaultError};

/// The real disk; it keeps a record of what it did, and refuses once what it is told to refuse.
#[derive(Clone, Default)]
struct Witness {
    seen: Arc<Mutex<Vec<&'static str>>>,
    refuse: Arc<Mutex<Vec<&'static str>>>,
}

impl Witness {
    fn note(&self, step: &'static str) -> io::Result<()> {
        self.seen.lock().unwrap().push(step);
        let mut refuse = self.refuse.lock().unwrap();
        match refuse.first() {
            Some(next) if *next == step => {
                refuse.remove(0);
                Err(io::Error::other("refused"))
            }
            _ => Ok(()),
        }
    }

    fn take(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }

    fn refuse(&self, steps: &[&'static str]) {
        *self.refuse.lock().unwrap() = steps.to_vec();
    }
}

impl Disk for Witness {
    fn write_at(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
        // A refused write leaves half of it, as a full disk does.
        self.note("write").inspect_err(|_| file.write_all_at(&bytes[..bytes.len() / 2], offset).unwrap())?;
        file.write_all_at(bytes, offset)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        self.note("sync")?;
        file.sync_all()
    }

    fn truncate(&self, file: &File, length: u64) -> io::Result<()> {
        self.note("truncate")?;
        file.set_len(length)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.note("rename")?;
        fs::rename(from, to)
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        self.note("sync directory")?;
        File::open(directory)?.sync_all()
    }
}

fn event(number: u32) -> Encoded {
    let customer_number = CustomerNumber::new(&number.to_string()).unwrap();
    encode(&ShopEvent::from(user::Event::Registered {
        user_id: UserId::from_number(&customer_number),
        customer_number,
        country: Country::new("EIRE").unwrap(),
        name: Some(Personal::Clear(PersonName::new("Ada").unwrap())),
        email: None,
    }))
}

fn person(number: u32) -> PersonId {
    event(number).person.unwrap()
}

async fn opens(vault: &Vault, number: u32, sealed: &crate::Sealed) {
    let opened = vault.open_event(sealed.event_type, sealed.schema_version, &sealed.data).await.unwrap();
    let Decoded::Event(opened) = opened else { panic!("the type is known") };
    assert_eq!(encode(&opened), event(number));
}

fn witnessed(directory: &Path) -> (Witness, Vault) {
    let witness = Witness::default();
    let vault = Vault::open_on(directory, Box::new(witness.clone())).unwrap();
    (witness, vault)
}

#[tokio::test]
async fn a_new_vault_is_on_disk_before_it_is_used() {
    let directory = tempfile::tempdir().unwrap();
    let (witness, _vault) = witnessed(&directory.path().join("new"));
    assert_eq!(witness.take(), ["sync directory", "sync", "rename", "sync directory", "sync"]);
}

#[tokio::test]
async fn a_key_is_on_disk_before_anything_sealed_with_it_is_given_out() {
    let directory = tempfile::tempdir().unwrap();
    let (witness, vault) = witnessed(directory.path());
    witness.take();
    vault.seal(event(1)).await.unwrap();
    assert_eq!(witness.take(), ["write", "sync"]);
    vault.seal(event(1)).await.unwrap();
    vault.fingerprint(Some(person(1)), b"body").await.unwrap();
    assert_eq!(witness.take(), [""; 0], "one key for all of a person's fields");
}

#[tokio::test]
async fn a_key_that_another_process_wrote_is_synced_before_it_is_used() {
    let directory = tempfile::tempdir().unwrap();
    let (witness, reader) = witnessed(directory.path());
    Vault::open(directory.path()).unwrap().seal(event(1)).await.unwrap();
    witness.take();
    reader.seal(event(1)).await.unwrap();
    assert_eq!(witness.take(), ["sync"], "its writer may not have come to that");
}

#[tokio::test]
async fn destroying_replaces_the_file_and_only_then_returns() {
    let directory = tempfile::tempdir().unwrap();
    let (witness, vault) = witnessed(directory.path());
    vault.seal(event(1)).await.unwrap();
    witness.take();
    vault.destroy(person(1)).await.unwrap();
    assert_eq!(witness.take()[..3], ["sync", "rename", "sync directory"]);
}

#[tokio::test]
async fn a_key_that_could_not_be_written_is_not_used_and_leaves_nothing_behind() {
    for refused in ["write", "sync"] {
        let directory = tempfile::tempdir().unwrap();
        let (witness, vault) = witnessed(directory.path());
        let before = fs::read(directory.path().join("vault.keys")).unwrap();
        witness.refuse(&[refused]);
        assert!(matches!(vault.seal(event(1)).await, Err(VaultError::Io { action: "write", .. })));
        assert_eq!(fs::read(directory.path().join("vault.keys")).unwrap(), before);
        let sealed = vault.seal(event(1)).await.unwrap();
        opens(&Vault::open(directory.path()).unwrap(), 1, &sealed).await;
    }
}

#[tokio::test]
async fn a_write_that_cannot_be_taken_back_stops_all_writing() {
    let directory = tempfile::tempdir().unwrap();
    let (witness, vault) = witnessed(directory.path());
    let sealed = vault.seal(event(1)).await.unwrap();
    witness.refuse(&["write", "truncate"]);
    assert!(matches!(vault.seal(event(2)).await, Err(VaultError::Io { .. })));
    assert!(matches!(vault.seal(event(2)).await, Err(VaultError::Unusable { .. })));
    opens(&vault, 1, &sealed).await;
    drop(vault);
    let vault = Vault::open(directory.path()).unwrap();
    opens(&vault, 1, &sealed).await;
    vault.seal(event(2)).await.unwrap();
}

#[tokio::test]
async fn destroying_that_fails_half_way_can_be_done_again() {
    for refused in ["sync", "rename", "sync directory"] {
        let directory = tempfile::tempdir().unwrap();
        let (witness, vault) = witnessed(directory.path());
        let sealed = vault.seal(event(2)).await.unwrap();
        vault.seal(event(1)).await.unwrap();
        witness.refuse(&[refused]);
        assert!(matches!(vault.destroy(person(1)).await, Err(VaultError::Io { .. })), "{refused}");
        witness.take();
        vault.destroy(person(1)).await.unwrap();
        assert!(witness.take().contains(&"sync directory"), "{refused}: the new name is on disk");
        assert!(matches!(vault.seal(event(1)).await, Err(VaultError::Erased(_))));
        opens(&vault, 2, &sealed).await;
    }
}
