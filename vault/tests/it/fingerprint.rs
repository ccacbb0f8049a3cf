use vault::{Fingerprint, Vault, VaultError, Verified};

use crate::support::person;

#[tokio::test]
async fn a_fingerprint_tells_a_retry_from_another_request() {
    let directory = tempfile::tempdir().unwrap();
    let vault = Vault::open(directory.path()).unwrap();
    for owner in [None, Some(person(1))] {
        let stored = vault.fingerprint(owner, b"body").await.unwrap();
        let read: Fingerprint = stored.to_string().parse().unwrap();
        let restarted = Vault::open(directory.path()).unwrap();
        assert_eq!(restarted.verify(read, owner, b"body").await.unwrap(), Verified::Match);
        assert_eq!(restarted.verify(read, owner, b"bodx").await.unwrap(), Verified::Mismatch);
    }
}

#[tokio::test]
async fn each_person_and_each_installation_has_other_fingerprints() {
    let [here, there] = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let vault = Vault::open(here.path()).unwrap();
    let elsewhere = Vault::open(there.path()).unwrap();
    let all = [
        vault.fingerprint(None, b"body").await.unwrap(),
        vault.fingerprint(Some(person(1)), b"body").await.unwrap(),
        vault.fingerprint(Some(person(2)), b"body").await.unwrap(),
        elsewhere.fingerprint(None, b"body").await.unwrap(),
        elsewhere.fingerprint(Some(person(1)), b"body").await.unwrap(),
    ];
    let different: std::collections::HashSet<_> = all.into_iter().collect();
    assert_eq!(different.len(), all.len());
}

#[tokio::test]
async fn without_the_key_nobody_can_tell() {
    let directory = tempfile::tempdir().unwrap();
    let vault = Vault::open(directory.path()).unwrap();
    let stored = vault.fingerprint(Some(person(1)), b"body").await.unwrap();
    vault.destroy(person(1)).await.unwrap();
    for body in [&b"body"[..], b"another"] {
        assert_eq!(vault.verify(stored, Some(person(1)), body).await.unwrap(), Verified::KeyGone);
    }
    assert!(matches!(vault.fingerprint(Some(person(1)), b"body").await, Err(VaultError::Erased(_))));
    let missing = vault.verify(stored, Some(person(2)), b"body").await;
    assert!(matches!(missing, Err(VaultError::KeyMissing(_))), "a missing key is not a destroyed one");
}

#[test]
fn what_is_no_fingerprint_is_refused() {
    for text in ["", "00", "zz", &"0".repeat(63), &"0".repeat(66)] {
        assert!(text.parse::<Fingerprint>().is_err(), "{text:?}");
    }
}
