//! The index on disk. Everything here blocks.

use std::fs;
use std::path::Path;
use std::time::Instant;

use read_model::catalogue::ProductTextRow;
use read_model::search::{Fields, Payload};
use tantivy::indexer::IndexWriterOptions;
use tantivy::{Index, IndexReader, IndexWriter, ReloadPolicy, Searcher, TantivyDocument};

use crate::metrics;

/// Memory for what is not committed yet, bytes. Texts of some 100,000 products fit in.
const WRITER_MEMORY: usize = 32 * 1024 * 1024;

/// An open index.
pub(super) struct Disk {
    reader: IndexReader,
    writer: IndexWriter,
    fields: Fields,
    /// What the last commit said; none in a new index.
    pub(super) payload: Option<Payload>,
}

impl Disk {
    /// Opens the index in a directory. One that is damaged, or that another version of this program made, is replaced
    /// by an empty one.
    pub(super) fn open(directory: &Path, version: i32) -> Result<Self, tantivy::TantivyError> {
        match Self::open_sound(directory, version) {
            Ok(Some(disk)) => return Ok(disk),
            Ok(None) => tracing::info!("the search index is built anew: another version made it"),
            Err(error) if !directory.exists() => tracing::debug!(%error, "there is no search index yet"),
            Err(error) => tracing::warn!(%error, "the search index is damaged and is built anew"),
        }
        Self::create(directory)
    }

    /// Makes an empty index in a directory, whatever is in there.
    pub(super) fn create(directory: &Path) -> Result<Self, tantivy::TantivyError> {
        if directory.exists() {
            fs::remove_dir_all(directory)?;
        }
        fs::create_dir_all(directory)?;
        Self::on(&read_model::search::open(directory)?, None)
    }

    /// None when it is sound and of no use.
    fn open_sound(directory: &Path, version: i32) -> Result<Option<Self>, tantivy::TantivyError> {
        let index = read_model::search::open(directory)?;
        let damaged = index.validate_checksum()?;
        if let Some(file) = damaged.iter().next() {
            let message = format!("{} of its files, {} among them", damaged.len(), file.display());
            return Err(tantivy::TantivyError::InternalError(message));
        }
        let metas = index.load_metas()?;
        let payload = metas.payload.as_deref().and_then(Payload::parse);
        let new = metas.segments.is_empty() && metas.payload.is_none();
        let ours = payload.is_some_and(|payload| payload.version == version);
        if new || ours { Self::on(&index, payload).map(Some) } else { Ok(None) }
    }

    fn on(index: &Index, payload: Option<Payload>) -> Result<Self, tantivy::TantivyError> {
        let options = IndexWriterOptions::builder()
            .num_worker_threads(1)
            .num_merge_threads(1)
            .memory_budget_per_thread(WRITER_MEMORY)
            .build();
        Ok(Self {
            reader: index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()?,
            writer: index.writer_with_options(options)?,
            fields: Fields::new(),
            payload,
        })
    }

    /// Replaces the documents of these rows, from the next commit on.
    pub(super) fn replace(&self, rows: &[ProductTextRow]) -> Result<(), tantivy::TantivyError> {
        for row in rows {
            self.writer.delete_term(self.fields.key(row.product_id));
            if !row.deleted {
                let document: TantivyDocument = self.fields.document(row);
                self.writer.add_document(document)?;
            }
        }
        Ok(())
    }

    /// Makes durable and visible what was replaced, with the position that it leads to.
    pub(super) fn commit(&mut self, payload: Payload) -> Result<(), tantivy::TantivyError> {
        let begun = Instant::now();
        let mut commit = self.writer.prepare_commit()?;
        commit.set_payload(&payload.to_string());
        commit.commit()?;
        self.reader.reload()?;
        self.payload = Some(payload);
        metrics::committed(begun.elapsed());
        Ok(())
    }

    /// Reads the last commit.
    pub(super) fn searcher(&self) -> Searcher {
        self.reader.searcher()
    }
}
