//! One key per person; seals and opens the personal fields of events, so that the log never holds them in clear and
//! destroying a key erases them everywhere. Keys live in one small file beside the log, shared by the processes of
//! one machine. A key is on disk before anything sealed with it leaves the vault.

mod disk;
#[cfg(test)]
mod durability_tests;
mod error;
mod file;
mod fingerprint;
mod keys;
mod record;
mod seal;
mod vault;

pub use error::{OpenError, VaultError};
pub use fingerprint::{Fingerprint, InvalidFingerprint, Verified};
pub use vault::{Sealed, Vault};
