//! The committed code in `src/proto` is what the definitions in `proto` generate. With `HEADWATER_UPDATE=1` in the
//! environment the test writes the files instead.

use std::fs;
use std::path::Path;

const DEFINITIONS: [&str; 6] = [
    "streams.proto",
    "server_features.proto",
    "gossip.proto",
    "persistent.proto",
    "monitoring.proto",
    "operations.proto",
];

fn generate(into: &Path) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let descriptors = protox::compile(DEFINITIONS, [root.join("proto")]).expect("the definitions compile");
    tonic_prost_build::configure()
        .build_client(false)
        .bytes(".")
        .out_dir(into)
        .compile_fds(descriptors)
        .expect("the definitions generate code");
}

#[test]
fn the_committed_code_is_what_the_definitions_generate() {
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/proto");
    if std::env::var_os("HEADWATER_UPDATE").is_some() {
        generate(&committed);
        return;
    }
    let fresh = tempfile::tempdir().expect("a temporary folder");
    generate(fresh.path());
    for entry in fs::read_dir(fresh.path()).expect("the generated folder lists") {
        let entry = entry.expect("an entry");
        let expected = fs::read_to_string(entry.path()).expect("generated text");
        let actual = fs::read_to_string(committed.join(entry.file_name())).expect("committed text");
        assert!(
            actual == expected,
            "{:?} is stale: run this test with HEADWATER_UPDATE=1",
            entry.file_name()
        );
    }
}
