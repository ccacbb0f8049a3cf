//! A private PostgreSQL server as a child process, for up and for tests.
