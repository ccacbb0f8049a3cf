//! The vault through its public door.

mod destroy;
mod file;
mod fingerprint;
mod seal;
mod support;
