//! What a view looks like: tables, rows and migrations.
