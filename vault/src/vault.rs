use std::collections::HashMap;
use std::fs::File;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use domain::codec::{Decoded, Encoded, find};
use domain::ids::PersonId;
use serde_json::Value;

use crate::disk::{Disk, RealDisk};
use crate::error::{OpenError, VaultError};
use crate::file::{KeyFile, Lock, News, is_replaced};
use crate::fingerprint::{Fingerprint, Verified};
use crate::keys::{Keys, Secret, random};
use crate::record::Record;
use crate::seal::{self, Entry};

/// The keys of one installation. Clones share them.
///
/// Every key that was met stays in memory, about 150 bytes for each person who has one: what bounds them is how many
/// people gave personal data.
#[derive(Clone)]
pub struct Vault {
    shared: Arc<Shared>,
}

struct Shared {
    ring: RwLock<Ring>,
    file: Mutex<KeyFile>,
}

/// The file in memory, as far as it was read.
struct Ring {
    installation: Keys,
    people: HashMap<PersonId, Entry>,
    /// What was read.
    file: Arc<File>,
}

/// An event whose personal fields are sealed: what goes into the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The event's type.
    pub event_type: &'static str,
    /// The version of its schema.
    pub schema_version: u32,
    /// Its fields as JSON.
    pub data: Vec<u8>,
}

impl Vault {
    /// Opens the vault in a directory, or makes one there. Blocks for a few disk accesses.
    ///
    /// # Errors
    /// The directory cannot be used, or the key file is damaged.
    pub fn open(directory: &Path) -> Result<Self, VaultError> {
        Self::open_on(directory, Box::new(RealDisk))
    }

    pub(crate) fn open_on(directory: &Path, disk: Box<dyn Disk>) -> Result<Self, VaultError> {
        let mut file = KeyFile::open(directory, disk)?;
        let lock = file.lock()?;
        let News::All { installation, records } = file.read_on(&lock)? else {
            return Err(file.damaged(1));
        };
        let ring = Ring::new(file.file(), &installation, records);
        Ok(Self { shared: Arc::new(Shared { ring: RwLock::new(ring), file: Mutex::new(file) }) })
    }

    /// Seals the personal fields of an event. A person's first one makes their key, which is on disk before this
    /// returns.
    ///
    /// # Errors
    /// The person's key was destroyed, or the disk refused.
    pub async fn seal(&self, event: Encoded) -> Result<Sealed, VaultError> {
        let Encoded { event_type, schema_version, person, mut data } = event;
        if seal::has_clear_field(&data) {
            let person = person.ok_or(VaultError::NoPerson { event_type })?;
            let keys = self.keys(person).await?;
            seal::seal_fields(&mut data, &keys, person, event_type)?;
        }
        Ok(Sealed { event_type, schema_version, data: data.to_string().into_bytes() })
    }

    /// Reads an event of the log; its personal fields come out clear, or erased when their key was destroyed.
    ///
    /// # Errors
    /// The event cannot be read or was changed (final), or a key is missing or the disk refused (to be tried again).
    pub async fn open_event(
        &self,
        event_type: &str,
        schema_version: u32,
        data: &[u8],
    ) -> Result<Decoded, OpenError> {
        let Some(readable) = find(event_type, schema_version)? else {
            return Ok(Decoded::UnknownType);
        };
        if !seal::may_be_sealed(data) {
            return Ok(Decoded::Event(readable.read_slice(data)?));
        }
        let changed = || readable.malformed(seal::NOT_SEALED_HERE.to_owned());
        // Not the parser's own error: it may quote the data.
        let mut data: Value =
            serde_json::from_slice(data).map_err(|_| readable.malformed("it is not JSON".to_owned()))?;
        let people = seal::people(&data).ok_or_else(changed)?;
        if !people.is_empty() {
            let mut entries = HashMap::with_capacity(people.len());
            for person in people {
                let entry = self.entry(person).await?.ok_or(OpenError::KeyMissing(person))?;
                entries.insert(person, entry);
            }
            seal::open_fields(&mut data, event_type, |person| entries.get(&person).cloned())
                .ok_or_else(changed)?;
        }
        Ok(Decoded::Event(readable.read(data)?))
    }

    /// Destroys a person's key: everything sealed with it reads as erased from then on, here and in every other
    /// process on this file. A mark stays, also when there was no key. There is no way back.
    ///
    /// # Errors
    /// The disk refused; the key may or may not be gone, and destroying it again settles it.
    pub async fn destroy(&self, person: PersonId) -> Result<(), VaultError> {
        self.blocking(move |shared| shared.destroy(person)).await
    }

    /// The fingerprint of a request's body: under the key of the person whose personal fields it holds (made if
    /// there is none), else under the installation's.
    ///
    /// # Errors
    /// The person's key was destroyed, or the disk refused.
    pub async fn fingerprint(
        &self,
        person: Option<PersonId>,
        body: &[u8],
    ) -> Result<Fingerprint, VaultError> {
        let keys = match person {
            Some(person) => self.keys(person).await?,
            None => self.shared.ring().installation.clone(),
        };
        Ok(Fingerprint(keys.fingerprint(body)))
    }

