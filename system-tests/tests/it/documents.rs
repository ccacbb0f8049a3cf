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

/// Stands for lines of the file that a document leaves out.
const LEFT_OUT: &str = "…";

/// Blocks of code that name the file they are from: the path, and pieces that stand there in this order.
fn excerpts(text: &str) -> Vec<(&str, Vec<String>)> {
    let mut found: Vec<(&str, Vec<String>)> = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        if let Some(info) = line.strip_prefix("```") {
            let path = info.split_once(' ').map(|(_, path)| path).filter(|_| !inside);
            inside = path.is_some();
            found.extend(path.map(|path| (path, vec![String::new()])));
        } else if inside && let Some((_, pieces)) = found.last_mut() {
            match pieces.last_mut() {
                Some(piece) if line != LEFT_OUT => piece.push_str(&format!("{line}\n")),
                _ => pieces.push(String::new()),
            }
        }
    }
    found
}

#[test]
fn code_that_a_document_shows_of_a_file_stands_there() {
    let document = "docs/adding-a-view.md";
    let text = std::fs::read_to_string(root().join(document)).unwrap();
    let shown = excerpts(&text);
    assert!(shown.len() > 6, "{document} shows only {} pieces: the reading is broken", shown.len());
    for (path, pieces) in shown {
        let file = std::fs::read_to_string(root().join(path)).unwrap();
        let mut rest = file.as_str();
        for piece in pieces {
            let Some((_, behind)) = rest.split_once(&piece) else {
                panic!(
                    "{document} shows of {path} what does not stand there, or not in this order:\n{piece}"
                );
            };
            rest = behind;
        }
    }
}

#[test]
fn an_excerpt_is_told_from_other_blocks() {
    let text = "```console\n$ x\n```\n```rust a/b.rs\none\n…\ntwo\nthree\n```\nbehind\n";
    assert_eq!(excerpts(text), [("a/b.rs", vec!["one\n".to_owned(), "two\nthree\n".to_owned()])]);
}

#[test]
fn a_path_is_told_from_other_words() {
    let tops = ["domain".to_owned(), "hw".to_owned()];
    let text = "see `domain/src/lib.rs` and `./hw up`, `GET /v1/products`, `domain`, `nothing/there`";
    assert_eq!(paths_in(text, &tops), ["domain/src/lib.rs"]);
}
