//! A `headwater serve node` of this very binary, and a client of it.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use eventstore::{Client, EventData};

use super::EVENT_BYTES;
use crate::bench::process::{Process, Setup, free_addresses};
use crate::failure::Failure;

/// The running node.
pub struct Target {
    pub process: Process,
    pub client: Client,
}

impl Target {
    /// Starts it on free ports with its data in `data`, and says how long it took to be ready.
    ///
    /// # Errors
    /// It does not start.
    pub async fn start(data: &Path) -> Result<(Self, Duration), Failure> {
        let [node, admin] = free_addresses().map_err(|error| Failure::of(&error))?;
        let arguments: [OsString; 6] = [
            "serve".into(),
            "node".into(),
            "--data-dir".into(),
            data.into(),
            "--node-listen".into(),
            node.to_string().into(),
        ];
        let (process, took) =
            Process::start(arguments, admin, &data.with_extension("log"), &Setup::default()).await?;
        let settings = format!("esdb://{node}?tls=false").parse();
        let settings = settings.map_err(|error| Failure::run(format!("the address of the node: {error}")))?;
        let client = Client::new(settings).map_err(|error| failed(&error))?;
        Ok((Self { process, client }, took))
    }
}

/// An event of the usual size.
pub fn event() -> EventData {
    EventData::binary("Measured", Bytes::from_static(&[7; EVENT_BYTES]))
}

/// What the client says, as a failure.
pub fn failed(error: &eventstore::Error) -> Failure {
    Failure::run(format!("the node does not do what it is there for: {error}"))
}
