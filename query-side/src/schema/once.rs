//! What several fields of an answer need and one of them reads.

use contract::ApiError;
use tokio::sync::OnceCell;

use crate::error::Failure;

/// Read by whoever asks first, while the others wait; what it is, or why there is none, is the same for all.
#[derive(Debug)]
pub(super) struct Once<T>(OnceCell<Result<T, ApiError>>);

impl<T> Default for Once<T> {
    fn default() -> Self {
        Self(OnceCell::new())
    }
}

impl<T> Once<T> {
    /// The value, for which `read` runs unless it is there.
    pub(super) async fn get(&self, read: impl Future<Output = Result<T, Failure>>) -> Result<&T, Failure> {
        let read = async || read.await.map_err(|Failure(error)| error);
        self.0.get_or_init(read).await.as_ref().map_err(|error| Failure(error.clone()))
    }
}
