//! What is read, what is refused, and how far a malformed row reaches.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::{file, read};
use crate::import::reader::{MALFORMED_LISTED_MAX, ReadError, Strictness, read_from};

const GOOD: &str = "1,A,CUP,2,2010-12-01T08:26:00Z,2.55,17850,United Kingdom";

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn documents(bytes: &[u8]) -> Vec<String> {
    read(bytes).unwrap().rows.iter().map(|row| row.document.to_string()).collect()
}

#[test]
fn plain_and_packed_files_hold_the_same_and_have_the_same_digest() {
    let plain = file(&[GOOD, "2,B,\"TEA, \"\"BLACK\"\"\",1,2010-12-01T08:26:00Z,1.00,,Eire"]);
    let (one, two) = (read(&plain).unwrap(), read(&packed(&plain)).unwrap());
    assert_eq!(one.rows, two.rows);
    assert_eq!(one.digest, two.digest);
    assert_eq!((one.rows_read, one.malformed_rows), (2, 0));
    assert_eq!(one.rows[1].description.as_ref().unwrap().as_str(), "TEA, \"BLACK\"");
    assert_ne!(one.digest, read(&file(&[GOOD])).unwrap().digest);
    // Packed in two parts, as `cat a.gz b.gz` leaves it.
    let (head, tail) = plain.split_at(40);
    assert_eq!(read(&[packed(head), packed(tail)].concat()).unwrap().rows, one.rows);
}

#[test]
fn line_ends_of_either_kind_and_empty_lines_are_taken() {
    let text = String::from_utf8(file(&[GOOD, "", GOOD])).unwrap();
    let with_returns = format!("\u{feff}{}", text.replace('\n', "\r\n"));
    let contents = read(with_returns.trim_end().as_bytes()).unwrap();
    assert_eq!((contents.rows.len(), contents.malformed_rows), (2, 0));
    assert_eq!(contents.rows[1].line, 4);
}

#[test]
fn a_malformed_row_costs_its_document_and_no_other() {
    let bytes = file(&[
        GOOD,
        "2,A,CUP,2,2010-12-01T08:26:00Z,2.55,17850,United Kingdom",
        "2,A,CUP,two,2010-12-01T08:26:00Z,2.55,17850,United Kingdom",
        "2,A,CUP,-2,2010-12-01T08:26:00Z,0.00,,United Kingdom",
        "3,A,CUP,2,2010-12-01T08:26:00Z,2.55,17850,United Kingdom",
    ]);
    let contents = read(&bytes).unwrap();
    assert_eq!(documents(&bytes), ["1", "3"]);
    assert_eq!((contents.rows_read, contents.malformed_rows, contents.skipped_documents), (5, 1, 1));
    assert_eq!(
        contents.malformed[0].to_string(),
        "line 4, column 4 (quantity): \"two\" is not a whole number"
    );
}

#[test]
fn a_quote_that_is_not_closed_ends_with_its_line() {
    let bytes = file(&[
        "1,A,\"CUP,2,2010-12-01T08:26:00Z,2.55,17850,United Kingdom",
        "2,A,\"CUP\",2,2010-12-01T08:26:00Z,2.55,17850,United Kingdom",
        "3,A,CUP\r2,2010-12-01T08:26:00Z,2.55,17850,United Kingdom",
        "4,A,CUP,2,2010-12-01T08:26:00Z,2.55,17850,United Kingdom",
    ]);
    let contents = read(&bytes).unwrap();
    assert_eq!(documents(&bytes), ["2", "4"]);
    assert_eq!(contents.malformed[0].to_string(), "line 2, column 3 (description): a quote is not closed");
    assert_eq!(contents.malformed[1].line, 4);
}

#[test]
fn a_row_with_far_too_many_columns_or_broken_text_is_one_malformed_row() {
    let many = format!("1{}", ",x".repeat(500));
    let mut bytes = file(&[&many, "2,A,CUP,2,2010-12-01T08:26:00Z,2.55,17850,United Kingdom"]);
    bytes.extend_from_slice(b"3,A,\xff,2,2010-12-01T08:26:00Z,2.55,17850,United Kingdom\n");
    bytes.extend_from_slice(b"\xff,A,CUP,2,2010-12-01T08:26:00Z,2.55,17850,United Kingdom\n");
    let contents = read(&bytes).unwrap();
    assert_eq!(documents(&bytes), ["2"]);
    let places: Vec<_> =
        contents.malformed.iter().map(|m| (m.line, m.column, m.document.as_deref())).collect();
    assert_eq!(places[1..], [(4, 3, Some("3")), (5, 1, None)]);
    assert_eq!((places[0].0, places[0].2), (2, Some("1")));
}

#[test]
fn the_lines_of_a_document_agree_on_customer_and_country() {
    let bytes = file(&[
        "1,A,CUP,2,2010-12-01T08:26:00Z,2.55,17850,United Kingdom",
        "1,A,CUP,2,2010-12-01T08:27:00Z,2.55,17851,United Kingdom",
        "C2,A,CUP,-2,2010-12-01T08:26:00Z,2.55,,United Kingdom",
        "C2,A,CUP,-2,2010-12-01T08:26:00Z,2.55,,France",
        "3,A,CUP,2,2010-12-01T08:26:00Z,2.55,17850,United Kingdom",
        "3,A,CUP,-2,2010-12-01T08:26:00Z,0.00,,France",
    ]);
    let contents = read(&bytes).unwrap();
    assert_eq!(documents(&bytes), ["3", "3"]);
    let places: Vec<_> = contents.malformed.iter().map(|m| (m.line, m.column)).collect();
    assert_eq!(places, [(3, 7), (5, 8)]);
}

#[test]
fn a_strict_reader_stops_at_the_first_malformed_row() {
    let bytes = file(&[GOOD, "2,A", "3"]);
    let error = read_from(bytes.as_slice(), Strictness::Stop).unwrap_err();
    assert_eq!(error.to_string(), "line 3, column 3 (description): 2 columns where 8 belong");
    assert!(read_from(file(&[GOOD]).as_slice(), Strictness::Stop).is_ok());
}

#[test]
fn more_malformed_rows_than_anyone_reads_are_counted() {
    let contents = read(&file(&vec!["x"; MALFORMED_LISTED_MAX + 5])).unwrap();
    assert_eq!(contents.malformed.len(), MALFORMED_LISTED_MAX);
    assert_eq!((contents.malformed_rows, contents.skipped_documents), (MALFORMED_LISTED_MAX as u64 + 5, 1));
}

#[test]
fn what_is_no_such_file_is_refused() {
    assert!(matches!(read(b"").unwrap_err(), ReadError::Header { .. }));
    assert!(matches!(read(b"InvoiceNo,StockCode\n1,2\n").unwrap_err(), ReadError::Header { .. }));
    let mut cut = packed(&file(&[GOOD]));
    cut.truncate(cut.len() - 12);
    assert!(matches!(read(&cut).unwrap_err(), ReadError::Read { .. }));
    let long = format!("1,A,{},2,2010-12-01T08:26:00Z,2.55,,Eire", "x".repeat(70_000));
    assert!(matches!(read(&file(&[GOOD, &long])).unwrap_err(), ReadError::LineTooLong { line: 3 }));
    let absent = crate::import::reader::read("/nonexistent/file.csv".as_ref(), Strictness::Skip).unwrap_err();
    assert!(absent.to_string().starts_with("cannot open /nonexistent/file.csv"), "{absent}");
}
