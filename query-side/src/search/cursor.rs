//! A place between two hits.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

/// What cursors of searches begin with, so that one of another list is none of them.
const KIND: &str = "search";

/// The place behind a hit of a text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Cursor(String, String, f32, String);

impl Cursor {
    pub(super) fn new(text: &str, score: f32, sku: String) -> Self {
        Self(KIND.into(), text.into(), score, sku)
    }

    /// Whether the hit of this cursor comes behind the hit of another.
    pub(super) fn is_behind(&self, other: &Cursor) -> bool {
        other.2.total_cmp(&self.2).then_with(|| self.3.cmp(&other.3)).is_gt()
    }

    /// The opaque text that a client gets.
    pub(crate) fn encode(&self) -> String {
        // Texts and a number: there is nothing in it that JSON does not take.
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).unwrap_or_default())
    }

    /// Reads what [`Cursor::encode`] gave out for a hit of this text.
    pub(crate) fn decode(cursor: &str, text: &str) -> Option<Self> {
        let cursor: Self = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
        (cursor.0 == KIND && cursor.1 == text && cursor.2.is_finite()).then_some(cursor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn better_hits_come_first_and_equals_by_sku() {
        let hits = [(7.25, "B"), (1.5, "A"), (1.5, "C"), (0.1, "A")];
        let cursors = hits.map(|(score, sku)| Cursor::new("mug", score, sku.to_owned()));
        for (index, cursor) in cursors.iter().enumerate() {
            assert_eq!(Cursor::decode(&cursor.encode(), "mug").as_ref(), Some(cursor));
            for (other, before) in cursors.iter().enumerate() {
                assert_eq!(cursor.is_behind(before), index > other, "{cursor:?} behind {before:?}");
            }
        }
    }

    #[test]
    fn other_cursors_are_none_of_these() {
        let another_text = r#"["search","bag",1.0,"A"]"#;
        let not_finite = r#"["search","mug",1e99,"A"]"#;
        for text in [r#"["sku:Asc",1.0,"A"]"#, r#"["search","mug","1","A"]"#, another_text, not_finite, "{}"]
        {
            assert_eq!(Cursor::decode(&URL_SAFE_NO_PAD.encode(text), "mug"), None, "{text}");
        }
        assert_eq!(Cursor::decode("!", "mug"), None);
    }
}
