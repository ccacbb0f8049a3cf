//! Fields and analyzers.

use std::path::Path;

use tantivy::directory::MmapDirectory;
use tantivy::schema::{Field, IndexRecordOption, Schema, TextFieldIndexing, TextOptions};
use tantivy::tokenizer::{
    AsciiFoldingFilter, Language, LowerCaser, RawTokenizer, RemoveLongFilter, SimpleTokenizer, Stemmer,
    TextAnalyzer,
};
use tantivy::{Index, IndexSettings, Term};
use uuid::Uuid;

use crate::catalogue::ProductTextRow;

/// Longer words are left out of the index, bytes.
const WORD_MAX: usize = 80;

/// How a text becomes terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Analyzer {
    /// The whole text as one term, in small letters.
    Whole,
    /// Runs of letters and digits, in small letters without accents.
    Words,
    /// The same, each cut down to its English stem.
    Stems,
}

impl Analyzer {
    const ALL: [Self; 3] = [Self::Whole, Self::Words, Self::Stems];

    const fn name(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Words => "words",
            Self::Stems => "stems",
        }
    }

    fn build(self) -> TextAnalyzer {
        let words = || {
            TextAnalyzer::builder(SimpleTokenizer::default())
                .filter(RemoveLongFilter::limit(WORD_MAX))
                .filter(LowerCaser)
                .filter(AsciiFoldingFilter)
        };
        match self {
            Self::Whole => TextAnalyzer::builder(RawTokenizer::default()).filter(LowerCaser).build(),
            Self::Words => words().build(),
            Self::Stems => words().filter(Stemmer::new(Language::English)).build(),
        }
    }

    /// The terms of a text.
    #[must_use]
    pub fn terms(self, text: &str) -> Vec<String> {
        let mut analyzer = self.build();
        let mut stream = analyzer.token_stream(text);
        let mut terms = Vec::new();
        while let Some(token) = stream.next() {
            terms.push(token.text.clone());
        }
        terms
    }

    fn field(self) -> TextOptions {
        let record = match self {
            Self::Whole => IndexRecordOption::Basic,
            Self::Words | Self::Stems => IndexRecordOption::WithFreqs,
        };
        let indexing = TextFieldIndexing::default().set_tokenizer(self.name()).set_index_option(record);
        TextOptions::default().set_indexing_options(indexing)
    }
}

/// The fields of a document. Nothing is stored: a hit's SKU is read from its column, and the rest from the tables.
#[derive(Debug, Clone, Copy)]
pub struct Fields {
    /// The product's id, by which its document is replaced.
    product_id: Field,
    /// The SKU, as one term in small letters. As it is, it also is the column [`Fields::SKU_COLUMN`].
    pub sku: Field,
    /// The words of the name.
    pub name: Field,
    /// The words of the description.
    pub description: Field,
    /// The stems of both.
    pub stems: Field,
}

impl Fields {
    /// The column that tells whose document a hit is.
    pub const SKU_COLUMN: &str = "sku";

    fn with_schema() -> (Self, Schema) {
        let mut schema = Schema::builder();
        let fields = Self {
            product_id: schema.add_text_field("product_id", Analyzer::Whole.field()),
            sku: schema.add_text_field(Self::SKU_COLUMN, Analyzer::Whole.field().set_fast("raw")),
            name: schema.add_text_field("name", Analyzer::Words.field()),
            description: schema.add_text_field("description", Analyzer::Words.field()),
            stems: schema.add_text_field("stems", Analyzer::Stems.field()),
        };
        (fields, schema.build())
    }

    /// The fields, whose numbers are the same in every index that [`open`] gives out.
    #[must_use]
    pub fn new() -> Self {
        Self::with_schema().0
    }

    /// What names the document of a product.
    #[must_use]
    pub fn key(&self, product_id: Uuid) -> Term {
        Term::from_field_text(self.product_id, &product_id.to_string())
    }

    /// The document of a row.
    #[must_use]
    pub fn document(&self, row: &ProductTextRow) -> tantivy::TantivyDocument {
        let mut document = tantivy::TantivyDocument::new();
        document.add_text(self.product_id, row.product_id.to_string());
        document.add_text(self.sku, &row.sku);
        for (field, text) in [(self.name, &row.name), (self.description, &row.description)] {
            let Some(text) = text else { continue };
            document.add_text(field, text);
            document.add_text(self.stems, text);
        }
        document
    }
}

impl Default for Fields {
    fn default() -> Self {
        Self::new()
    }
}

/// Opens the index in a directory, or makes an empty one there.
///
/// # Errors
/// The directory cannot be used, or holds an index of other fields or of another version of the library.
pub fn open(directory: &Path) -> tantivy::Result<Index> {
    let (_, schema) = Fields::with_schema();
    let directory = MmapDirectory::open(directory)?;
    let index =
        Index::builder().schema(schema).settings(IndexSettings::default()).open_or_create(directory)?;
    for analyzer in Analyzer::ALL {
        index.tokenizers().register(analyzer.name(), analyzer.build());
    }
    Ok(index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_become_terms_without_case_accents_and_punctuation() {
        assert_eq!(
            Analyzer::Words.terms("Crème-Brûlée SET/6, T-LIGHT"),
            ["creme", "brulee", "set", "6", "t", "light"]
        );
        assert_eq!(Analyzer::Stems.terms("Hanging lanterns"), ["hang", "lantern"]);
        assert_eq!(Analyzer::Whole.terms("Gift_0001 A"), ["gift_0001 a"]);
        assert_eq!(Analyzer::Words.terms(&"x".repeat(WORD_MAX + 1)), [""; 0]);
        assert_eq!(Analyzer::Words.terms("\u{0} \u{202e} … 🎄"), [""; 0]);
    }
}
