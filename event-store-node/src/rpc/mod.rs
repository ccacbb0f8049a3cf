//! The services of the client protocol, one file per call.

mod append;
mod batch_answer;
mod batch_append;
mod batch_deadline;
mod delete;
mod gossip;
mod monitoring;
mod operations;
mod persistent;
mod persistent_info;
mod persistent_read;
mod persistent_refuse;
mod persistent_settings;
mod propose;
mod read;
mod read_all;
mod read_stream;
mod refuse;
mod respond;
mod server_features;
mod subscribe_all;
mod subscribe_stream;
mod uuids;

use std::time::Duration;

use futures::stream::BoxStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

pub(crate) use gossip::GossipService;
pub(crate) use monitoring::MonitoringService;
pub(crate) use operations::OperationsService;
pub(crate) use persistent::PersistentSubscriptionsService;
pub(crate) use server_features::ServerFeaturesService;

use crate::proto::streams::streams_server::Streams;
use crate::proto::streams::{
    AppendReq, AppendResp, BatchAppendReq, BatchAppendResp, DeleteReq, DeleteResp, ReadReq, ReadResp,
    TombstoneReq, TombstoneResp,
};
use crate::storage::{Storage, StorageError};

/// Reads, appends and subscriptions.
#[derive(Debug)]
pub(crate) struct StreamsService {
    storage: Storage,
    stop: CancellationToken,
    write_timeout: Duration,
}

impl StreamsService {
    pub(crate) fn new(storage: Storage, stop: CancellationToken, write_timeout: Duration) -> Self {
        Self { storage, stop, write_timeout }
    }
}

#[tonic::async_trait]
impl Streams for StreamsService {
    type ReadStream = BoxStream<'static, Result<ReadResp, Status>>;
    type BatchAppendStream = BoxStream<'static, Result<BatchAppendResp, Status>>;

    async fn read(&self, request: Request<ReadReq>) -> Result<Response<Self::ReadStream>, Status> {
        let options = request.into_inner().options;
        read::read(&self.storage, &self.stop, options).await.map(Response::new)
    }

    async fn append(&self, request: Request<Streaming<AppendReq>>) -> Result<Response<AppendResp>, Status> {
        append::append(&self.storage, self.write_timeout, request.into_inner()).await.map(Response::new)
    }

    async fn batch_append(
        &self,
        request: Request<Streaming<BatchAppendReq>>,
    ) -> Result<Response<Self::BatchAppendStream>, Status> {
        let storage = self.storage.clone();
        let answers =
            batch_append::serve(storage, self.write_timeout, self.stop.clone(), request.into_inner());
        Ok(Response::new(answers))
    }

    async fn delete(&self, request: Request<DeleteReq>) -> Result<Response<DeleteResp>, Status> {
        let options = request.into_inner().options;
        delete::delete(&self.storage, self.write_timeout, options).await.map(Response::new)
    }

    async fn tombstone(&self, request: Request<TombstoneReq>) -> Result<Response<TombstoneResp>, Status> {
        let options = request.into_inner().options;
        delete::tombstone(&self.storage, self.write_timeout, options).await.map(Response::new)
    }
}

/// Runs a read of the storage where it may block.
async fn blocking<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, StorageError> + Send + 'static,
) -> Result<T, Status> {
    match tokio::task::spawn_blocking(read).await {
        Ok(result) => result.map_err(|error| refuse::storage(&error)),
        Err(_) => Err(refuse::stopping()),
    }
}
