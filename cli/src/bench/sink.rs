//! A collector of OpenTelemetry that counts what it gets and forgets it, for a system whose telemetry goes somewhere.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use opentelemetry_proto::tonic::collector::logs::v1::logs_service_server::{LogsService, LogsServiceServer};
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

use crate::failure::Failure;

/// It listens until it is dropped.
pub struct Sink {
    /// Where.
    pub address: SocketAddr,
    counts: Counts,
    _serving: AbortOnDropHandle<Result<(), tonic::transport::Error>>,
}

#[derive(Clone, Default)]
struct Counts {
    spans: Arc<AtomicU64>,
    lines: Arc<AtomicU64>,
}

impl Sink {
    /// Listens on a free port.
    ///
    /// # Errors
    /// There is none.
    pub async fn start() -> Result<Self, Failure> {
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(|error| Failure::of(&error))?;
        let address = listener.local_addr().map_err(|error| Failure::of(&error))?;
        let counts = Counts::default();
        let server = tonic::transport::Server::builder()
            .add_service(TraceServiceServer::new(counts.clone()))
            .add_service(LogsServiceServer::new(counts.clone()));
        let serving = tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
        Ok(Self { address, counts, _serving: AbortOnDropHandle::new(serving) })
    }

    /// Spans so far.
    pub fn spans(&self) -> u64 {
        self.counts.spans.load(Ordering::Relaxed)
    }

    /// Log lines so far.
    pub fn lines(&self) -> u64 {
        self.counts.lines.load(Ordering::Relaxed)
    }
}

fn add(to: &AtomicU64, more: impl Iterator<Item = usize>) {
    to.fetch_add(more.map(|count| count as u64).sum(), Ordering::Relaxed);
}

#[tonic::async_trait]
impl TraceService for Counts {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let sent = request.into_inner().resource_spans;
        add(&self.spans, sent.iter().flat_map(|of| &of.scope_spans).map(|of| of.spans.len()));
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl LogsService for Counts {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        let sent = request.into_inner().resource_logs;
        add(&self.lines, sent.iter().flat_map(|of| &of.scope_logs).map(|of| of.log_records.len()));
        Ok(Response::new(ExportLogsServiceResponse::default()))
    }
}
