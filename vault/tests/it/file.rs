use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use vault::{Vault, VaultError};

use crate::support::{clear, encoded, open, person};

fn keys(directory: &Path) -> std::path::PathBuf {
    directory.join("vault.keys")
}

#[tokio::test]
async fn files_are_for_their_owner_only() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().join("a/vault");
    let vault = Vault::open(&place).unwrap();
    vault.seal(encoded(1)).await.unwrap();
    vault.destroy(person(1)).await.unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&place), 0o700);
    for entry in fs::read_dir(&place).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}

#[tokio::test]
async fn another_process_finds_a_key_that_it_has_not_read_yet() {
    let directory = tempfile::tempdir().unwrap();
    let reader = Vault::open(directory.path()).unwrap();
    let writer = Vault::open(directory.path()).unwrap();
    for number in 1..5 {
        let sealed = writer.seal(encoded(number)).await.unwrap();
        assert_eq!(open(&reader, &sealed).await.unwrap(), clear(number));
    }
    let sealed = reader.seal(encoded(4)).await.unwrap();
    assert_eq!(open(&writer, &sealed).await.unwrap(), clear(4), "and does not make a second one");
}

#[tokio::test]
async fn a_file_cut_anywhere_in_its_last_line_is_repaired() {
    let directory = tempfile::tempdir().unwrap();
    let first = Vault::open(directory.path()).unwrap().seal(encoded(1)).await.unwrap();
    let before = fs::read(keys(directory.path())).unwrap().len();
    Vault::open(directory.path()).unwrap().seal(encoded(2)).await.unwrap();
    let whole = fs::read(keys(directory.path())).unwrap();
    for cut in before..whole.len() {
        let zeros = vec![0; whole.len() - cut];
        for tail in [&[][..], &zeros] {
            fs::write(keys(directory.path()), [&whole[..cut], tail].concat()).unwrap();
            let vault = Vault::open(directory.path()).unwrap();
            assert_eq!(fs::read(keys(directory.path())).unwrap(), whole[..before], "cut at {cut}");
            let again = vault.seal(encoded(2)).await.unwrap();
            let restarted = Vault::open(directory.path()).unwrap();
            assert_eq!(open(&restarted, &first).await.unwrap(), clear(1), "cut at {cut}");
            assert_eq!(open(&restarted, &again).await.unwrap(), clear(2), "cut at {cut}");
        }
    }
}

#[tokio::test]
async fn a_torn_line_is_repaired_by_a_process_that_was_there_before_it() {
    let directory = tempfile::tempdir().unwrap();
    let vault = Vault::open(directory.path()).unwrap();
    let mut file = fs::OpenOptions::new().append(true).open(keys(directory.path())).unwrap();
    file.write_all(b"key 0123").unwrap();
    let sealed = vault.seal(encoded(1)).await.unwrap();
    assert_eq!(open(&Vault::open(directory.path()).unwrap(), &sealed).await.unwrap(), clear(1));
}

#[tokio::test]
async fn damage_is_named_and_nothing_is_cut_off() {
    let directory = tempfile::tempdir().unwrap();
    let vault = Vault::open(directory.path()).unwrap();
    for number in 1..=3 {
        vault.seal(encoded(number)).await.unwrap();
    }
    let whole = fs::read(keys(directory.path())).unwrap();
    let lines: Vec<_> = whole.split_inclusive(|byte| *byte == b'\n').collect();
    let mut at = 0;
    for (index, line) in lines.iter().enumerate() {
        for replacement in [b'!', 0] {
            let mut damaged = whole.clone();
            damaged[at + line.len() / 2] = replacement;
            let torn = replacement == 0 && index == lines.len() - 1;
            fs::write(keys(directory.path()), &damaged).unwrap();
            match Vault::open(directory.path()) {
                Err(VaultError::Damaged { line, .. }) if !torn => assert_eq!(line, index + 1),
                Ok(_) if torn => continue,
                _ => panic!("line {index} with {replacement}"),
            }
            assert_eq!(fs::read(keys(directory.path())).unwrap(), damaged);
        }
        at += line.len();
    }
    fs::write(keys(directory.path()), b"").unwrap();
    assert!(matches!(Vault::open(directory.path()), Err(VaultError::Damaged { line: 1, .. })));
}

#[tokio::test]
async fn a_directory_that_cannot_be_used_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, b"").unwrap();
    let Err(error) = Vault::open(&file.join("vault")) else { panic!("a file is no directory") };
    assert!(error.to_string().contains("file/vault"), "{error}");
}

#[tokio::test]
async fn writing_waits_for_the_lock_and_reading_what_is_known_does_not() {
    let directory = tempfile::tempdir().unwrap();
    let vault = Vault::open(directory.path()).unwrap();
    let sealed = vault.seal(encoded(1)).await.unwrap();
    let lock = fs::File::open(directory.path().join("vault.lock")).unwrap();
    lock.lock().unwrap();
    let waiting = tokio::spawn({
        let vault = vault.clone();
        async move { vault.seal(encoded(2)).await.unwrap() }
    });
    assert_eq!(open(&vault, &sealed).await.unwrap(), clear(1));
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!waiting.is_finished());
    lock.unlock().unwrap();
    let sealed = waiting.await.unwrap();
    assert_eq!(open(&vault, &sealed).await.unwrap(), clear(2));
}

/// Run by [`two_processes_share_the_file`] as a process of its own.
#[tokio::test]
async fn as_another_process() {
    let Ok(directory) = std::env::var("VAULT_TEST_DIRECTORY") else { return };
    let vault = Vault::open(Path::new(&directory)).unwrap();
    for number in 0..100 {
        vault.seal(encoded(number)).await.unwrap();
    }
}

#[tokio::test]
async fn two_processes_share_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let vault = Vault::open(directory.path()).unwrap();
    let mut other = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "file::as_another_process"])
        .env("VAULT_TEST_DIRECTORY", directory.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut sealed = Vec::new();
    for number in 50..150 {
        sealed.push(vault.seal(encoded(number)).await.unwrap());
    }
    let deadline = Instant::now() + Duration::from_secs(30);
    let status = loop {
        match other.try_wait().unwrap() {
            Some(status) => break status,
            None if Instant::now() > deadline => panic!("the other process does not end"),
            None => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    };
    assert!(status.success());
    let reader = Vault::open(directory.path()).unwrap();
    for (number, sealed) in (50..150).zip(&sealed) {
        assert_eq!(open(&reader, sealed).await.unwrap(), clear(number));
    }
    let text = fs::read_to_string(keys(directory.path())).unwrap();
    assert_eq!(text.lines().filter(|line| line.starts_with("key ")).count(), 150, "one key each");
}
