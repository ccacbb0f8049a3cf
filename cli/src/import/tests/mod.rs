//! The import from file to requests, on the real month and on small files, and against a server that fails.

mod month;
mod plan;
mod reader;
mod run;
mod server;

use std::io::Cursor;

use super::reader::{Contents, ReadError, Strictness, read_from};
use super::row::COLUMNS;

/// A file of these rows.
fn file(rows: &[&str]) -> Vec<u8> {
    let mut text = COLUMNS.join(",");
    for row in rows {
        text.push('\n');
        text.push_str(row);
    }
    text.push('\n');
    text.into_bytes()
}

fn read(bytes: &[u8]) -> Result<Contents, ReadError> {
    read_from(Cursor::new(bytes), Strictness::Skip)
}
