//! The lines of the key file.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::ids::PersonId;

use crate::keys::Secret;

/// The first line: what the file is, and the version of its form.
pub(crate) const HEADER: &str = "headwater-vault 1\n";

/// A line of the file.
#[derive(Clone)]
pub(crate) enum Record {
    /// The secret for what belongs to nobody.
    Installation(Secret),
    /// A person's secret.
    Key(PersonId, Secret),
    /// The mark that stays when a person's secret was destroyed.
    Destroyed(PersonId),
}

/// What a piece of the file holds.
pub(crate) struct Parsed {
    /// Its lines.
    pub(crate) records: Vec<Record>,
    /// How many of its bytes are whole lines; the rest is what a killed writer left.
    pub(crate) whole: usize,
}

impl Record {
    /// The line, with its line break.
    pub(crate) fn to_line(&self) -> String {
        let body = match self {
            Record::Installation(secret) => format!("installation {}", STANDARD.encode(secret)),
            Record::Key(person, secret) => format!("key {person} {}", STANDARD.encode(secret)),
            Record::Destroyed(person) => format!("destroyed {person}"),
        };
        format!("{body} {:08x}\n", crc32fast::hash(body.as_bytes()))
    }

    fn from_line(line: &[u8]) -> Option<Self> {
        let (body, check) = std::str::from_utf8(line).ok()?.rsplit_once(' ')?;
        if check != format!("{:08x}", crc32fast::hash(body.as_bytes())) {
            return None;
        }
        let secret = |text: &str| Secret::try_from(STANDARD.decode(text).ok()?).ok();
        match *body.split(' ').collect::<Vec<_>>() {
            ["installation", text] => Some(Record::Installation(secret(text)?)),
            ["key", person, text] => Some(Record::Key(person.parse().ok()?, secret(text)?)),
            ["destroyed", person] => Some(Record::Destroyed(person.parse().ok()?)),
            _ => None,
        }
    }
}

/// Reads lines, from the start of the file or from the start of a later line.
///
/// # Errors
/// The number of the first damaged line, counted from 1 in this piece.
pub(crate) fn parse(bytes: &[u8], from_start: bool) -> Result<Parsed, usize> {
    let mut whole = 0;
    if from_start {
        whole = bytes.starts_with(HEADER.as_bytes()).then_some(HEADER.len()).ok_or(1_usize)?;
    }
    let mut records = Vec::new();
    while let Some(length) = bytes[whole..].iter().position(|byte| *byte == b'\n') {
        match Record::from_line(&bytes[whole..whole + length]) {
            Some(record) => records.push(record),
            None if is_torn(&bytes[whole..]) => break,
            None => return Err(records.len() + 1 + usize::from(from_start)),
        }
        whole += length + 1;
    }
    Ok(Parsed { records, whole })
}

/// Whether this is what a line looks like whose blocks did not all reach the device: zeros in it, and no line behind
/// it. Anything else that cannot be read is damage, and must not be cut off.
fn is_torn(rest: &[u8]) -> bool {
    let lines_behind = rest.split(|byte| *byte == b'\n').skip(1);
    rest.contains(&0) && lines_behind.filter_map(Record::from_line).next().is_none()
}
