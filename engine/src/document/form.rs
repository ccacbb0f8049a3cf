//! JSON written anew in one form, in one pass over the text and with no tree in between. What is read comes out of
//! Postgres or our own serialiser: it is JSON, and how strings and numbers look is not examined.

use std::borrow::Cow;

use memchr::memchr2;
use serde::de::Error as _;

/// Deeper ones are refused, as by the reader of JSON.
const DEPTH_MAX: usize = 128;

/// What JSON is written as.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// No spaces, and members in the order of their names. Of members with the same name the last one counts, as in
    /// `jsonb`.
    Text,
    /// Of such a text: a comma behind every item, names with their lengths before them and nothing between members.
    Canonical,
}

/// Appends a document in the form.
pub(super) fn rewrite(json: &str, form: Form, out: &mut Vec<u8>) -> Result<()> {
    let mut rewriter = Rewriter { json, at: 0, form, out, members: Vec::new(), moved: Vec::new() };
    rewriter.value(0)?;
    match rewriter.next() {
        None => Ok(()),
        Some(_) => Err(rewriter.wrong()),
    }
}

/// Appends bytes with what they are and how many.
pub(crate) fn tagged(out: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
    out.push(tag);
    out.extend_from_slice(&(bytes.len() as u64).to_be_bytes());
    out.extend_from_slice(bytes);
}

struct Rewriter<'j, 'o> {
    json: &'j str,
    at: usize,
    form: Form,
    out: &'o mut Vec<u8>,
    /// Of the objects that are open: the names of members, and where these begin.
    members: Vec<(Cow<'j, str>, usize)>,
    moved: Vec<u8>,
}

type Result<T> = std::result::Result<T, serde_json::Error>;

impl<'j> Rewriter<'j, '_> {
    fn wrong(&self) -> serde_json::Error {
        serde_json::Error::custom(format!("no JSON at byte {}", self.at))
    }

    /// The next byte that is no space, and is not passed over yet.
    fn next(&mut self) -> Option<u8> {
        let rest = &self.json.as_bytes()[self.at..];
        let spaces = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\n' | b'\t' | b'\r')).count();
        self.at += spaces;
        rest.get(spaces).copied()
    }

    /// Passes over the byte, if it is the next.
    fn takes(&mut self, byte: u8) -> bool {
        let is_next = self.next() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    fn value(&mut self, depth: usize) -> Result<()> {
        match self.next() {
            _ if depth == DEPTH_MAX => Err(self.wrong()),
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => {
                let string = self.string()?;
                match string.contains('\\') {
                    false => self.out.extend_from_slice(string.as_bytes()),
                    true => serde_json::to_writer(&mut *self.out, &unescaped(string)?)?,
                }
                Ok(())
            }
            _ => {
                let rest = &self.json.as_bytes()[self.at..];
                let word =
                    rest.iter().take_while(|b| b.is_ascii_alphanumeric() || b"+-.".contains(b)).count();
                if word == 0 {
                    return Err(self.wrong());
                }
                self.out.extend_from_slice(&rest[..word]);
                self.at += word;
                Ok(())
            }
        }
    }

    /// A string with its quotes.
    fn string(&mut self) -> Result<&'j str> {
        if self.next() != Some(b'"') {
            return Err(self.wrong());
        }
        let (bytes, begin) = (self.json.as_bytes(), self.at);
        let mut at = begin + 1;
        loop {
            let found =
                bytes.get(at..).and_then(|rest| memchr2(b'"', b'\\', rest)).ok_or_else(|| self.wrong())?;
            at += found + 1;
            if bytes[at - 1] == b'"' {
                self.at = at;
                return Ok(&self.json[begin..at]);
            }
            at += 1;
        }
    }

    fn array(&mut self, depth: usize) -> Result<()> {
        self.at += 1;
        self.out.push(b'[');
        let mut is_first = true;
        while !(is_first && self.takes(b']')) {
            if !is_first && self.form == Form::Text {
                self.out.push(b',');
            }
            self.value(depth + 1)?;
            if self.form == Form::Canonical {
                self.out.push(b',');
            }
            is_first = false;
            if self.takes(b']') {
                break;
            }
            if !self.takes(b',') {
                return Err(self.wrong());
            }
        }
        self.out.push(b']');
        Ok(())
    }

    fn object(&mut self, depth: usize) -> Result<()> {
        self.at += 1;
        self.out.push(b'{');
        let (open, mut in_order) = (self.members.len(), true);
        while !(self.members.len() == open && self.takes(b'}')) {
            let name = self.string()?;
            let name = match name.contains('\\') {
                false => Cow::Borrowed(&name[1..name.len() - 1]),
                true => Cow::Owned(unescaped(name)?),
            };
            if self.form == Form::Text && self.members.len() > open {
                in_order &= self.members.last().is_some_and(|(before, _)| *before < name);
                self.out.push(b',');
            }
            let begin = self.out.len();
            self.name(&name)?;
            self.members.push((name, begin));
            if !self.takes(b':') {
                return Err(self.wrong());
            }
            self.value(depth + 1)?;
            if self.takes(b'}') {
                break;
            }
            if !self.takes(b',') {
                return Err(self.wrong());
            }
        }
        if !in_order {
            self.put_in_order(open);
        }
        self.members.truncate(open);
        self.out.push(b'}');
        Ok(())
    }

    fn name(&mut self, name: &str) -> Result<()> {
        match self.form {
            Form::Text => {
                serde_json::to_writer(&mut *self.out, name)?;
                self.out.push(b':');
            }
            Form::Canonical => tagged(self.out, b'"', name.as_bytes()),
        }
        Ok(())
    }

    /// Writes the members from this one on again.
    fn put_in_order(&mut self, open: usize) {
        let Some(first) = self.members.get(open).map(|(_, begin)| *begin) else { return };
        self.moved.clear();
        self.moved.extend_from_slice(&self.out[first..]);
        self.out.truncate(first);
        let members = &self.members[open..];
        let end = |at: usize| members.get(at + 1).map_or(self.moved.len(), |(_, next)| next - 1 - first);
        let mut order: Vec<usize> = (0..members.len()).collect();
        order.sort_by_key(|at| &*members[*at].0);
        for (place, at) in order.iter().enumerate() {
            let (name, begin) = &members[*at];
            if order.get(place + 1).is_some_and(|next| members[*next].0 == *name) {
                continue;
            }
            if self.out.len() > first {
                self.out.push(b',');
            }
            self.out.extend_from_slice(&self.moved[begin - first..end(*at)]);
        }
    }
}

fn unescaped(string: &str) -> Result<String> {
    serde_json::from_str(string)
}
