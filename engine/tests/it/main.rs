//! The engine over a real node and a real PostgreSQL.