    /// Whether a stored fingerprint is that of a body.
    ///
    /// # Errors
    /// The person's key is missing, or the disk refused.
    pub async fn verify(
        &self,
        stored: Fingerprint,
        person: Option<PersonId>,
        body: &[u8],
    ) -> Result<Verified, VaultError> {
        let keys = match person {
            None => self.shared.ring().installation.clone(),
            Some(person) => match self.entry(person).await? {
                None => return Err(VaultError::KeyMissing(person)),
                Some(Entry::Destroyed) => return Ok(Verified::KeyGone),
                Some(Entry::Keys(keys)) => keys,
            },
        };
        let same = keys.fingerprint(body) == stored.0;
        Ok(if same { Verified::Match } else { Verified::Mismatch })
    }

    /// A person's keys, made if there are none.
    async fn keys(&self, person: PersonId) -> Result<Keys, VaultError> {
        let known = self.shared.known(person);
        let entry = match known {
            Some(entry) => entry,
            None => self.blocking(move |shared| shared.find_or_make(person)).await?,
        };
        match entry {
            Entry::Keys(keys) => Ok(keys),
            Entry::Destroyed => Err(VaultError::Erased(person)),
        }
    }

    /// What is known of a person, by the file if memory does not know.
    async fn entry(&self, person: PersonId) -> Result<Option<Entry>, VaultError> {
        let known = self.shared.known(person);
        match known {
            Some(entry) => Ok(Some(entry)),
            None => self.blocking(move |shared| shared.find(person)).await,
        }
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Shared) -> Result<T, VaultError> + Send + 'static,
    ) -> Result<T, VaultError> {
        let shared = Arc::clone(&self.shared);
        let span = tracing::Span::current();
        tokio::task::spawn_blocking(move || span.in_scope(|| work(&shared)))
            .await
            .unwrap_or(Err(VaultError::Stopped))
    }
}

impl Shared {
    // A panic while a lock is held leaves the ring as it was or with a line more, so it can be used on.

    fn ring(&self) -> RwLockReadGuard<'_, Ring> {
        self.ring.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn ring_mut(&self) -> RwLockWriteGuard<'_, Ring> {
        self.ring.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn file(&self) -> MutexGuard<'_, KeyFile> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What memory knows of a person, while it is worth anything: another process may have destroyed a key.
    fn known(&self, person: PersonId) -> Option<Entry> {
        let ring = self.ring();
        if is_replaced(&ring.file) { None } else { ring.people.get(&person).cloned() }
    }

    /// What the file knows of a person.
    fn find(&self, person: PersonId) -> Result<Option<Entry>, VaultError> {
        let mut file = self.file();
        let lock = file.lock()?;
        self.catch_up(&mut file, &lock)?;
        Ok(self.ring().people.get(&person).cloned())
    }

    fn find_or_make(&self, person: PersonId) -> Result<Entry, VaultError> {
        let mut file = self.file();
        let lock = file.lock()?;
        self.catch_up(&mut file, &lock)?;
        if let Some(entry) = self.ring().people.get(&person) {
            return Ok(entry.clone());
        }
        let secret = random()?;
        file.append(&lock, &Record::Key(person, secret))?;
        let entry = Entry::Keys(Keys::derive(&secret));
        self.ring_mut().people.insert(person, entry.clone());
        Ok(entry)
    }

    fn destroy(&self, person: PersonId) -> Result<(), VaultError> {
        let mut file = self.file();
        let lock = file.lock()?;
        self.catch_up(&mut file, &lock)?;
        if matches!(self.ring().people.get(&person), Some(Entry::Destroyed)) {
            return Ok(());
        }
        let mut records = file.read_again(&lock)?;
        records.retain(|record| !matches!(record, Record::Key(owner, _) if *owner == person));
        records.push(Record::Destroyed(person));
        file.replace(&lock, &records)?;
        self.catch_up(&mut file, &lock)
    }

    /// Takes over what is new in the file. The ring is held for the moment of taking only, not while the disk works.
    fn catch_up(&self, file: &mut KeyFile, lock: &Lock) -> Result<(), VaultError> {
        match file.read_on(lock)? {
            News::All { installation, records } => {
                *self.ring_mut() = Ring::new(file.file(), &installation, records);
            }
            News::More(records) if records.is_empty() => {}
            News::More(records) => {
                let mut ring = self.ring_mut();
                records.into_iter().for_each(|record| ring.take(record));
            }
        }
        Ok(())
    }
}

impl Ring {
    fn new(file: &Arc<File>, installation: &Secret, records: Vec<Record>) -> Self {
        let installation = Keys::derive(installation);
        let mut ring = Self { installation, people: HashMap::new(), file: Arc::clone(file) };
        records.into_iter().for_each(|record| ring.take(record));
        ring
    }

    fn take(&mut self, record: Record) {
        match record {
            Record::Installation(_) => {}
            Record::Key(person, secret) => {
                self.people.insert(person, Entry::Keys(Keys::derive(&secret)));
            }
            Record::Destroyed(person) => {
                self.people.insert(person, Entry::Destroyed);
            }
        }
    }
}
