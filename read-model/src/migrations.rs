//! The views' tables.

mod embedded {
    refinery::embed_migrations!("migrations");
}

/// Where it stands which of [`migrations`] were carried out.
pub const MIGRATION_HISTORY: &str = "read_model_migration";

/// What makes the tables of every view in the schema [`crate::SCHEMA`], for the engine to carry out.
#[must_use]
pub fn migrations() -> refinery::Runner {
    embedded::migrations::runner()
}
