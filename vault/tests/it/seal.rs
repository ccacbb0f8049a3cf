use domain::codec::{DecodeError, Decoded, Encoded, encode};
use domain::product;
use serde_json::{Value, json};
use vault::{OpenError, Sealed, Vault, VaultError};

use crate::support::{SECRETS, blank, clear, encoded, open, person};

async fn sealed(vault: &Vault) -> (Sealed, Value) {
    let sealed = vault.seal(encoded(1)).await.unwrap();
    let json = serde_json::from_slice(&sealed.data).unwrap();
    (sealed, json)
}

fn with(sealed: &Sealed, json: &Value) -> Sealed {
    Sealed { data: json.to_string().into_bytes(), ..sealed.clone() }
}

fn is_malformed(result: Result<domain::ShopEvent, OpenError>) -> bool {
    matches!(result, Err(OpenError::Decode(DecodeError::Malformed { .. })))
}

#[tokio::test]
async fn a_sealed_event_opens_to_what_it_was_and_shows_nothing_personal() {
    let directory = tempfile::tempdir().unwrap();
    let vault = Vault::open(directory.path()).unwrap();
    let (sealed, json) = sealed(&vault).await;
    let text = String::from_utf8(sealed.data.clone()).unwrap();
    for secret in SECRETS {
        assert!(!text.contains(secret));
    }
    assert_eq!(json["country"], "EIRE", "what is not personal stays readable");
    assert_eq!(json["name"]["$sealed"]["person"], person(1).to_string());
    assert_eq!(open(&vault, &sealed).await.unwrap(), clear(1));
    assert_ne!(vault.seal(encoded(1)).await.unwrap(), sealed, "no two boxes are alike");
}

#[tokio::test]
async fn an_event_without_personal_fields_needs_no_key() {
    let directory = tempfile::tempdir().unwrap();
    let vault = Vault::open(directory.path()).unwrap();
    let keys = std::fs::read(directory.path().join("vault.keys")).unwrap();
    let sealed = vault.seal(encode(&blank(1))).await.unwrap();
    assert_eq!(open(&vault, &sealed).await.unwrap(), blank(1));
    assert_eq!(std::fs::read(directory.path().join("vault.keys")).unwrap(), keys);
}

#[tokio::test]
async fn personal_fields_of_nobody_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let vault = Vault::open(directory.path()).unwrap();
    let nobody = Encoded { person: None, ..encoded(1) };
    assert!(matches!(vault.seal(nobody).await, Err(VaultError::NoPerson { event_type: "UserRegistered" })));
}

#[tokio::test]
async fn every_changed_byte_of_a_box_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let vault = Vault::open(directory.path()).unwrap();
    let (sealed, json) = sealed(&vault).await;
    let text = json["name"]["$sealed"]["box"].as_str().unwrap().to_owned();
    for at in 0..text.len() {
        let mut changed = text.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        let mut json = json.clone();
        json["name"]["$sealed"]["box"] = String::from_utf8(changed).unwrap().into();
        assert!(is_malformed(open(&vault, &with(&sealed, &json)).await), "byte {at}");
    }
    for broken in [json!(null), json!({}), json!(7), json!({"person": "x", "box": "x"}), json!([])] {
        let mut json = json.clone();
        json["name"]["$sealed"] = broken.clone();
        assert!(is_malformed(open(&vault, &with(&sealed, &json)).await), "{broken}");
    }
    let mut short = json.clone();
    short["name"]["$sealed"]["box"] = "AAAA".into();
    assert!(is_malformed(open(&vault, &with(&sealed, &short)).await));
}

#[tokio::test]
async fn a_box_opens_only_where_it_was_sealed() {
    let directory = tempfile::tempdir().unwrap();
    let vault = Vault::open(directory.path()).unwrap();
    let (sealed, json) = sealed(&vault).await;
    vault.seal(encoded(2)).await.unwrap();

    let mut other_field = json.clone();
    other_field["name"] = json["email"].clone();
    assert!(is_malformed(open(&vault, &with(&sealed, &other_field)).await));

    let mut other_person = json.clone();
    other_person["name"]["$sealed"]["person"] = person(2).to_string().into();
    assert!(is_malformed(open(&vault, &with(&sealed, &other_person)).await));

    let other_type = Sealed { event_type: "UserProfileChanged", ..sealed };
    assert!(is_malformed(open(&vault, &other_type).await));
}

#[tokio::test]
async fn what_cannot_be_read_is_told_apart_and_never_quoted() {
    let directory = tempfile::tempdir().unwrap();
    let vault = Vault::open(directory.path()).unwrap();
    let unknown = vault.open_event("ProductPainted", 1, b"not even JSON").await.unwrap();
    assert_eq!(unknown, Decoded::UnknownType);
    let newer = vault.open_event("UserRegistered", 2, b"{}").await;
    assert!(matches!(newer, Err(OpenError::Decode(DecodeError::UnknownVersion { .. }))));
    let broken = vault.open_event("UserRegistered", 1, br#"{"name":"Ada Lov"#).await.unwrap_err();
    assert!(matches!(broken, OpenError::Decode(DecodeError::Malformed { .. })));
    assert!(!broken.to_string().contains("Ada"));
}

#[tokio::test]
async fn a_key_that_is_not_there_is_an_error_to_try_again() {
    let [here, there] = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let elsewhere = Vault::open(there.path()).unwrap();
    let (sealed, _) = sealed(&elsewhere).await;
    let vault = Vault::open(here.path()).unwrap();
    let missing = open(&vault, &sealed).await;
    assert!(matches!(missing, Err(OpenError::KeyMissing(missing)) if missing == person(1)));
}

#[tokio::test]
async fn many_tasks_that_seal_for_one_new_person_agree_on_one_key() {
    let directory = tempfile::tempdir().unwrap();
    let vault = Vault::open(directory.path()).unwrap();
    let tasks: Vec<_> = (0..32)
        .map(|_| {
            let vault = vault.clone();
            tokio::spawn(async move { vault.seal(encoded(1)).await.unwrap() })
        })
        .collect();
    let reader = Vault::open(directory.path()).unwrap();
    for task in tasks {
        assert_eq!(open(&reader, &task.await.unwrap()).await.unwrap(), clear(1));
    }
    let keys = std::fs::read_to_string(directory.path().join("vault.keys")).unwrap();
    assert_eq!(keys.lines().filter(|line| line.starts_with("key ")).count(), 1);
}

#[tokio::test]
async fn an_event_of_no_person_passes_through() {
    let directory = tempfile::tempdir().unwrap();
    let vault = Vault::open(directory.path()).unwrap();
    let product_id = domain::ids::ProductId::from_sku(&domain::value::Sku::new("m").unwrap());
    let event = product::Event::Delisted { product_id }.into();
    let sealed = vault.seal(encode(&event)).await.unwrap();
    assert_eq!(open(&vault, &sealed).await.unwrap(), event);
}
