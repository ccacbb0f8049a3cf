//! Keys in memory. The file's secret is never used itself: each purpose has a key derived from it.

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit, Nonce};
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::error::VaultError;

/// Length of a secret and of every key derived from it, bytes.
pub(crate) const KEY_BYTES: usize = 32;
/// Length of an AES-GCM nonce, bytes (NIST SP 800-38D recommends 96 bits).
const NONCE_BYTES: usize = 12;

/// What the file holds for a person or for the installation.
pub(crate) type Secret = [u8; KEY_BYTES];

/// The keys derived from one secret.
#[derive(Clone)]
pub(crate) struct Keys {
    seal: [u8; KEY_BYTES],
    fingerprint: [u8; KEY_BYTES],
}

impl Keys {
    pub(crate) fn derive(secret: &Secret) -> Self {
        Self { seal: mac(secret, b"headwater seal 1"), fingerprint: mac(secret, b"headwater fingerprint 1") }
    }

    /// Nonce and ciphertext of `clear`, bound to `context`. A random nonce is safe for 2^32 boxes a key, far more
    /// than a person has fields.
    pub(crate) fn seal(&self, clear: &[u8], context: &[u8]) -> Result<Vec<u8>, VaultError> {
        let nonce: [u8; NONCE_BYTES] = random()?;
        let sealed = Aes256Gcm::new(&self.seal.into())
            .encrypt(&Nonce::from(nonce), Payload { msg: clear, aad: context })
            .expect("a field is far below the 64 GiB that AES-GCM can take");
        Ok([&nonce[..], &sealed].concat())
    }

    /// What was sealed; `None` if it was not sealed with this key and context, or was changed since.
    pub(crate) fn open(&self, sealed: &[u8], context: &[u8]) -> Option<Vec<u8>> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_BYTES>()?;
        let payload = Payload { msg: sealed, aad: context };
        Aes256Gcm::new(&self.seal.into()).decrypt(&Nonce::from(*nonce), payload).ok()
    }

    /// HMAC-SHA256 of a body.
    pub(crate) fn fingerprint(&self, body: &[u8]) -> [u8; KEY_BYTES] {
        mac(&self.fingerprint, body)
    }
}

/// HMAC-SHA256 (RFC 2104).
fn mac(key: &[u8; KEY_BYTES], message: &[u8]) -> [u8; KEY_BYTES] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(message);
    mac.finalize().into_bytes().into()
}

/// Random bytes of the system.
pub(crate) fn random<const BYTES: usize>() -> Result<[u8; BYTES], VaultError> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes).map_err(VaultError::Random)?;
    Ok(bytes)
}
