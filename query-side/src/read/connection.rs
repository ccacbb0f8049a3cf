//! Takes a connection out of the pool, and says how long that took.

use std::time::Instant;

use deadpool_postgres::{Object, Pool, PoolError};
use metrics::{Gauge, counter, gauge, histogram};

use crate::metrics::{POOL_MAX, POOL_TIMEOUTS, POOL_WAIT, POOL_WAITING};

/// A connection, as soon as one is free; an error after the pool's own time.
pub(super) async fn connection(pool: &Pool) -> Result<Object, PoolError> {
    #[expect(clippy::cast_precision_loss, reason = "no pool is so large")]
    gauge!(POOL_MAX).set(pool.status().max_size as f64);
    let began = Instant::now();
    let waiting = Waiting::begin();
    let taken = pool.get().await;
    drop(waiting);
    histogram!(POOL_WAIT).record(began.elapsed().as_secs_f64());
    if matches!(taken, Err(PoolError::Timeout(_))) {
        counter!(POOL_TIMEOUTS).increment(1);
    }
    taken
}

/// One who waits, until it is dropped: also when the request goes away.
struct Waiting(Gauge);

impl Waiting {
    fn begin() -> Self {
        let waiting = gauge!(POOL_WAITING);
        waiting.increment(1.0);
        Self(waiting)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}
