//! From a text to a query: every word must be found, and the better it is, the higher the hit stands.

use contract::{ApiError, ErrorCode};
use read_model::search::{Analyzer, Fields};
use serde_json::json;
use tantivy::Term;
use tantivy::query::{BooleanQuery, ConstScoreQuery, FuzzyTermQuery, Occur, Query, TermQuery};
use tantivy::schema::{Field, IndexRecordOption};

use crate::error::Failure;

/// Characters of a text.
pub(crate) const TEXT_MAX: usize = 200;

/// Words of a text: each is looked up in every way there is.
pub(crate) const WORDS_MAX: usize = 16;

/// A word of so many letters may be misspelt in one of them, or have two neighbours swapped.
const ONE_SLIP: usize = 4;

/// And of so many in two.
const TWO_SLIPS: usize = 8;

// What a way of being found is worth. A better way mostly includes the worse ones, whose worth comes on top; how rare
// the word is adds some more (BM25).
const SKU: f32 = 50.0;
const SKU_BEGINS: f32 = 5.0;
const IN_NAME: f32 = 4.0;
const IN_DESCRIPTION: f32 = 2.0;
const STEM: f32 = 1.5;
const BEGINS: f32 = 1.0;
const SLIP: f32 = 0.5;
/// What the last two are worth in the description, of what they are worth in the name.
const LESS: f32 = 0.5;

type Boxed = Box<dyn Query>;

/// The query of a text; none when there is no word in it.
///
/// # Errors
/// The text is longer, or has more words, than may be.
pub(super) fn of(text: &str) -> Result<Option<Boxed>, Failure> {
    let length = text.chars().count();
    if length > TEXT_MAX {
        return Err(too_long("characters", length, TEXT_MAX));
    }
    let fields = Fields::new();
    let words = Analyzer::Words.terms(text);
    if words.len() > WORDS_MAX {
        return Err(too_long("words", words.len(), WORDS_MAX));
    }
    let mut every_word: Vec<(Occur, Boxed)> = Vec::new();
    for (index, word) in words.iter().enumerate() {
        let is_last = index + 1 == words.len();
        every_word.push((Occur::Must, Box::new(BooleanQuery::union(ways(&fields, word, is_last)))));
    }
    // A SKU may be written with signs that part words, so the text as a whole is tried too.
    let whole = Analyzer::Whole.terms(text.trim()).concat();
    if whole.is_empty() {
        return Ok(None);
    }
    let mut either: Vec<Boxed> = vec![worth(SKU, term(fields.sku, &whole))];
    if !every_word.is_empty() {
        either.push(Box::new(BooleanQuery::new(every_word)));
    }
    Ok(Some(Box::new(BooleanQuery::union(either))))
}

/// Every way in which a word can be found. The last one may still be being typed.
fn ways(fields: &Fields, word: &str, is_last: bool) -> Vec<Boxed> {
    let mut ways = vec![
        worth(SKU, term(fields.sku, word)),
        worth(IN_NAME, term(fields.name, word)),
        term(fields.name, word),
        worth(IN_DESCRIPTION, term(fields.description, word)),
        term(fields.description, word),
    ];
    ways.extend(Analyzer::Stems.terms(word).first().map(|stem| worth(STEM, term(fields.stems, stem))));
    let texts = [(fields.name, 1.0), (fields.description, LESS)];
    if is_last {
        let begins = |field| FuzzyTermQuery::new_prefix(Term::from_field_text(field, word), 0, true);
        ways.push(worth(SKU_BEGINS, Box::new(begins(fields.sku))));
        ways.extend(texts.map(|(field, share)| worth(BEGINS * share, Box::new(begins(field)))));
    }
    let slips = slips(word);
    if slips > 0 {
        let near = |field| FuzzyTermQuery::new(Term::from_field_text(field, word), slips, true);
        ways.extend(texts.map(|(field, share)| worth(SLIP * share, Box::new(near(field)))));
    }
    ways
}

/// How many letters of a word may be wrong. A number that is nearly right is another number.
fn slips(word: &str) -> u8 {
    match word.chars().count() {
        _ if word.chars().any(char::is_numeric) => 0,
        TWO_SLIPS.. => 2,
        ONE_SLIP.. => 1,
        _ => 0,
    }
}

fn term(field: Field, text: &str) -> Boxed {
    Box::new(TermQuery::new(Term::from_field_text(field, text), IndexRecordOption::WithFreqs))
}

fn worth(score: f32, query: Boxed) -> Boxed {
    Box::new(ConstScoreQuery::new(query, score))
}

fn too_long(what: &str, given: usize, limit: usize) -> Failure {
    ApiError::new(ErrorCode::InvalidInput)
        .with_message(format!("a text to search for has at most {limit} {what}"))
        .with_details(json!({"argument": "text", "given": given, "limit": limit}))
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_words_and_numbers_must_be_right() {
        for (word, expected) in
            [("red", 0), ("lamp", 1), ("lantern", 1), ("lanterns", 2), ("85123a", 0), ("größte", 1)]
        {
            assert_eq!(slips(word), expected, "{word}");
        }
    }

    #[test]
    fn texts_are_bounded_and_may_be_without_words() {
        assert!(of("").unwrap().is_none());
        assert!(of(" \t ").unwrap().is_none());
        assert!(of("…").unwrap().is_some(), "there may be a SKU like that");
        assert!(of(&"ä".repeat(TEXT_MAX)).is_ok());
        assert!(of(&"ä".repeat(TEXT_MAX + 1)).is_err());
        assert!(of(&"a ".repeat(WORDS_MAX)).is_ok());
        assert!(of(&"a ".repeat(WORDS_MAX + 1)).is_err());
    }
}
