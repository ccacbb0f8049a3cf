//! Every version of every event type that was ever written has a golden file with its JSON as it stands in the log
//! before sealing. A file is never changed: another schema is another version with another file.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use domain::ShopEvent;
use domain::codec::{DecodeError, Decoded, decode, encode, find};
use serde_json::{Value, json};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// (event type, version, JSON) of every golden file; `<type>.v<version>.json`, or `<type>.v<version>.<case>.json`
/// for a second shape of the same version.
fn files() -> Vec<(String, u32, Value)> {
    let entries = std::fs::read_dir(folder()).unwrap();
    let read = |path: PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let mut parts = name.split('.');
        let event_type = parts.next().unwrap().to_owned();
        let version = parts.next().unwrap().strip_prefix('v').unwrap().parse().unwrap();
        (event_type, version, serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap())
    };
    entries.map(|entry| read(entry.unwrap().path())).collect()
}

#[test]
fn every_version_ever_written_has_a_golden_file_and_no_file_is_an_orphan() {
    let found: BTreeSet<_> = files().into_iter().map(|(name, version, _)| (name, version)).collect();
    let known: BTreeSet<_> = ShopEvent::types()
        .flat_map(|known| (1..=known.version).map(|version| (known.name.to_owned(), version)))
        .collect();
    assert_eq!(found, known);
}

#[test]
fn every_golden_file_decodes_and_encodes_to_itself() {
    for (event_type, version, data) in files() {
        let Ok(Decoded::Event(event)) = decode(&event_type, version, data.clone()) else {
            panic!(
                "{event_type} version {version} does not decode: {:?}",
                decode(&event_type, version, data)
            );
        };
        let readable = find(&event_type, version).unwrap().unwrap();
        assert_eq!(readable.read_slice(data.to_string().as_bytes()).as_ref(), Ok(&event), "{event_type}");
        let encoded = encode(&event);
        assert_eq!(encoded.event_type, event_type);
        if encoded.schema_version == version {
            assert_eq!(encoded.data, data, "{event_type}");
        }
    }
}

#[test]
fn event_types_have_names_of_their_own() {
    let names: BTreeSet<_> = ShopEvent::types().map(|known| known.name).collect();
    assert_eq!(names.len(), ShopEvent::types().count());
}

#[test]
fn an_unknown_type_is_told_from_an_unknown_version_and_from_broken_data() {
    assert_eq!(decode("ProductPainted", 1, json!({})), Ok(Decoded::UnknownType));
    let newer = decode("ProductDelisted", 2, json!({})).unwrap_err();
    assert_eq!(newer, DecodeError::UnknownVersion { event_type: "ProductDelisted", version: 2, known: 1 });
    assert!(matches!(decode("ProductDelisted", 0, json!({})), Err(DecodeError::UnknownVersion { .. })));
    for broken in [json!({}), json!(null), json!([]), json!({"productId": 7}), json!("x")] {
        let text = broken.to_string();
        assert!(matches!(decode("ProductDelisted", 1, broken), Err(DecodeError::Malformed { .. })));
        let readable = find("ProductDelisted", 1).unwrap().unwrap();
        assert!(matches!(readable.read_slice(text.as_bytes()), Err(DecodeError::Malformed { .. })));
    }
}

#[test]
fn an_error_of_a_personal_field_does_not_quote_it() {
    let (_, _, mut data) = files().into_iter().find(|(name, ..)| name == "UserRegistered").unwrap();
    data["email"] = json!({"$personal": {"secret": "secret"}});
    let error = decode("UserRegistered", 1, data).unwrap_err().to_string();
    assert!(error.contains("UserRegistered") && !error.contains("secret"), "{error}");
}
