use domain::codec::encode;
use vault::{Vault, VaultError, Verified};

use crate::support::{blank, clear, encoded, erased, open, person};

#[tokio::test]
async fn what_was_sealed_reads_as_erased_and_nothing_more_is_sealed() {
    let directory = tempfile::tempdir().unwrap();
    let vault = Vault::open(directory.path()).unwrap();
    let sealed = vault.seal(encoded(1)).await.unwrap();
    let other = vault.seal(encoded(2)).await.unwrap();
    vault.destroy(person(1)).await.unwrap();
    vault.destroy(person(1)).await.unwrap();
    for vault in [vault, Vault::open(directory.path()).unwrap()] {
        assert_eq!(open(&vault, &sealed).await.unwrap(), erased(1));
        assert_eq!(open(&vault, &other).await.unwrap(), clear(2), "others keep theirs");
        assert!(matches!(vault.seal(encoded(1)).await, Err(VaultError::Erased(gone)) if gone == person(1)));
        assert!(vault.seal(encode(&blank(1))).await.is_ok(), "what is not personal can still be written");
    }
}

#[tokio::test]
async fn the_key_is_gone_from_the_directory_and_a_mark_is_left() {
    let directory = tempfile::tempdir().unwrap();
    let vault = Vault::open(directory.path()).unwrap();
    vault.seal(encoded(1)).await.unwrap();
    vault.seal(encoded(2)).await.unwrap();
    let keys = std::fs::read_to_string(directory.path().join("vault.keys")).unwrap();
    let line_of = |person: String| keys.lines().find(|line| line.contains(&person)).unwrap().to_owned();
    let key = line_of(person(1).to_string()).split(' ').nth(2).unwrap().to_owned();
    vault.destroy(person(1)).await.unwrap();
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory.path()).unwrap() {
        files.push(std::fs::read_to_string(entry.unwrap().path()).unwrap());
    }
    assert!(files.iter().all(|text| !text.contains(&key)));
    assert!(files.iter().any(|text| text.contains(&format!("destroyed {}", person(1)))));
    assert!(files.iter().any(|text| text.contains(&line_of(person(2).to_string()))));
}

#[tokio::test]
async fn a_person_without_a_key_is_marked_too() {
    let directory = tempfile::tempdir().unwrap();
    let vault = Vault::open(directory.path()).unwrap();
    vault.destroy(person(1)).await.unwrap();
    assert!(matches!(vault.seal(encoded(1)).await, Err(VaultError::Erased(_))));
}

#[tokio::test]
async fn another_process_with_the_key_in_memory_sees_it_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let [first, second] = [(); 2].map(|()| Vault::open(directory.path()).unwrap());
    let sealed = first.seal(encoded(1)).await.unwrap();
    assert_eq!(open(&second, &sealed).await.unwrap(), clear(1));
    let stored = second.fingerprint(Some(person(1)), b"body").await.unwrap();
    first.destroy(person(1)).await.unwrap();
    assert_eq!(open(&second, &sealed).await.unwrap(), erased(1));
    assert!(matches!(second.seal(encoded(1)).await, Err(VaultError::Erased(_))));
    assert_eq!(second.verify(stored, Some(person(1)), b"body").await.unwrap(), Verified::KeyGone);
    let later = second.seal(encoded(3)).await.unwrap();
    assert_eq!(open(&first, &later).await.unwrap(), clear(3), "both go on with the new file");
}

#[tokio::test]
async fn two_processes_that_destroy_in_turn_lose_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let [first, second] = [(); 2].map(|()| Vault::open(directory.path()).unwrap());
    for number in 1..=20 {
        let (vault, other) = if number % 2 == 0 { (&first, &second) } else { (&second, &first) };
        let kept = vault.seal(encoded(100 + number)).await.unwrap();
        let gone = other.seal(encoded(number)).await.unwrap();
        vault.destroy(person(number)).await.unwrap();
        assert_eq!(open(other, &gone).await.unwrap(), erased(number));
        assert_eq!(open(other, &kept).await.unwrap(), clear(100 + number));
    }
}
