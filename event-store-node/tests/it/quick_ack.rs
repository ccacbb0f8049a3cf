//! The official client sends an append as two small packets and waits, between them, for the first to be acknowledged
//! by the kernel. One that delays that, as it does by default, makes every append of a lone client take 40 ms and more.

use std::time::{Duration, Instant};

use eventstore::ExpectedRevision;

use crate::support::{event, expect, start, within};

/// Well above what an append and its sync take, and well below the shortest delay of a kernel.
const QUICK: Duration = Duration::from_millis(25);

/// The kernel acknowledges the first packets of a connection at once.
const WARM_UP: usize = 40;

const MEASURED: usize = 41;

#[tokio::test(flavor = "multi_thread")]
async fn appends_of_a_lone_client_do_not_wait_for_a_delayed_acknowledgement() {
    let running = start().await;
    let options = expect(ExpectedRevision::Any);
    let mut took = Vec::new();
    for n in 0..WARM_UP + MEASURED {
        let began = Instant::now();
        within(running.client.append_to_stream("lone", &options, event(n as u64))).await.unwrap();
        took.push(began.elapsed());
    }
    let mut measured = took.split_off(WARM_UP);
    measured.sort_unstable();
    // The median: a machine that is busy holds up one append or the other, the kernel's delay holds up all of them.
    assert!(measured[MEASURED / 2] < QUICK, "{measured:?}");
}
