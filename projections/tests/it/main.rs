//! The shop's projections over a real node and a real PostgreSQL.
