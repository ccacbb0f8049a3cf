//! `headwater bench`: measures, and cleans up also when Ctrl-C ends it.

use crate::bench;
use crate::bench::flags::Benchmark;
use crate::failure::Failure;

/// Measures what is asked for.
pub async fn run(benchmark: Benchmark) -> Result<(), Failure> {
    let measuring = async {
        match &benchmark {
            Benchmark::Import(flags) => bench::import(flags).await,
            Benchmark::Start(flags) => bench::start(flags).await,
            Benchmark::Telemetry(flags) => bench::telemetry(flags).await,
            Benchmark::Projections(flags) => bench::projections(flags).await,
            Benchmark::Live(flags) => bench::live(flags).await,
            Benchmark::Switches(flags) => bench::switches(flags).await,
            Benchmark::Node(flags) => bench::node(flags).await,
        }
    };
    tokio::select! {
        outcome = measuring => outcome,
        _ = tokio::signal::ctrl_c() => Err(Failure::run("stopped; what was measured so far is not kept")),
    }
}
