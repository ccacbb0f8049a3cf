//! What is measured of the process as a whole, each time somebody asks for `/metrics`.

use std::path::PathBuf;

use metrics::gauge;
use tokio::runtime::Handle;

use crate::metric::MetricUnit::{Bytes, Count, Seconds};
use crate::metric::{Label, MetricDef};

pub(crate) const BUILD_INFO: &str = "headwater_build_info";
const DISK_FREE: &str = "headwater_disk_free_bytes";
const DISK_SIZE: &str = "headwater_disk_size_bytes";
const WORKERS: &str = "tokio_workers";
const TASKS: &str = "tokio_alive_tasks";
const QUEUED: &str = "tokio_global_queue_tasks";

/// Every metric of this module. Those of `process_` are recorded by the library [`metrics_process`].
pub const CATALOGUE: &[MetricDef] = &[
    MetricDef::gauge(BUILD_INFO, Count, "always 1; the version of the running binary")
        .by(&[Label::each("version", "version of the binary")]),
    MetricDef::gauge(DISK_FREE, Bytes, "what is free for this account where the data directory is"),
    MetricDef::gauge(DISK_SIZE, Bytes, "the size of the file system that the data directory is on"),
    MetricDef::gauge(WORKERS, Count, "threads that carry out the tasks of the process"),
    MetricDef::gauge(TASKS, Count, "tasks that have begun and have not ended"),
    MetricDef::gauge(QUEUED, Count, "tasks that could go on and that no thread has taken yet"),
    MetricDef::counter("process_cpu_seconds_total", Seconds, "time on a processor, of users and system"),
    MetricDef::gauge("process_resident_memory_bytes", Bytes, "memory in use"),
    MetricDef::gauge("process_virtual_memory_bytes", Bytes, "addresses in use"),
    MetricDef::gauge("process_virtual_memory_max_bytes", Bytes, "the most addresses that may be in use"),
    MetricDef::gauge("process_open_fds", Count, "open files and connections"),
    MetricDef::gauge("process_max_fds", Count, "the most files and connections that may be open"),
    MetricDef::gauge("process_threads", Count, "threads of the process"),
    MetricDef::gauge("process_start_time_seconds", Seconds, "when the process began, Unix time"),
];

/// Looks at the process and at the disk it writes to.
#[derive(Debug, Clone, Default)]
pub(crate) struct ProcessMetrics {
    process: metrics_process::Collector,
    /// A directory on the disk; none for a process that writes nothing.
    pub(crate) data_dir: Option<PathBuf>,
}

impl ProcessMetrics {
    /// Takes everything down as it is now.
    #[expect(clippy::cast_precision_loss, reason = "no machine has so much of anything")]
    pub(crate) fn collect(&self) {
        self.process.collect();
        if let Ok(runtime) = Handle::try_current() {
            let runtime = runtime.metrics();
            gauge!(WORKERS).set(runtime.num_workers() as f64);
            gauge!(TASKS).set(runtime.num_alive_tasks() as f64);
            gauge!(QUEUED).set(runtime.global_queue_depth() as f64);
        }
        // A disk that cannot be asked keeps its last numbers; what is wrong with it shows where it is written to.
        if let Some(disk) = self.data_dir.as_ref().and_then(|path| rustix::fs::statvfs(path).ok()) {
            gauge!(DISK_FREE).set(disk.f_bavail as f64 * disk.f_frsize as f64);
            gauge!(DISK_SIZE).set(disk.f_blocks as f64 * disk.f_frsize as f64);
        }
    }
}
