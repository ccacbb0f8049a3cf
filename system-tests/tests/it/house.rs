//! The layering: which crate may use which, and how large a room may grow.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use cargo_metadata::{DependencyKind, MetadataCommand};

use crate::root;

/// Normal dependencies that a crate may have on others of the workspace. Everyone may use `contract` and
/// `observability`, but for those two themselves; `cli` and `system-tests` may use all.
const ALLOWED: &[(&str, &[&str])] = &[
    ("contract", &[]),
    ("observability", &["contract"]),
    ("private-postgres", &[]),
    ("domain", &[]),
    ("vault", &["domain"]),
    ("event-store", &[]),
    ("event-store-node", &[]),
    ("command-side", &["domain", "vault", "event-store"]),
    ("engine", &["event-store"]),
    ("process-managers", &["domain", "vault", "event-store", "engine", "command-side"]),
    ("read-model", &[]),
    ("projections", &["domain", "vault", "event-store", "engine", "read-model"]),
    ("query-side", &["read-model"]),
    ("dashboards", &[]),
];
const MAY_USE_ALL: &[&str] = &["cli", "system-tests"];
const LEAVES: &[&str] = &["contract", "observability"];

/// What the pure domain must never come to depend on, directly or through others.
const IMPURE: &[&str] =
    &["tokio", "axum", "tokio-postgres", "tonic", "hyper", "tracing", "metrics", "rand", "getrandom"];

/// A file past this is two rooms. Generated code is exempt.
const LINES_MAX: usize = 500;

#[test]
fn edges_between_crates_point_forward_only() {
    let metadata = MetadataCommand::new().no_deps().current_dir(root()).exec().unwrap();
    let members: BTreeSet<_> = metadata.packages.iter().map(|package| package.name.to_string()).collect();
    let allowed: BTreeMap<_, _> = ALLOWED.iter().copied().collect();
    let mut wrong = Vec::new();
    for package in &metadata.packages {
        let name = package.name.as_str();
        if MAY_USE_ALL.contains(&name) {
            continue;
        }
        let Some(may) = allowed.get(name) else {
            wrong.push(format!("{name} has no line in the table of allowed edges"));
            continue;
        };
        for dependency in package.dependencies.iter().filter(|d| d.kind != DependencyKind::Development) {
            let to = dependency.name.as_str();
            let leaf = LEAVES.contains(&to) && !LEAVES.contains(&name);
            if members.contains(to) && !may.contains(&to) && !leaf {
                wrong.push(format!("{name} -> {to}"));
            }
        }
    }
    assert!(wrong.is_empty(), "edges that the layering does not allow: {wrong:#?}");
}

#[test]
fn the_domain_depends_on_nothing_that_does_io() {
    // Asked of this package alone: in a build of the whole workspace, features that others want are on as well.
    let arguments =
        ["tree", "--package", "domain", "--edges", "normal", "--prefix", "none", "--format", "{p}"];
    let tree = Command::new(env!("CARGO")).args(arguments).current_dir(root()).output().unwrap();
    let tree = String::from_utf8(tree.stdout).unwrap();
    let names: BTreeSet<_> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(names.contains("contract"), "cargo tree has told nothing");
    let impure: Vec<_> = IMPURE.iter().filter(|name| names.contains(*name)).collect();
    assert!(impure.is_empty(), "the domain depends on {impure:?}");
}

#[test]
fn no_source_file_outgrows_its_room() {
    let mut files = Vec::new();
    let metadata = MetadataCommand::new().no_deps().current_dir(root()).exec().unwrap();
    for package in &metadata.packages {
        for folder in ["src", "tests", "benches"] {
            collect(&package.manifest_path.parent().unwrap().join(folder).into_std_path_buf(), &mut files);
        }
    }
    assert!(files.len() > 20, "the walk has found too little");
    let mut long = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let generated = text.starts_with("// @generated") || text.starts_with("// This file is @generated");
        let lines = text.lines().count();
        if lines > LINES_MAX && !generated {
            long.push(format!("{}: {lines}", file.display()));
        }
    }
    assert!(long.is_empty(), "files over {LINES_MAX} lines: {long:#?}");
}

#[test]
fn the_import_names_no_stock_code() {
    let sample = std::fs::read_to_string(root().join("cli/sample/online-retail-sample.csv")).unwrap();
    let codes: BTreeSet<_> = sample.lines().skip(1).filter_map(|row| row.split(',').nth(1)).collect();
    assert!(codes.len() > 100 && codes.contains("85123A"), "the sample holds too little");
    let mut files = Vec::new();
    collect(&root().join("cli/src/import"), &mut files);
    files.retain(|file| !file.components().any(|part| part.as_os_str() == "tests"));
    assert!(files.len() > 5, "the walk has found too little");
    let mut named = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let literals = code.split('"').skip(1).step_by(2).filter(|literal| codes.contains(literal));
        named.extend(literals.map(|literal| format!("{}: {literal}", file.display())));
    }
    assert!(named.is_empty(), "what is special about a row is in its columns: {named:?}");
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}
