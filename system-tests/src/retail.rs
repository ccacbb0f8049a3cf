//! The month of real data, which stands beside the repository and not in it.

use std::path::PathBuf;

/// The file that `HEADWATER_RETAIL_FILE` names, else the one beside the repository. None, with a word on standard
/// error, on a machine that has none: then the tests that need it pass without having looked.
///
/// # Panics
/// There is none and `HEADWATER_RETAIL_REQUIRED` is set, as CI sets it.
#[must_use]
pub fn retail_file() -> Option<PathBuf> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/online-retail-2010-12.csv.gz");
    let path = std::env::var_os("HEADWATER_RETAIL_FILE").map_or_else(|| PathBuf::from(beside), PathBuf::from);
    if path.is_file() {
        return Some(path);
    }
    let path = path.display();
    assert!(
        std::env::var_os("HEADWATER_RETAIL_REQUIRED").is_none(),
        "the month of real data is not at {path}"
    );
    eprintln!("skipped: the month of real data is not at {path}; HEADWATER_RETAIL_FILE names another place");
    None
}
