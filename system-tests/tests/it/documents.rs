//! Documents name paths; every one must be there, so that the map does not rot.

use crate::root;

/// Words in backticks that look like a path of this repository: a known top folder or file, then maybe more.
fn paths_in(text: &str, tops: &[String]) -> Vec<String> {
    let mut paths = Vec::new();
    for (index, piece) in text.split('`').enumerate() {
        let word = piece.trim_end_matches('/').trim_start_matches("./");
        let plain = !word.is_empty()
            && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./".contains(&b))
            && (word.contains('/') || word.contains('.'));
        let top = word.split('/').next().unwrap_or_default();
        if index % 2 == 1 && plain && tops.iter().any(|name| name == top) {
            paths.push(word.to_owned());
        }
    }
    paths
}

#[test]
fn every_path_that_a_document_names_exists() {
    let root = root();
    let tops: Vec<_> = std::fs::read_dir(&root)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| name != "target" && name != ".git")
        .collect();
    let mut documents: Vec<_> = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"]
        .iter()
        .map(|name| root.join(name))
        .collect();
    let mut folders = vec![root.join("docs")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                documents.push(path);
            }
        }
    }
    let mut named = 0;
    let mut missing = Vec::new();
    for document in &documents {
        for path in paths_in(&std::fs::read_to_string(document).unwrap(), &tops) {
            named += 1;
            if !root.join(&path).exists() {
                missing.push(format!("{}: {path}", document.display()));
            }
        }
    }
    assert!(named > 10, "the documents name only {named} paths: the reading is broken");
    assert!(missing.is_empty(), "documents name what is not there: {missing:#?}");
}

#[test]
fn a_path_is_told_from_other_words() {
    let tops = ["domain".to_owned(), "hw".to_owned()];
    let text = "see `domain/src/lib.rs` and `./hw up`, `GET /v1/products`, `domain`, `nothing/there`";
    assert_eq!(paths_in(text, &tops), ["domain/src/lib.rs"]);
}
