//! What rows were is forgotten when it is older than it has to be.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::term::Term;
use crate::error::EngineError;
use crate::write::history::{KeepHistory, forget};

/// How often what is too old is looked for.
const PAUSE: Duration = Duration::from_secs(60);

impl<E: Send + Sync + 'static> Term<'_, E> {
    /// Forgets some of what is too old, when it is time.
    pub(super) async fn forget_history(&mut self) -> Result<(), EngineError> {
        let KeepHistory::For(age) = self.worker.history else { return Ok(()) };
        if self.forget_at > Instant::now() || !self.feed.is_live() {
            return Ok(());
        }
        let (name, version) = (self.worker.projection.name, self.worker.version);
        let before = Timestamp::now().saturating_sub(age).unwrap_or_default().max(Timestamp::UNIX_EPOCH);
        if !forget(&mut self.session.client, (name, version), &self.tables, before).await? {
            self.forget_at = Instant::now() + PAUSE;
        }
        Ok(())
    }
}
