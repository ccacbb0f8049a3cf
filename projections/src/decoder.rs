//! From recorded bytes to events of the shop: the vault opens what is sealed, the domain reads the JSON.

use std::sync::Arc;

use domain::ShopEvent;
use domain::codec::{DecodeError, Decoded};
use engine::{DecodeFailure, Decoder};
use event_store::RecordedEvent;
use vault::{OpenError, Vault};

struct ShopDecoder {
    vault: Vault,
}

/// Decodes events of the shop with the keys of this vault.
#[must_use]
pub fn decoder(vault: Vault) -> Arc<dyn Decoder<ShopEvent>> {
    Arc::new(ShopDecoder { vault })
}

#[async_trait::async_trait]
impl Decoder<ShopEvent> for ShopDecoder {
    async fn decode(&self, record: &RecordedEvent) -> Result<Option<ShopEvent>, DecodeFailure> {
        let version = record.metadata.schema_version;
        match self.vault.open_event(&record.event_type, version, &record.data).await {
            Ok(Decoded::Event(event)) => Ok(Some(event)),
            Ok(Decoded::UnknownType) => Ok(None),
            Err(OpenError::Decode(error @ DecodeError::UnknownVersion { .. })) => {
                Err(DecodeFailure::NeedsUpgrade(error.to_string()))
            }
            Err(OpenError::Decode(error @ DecodeError::Malformed { .. })) => {
                Err(DecodeFailure::Malformed(error.to_string()))
            }
            // The key may be on its way here: only the mark of a destroyed one reads as erased.
            Err(error @ (OpenError::KeyMissing(_) | OpenError::Vault(_))) => {
                Err(DecodeFailure::Retry(error.to_string()))
            }
        }
    }
}
