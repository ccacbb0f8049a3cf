//! A collector of OpenTelemetry in this process: it keeps every span and log record that is sent to it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_server::{LogsService, LogsServiceServer};
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::trace::v1::Span;
use tokio::net::TcpListener;
use tonic::{Request, Response, Status};

/// The collector. Clones share what it has received.
#[derive(Debug, Clone)]
pub struct Collector {
    /// Where it listens.
    pub address: SocketAddr,
    received: Arc<Mutex<Received>>,
}

/// What has been sent so far.
#[derive(Debug, Clone, Default)]
pub struct Received {
    /// Spans, in the order of their arrival.
    pub spans: Vec<Span>,
    /// Log records.
    pub logs: Vec<LogRecord>,
    /// The attributes of who sent them.
    pub resources: Vec<KeyValue>,
}

impl Collector {
    /// Listens on a free port until the runtime ends.
    ///
    /// # Errors
    /// There is none.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let collector = Self { address: listener.local_addr()?, received: Arc::default() };
        let server = tonic::transport::Server::builder()
            .add_service(TraceServiceServer::new(collector.clone()))
            .add_service(LogsServiceServer::new(collector.clone()));
        let incoming = tonic::transport::server::TcpIncoming::from(listener);
        tokio::spawn(server.serve_with_incoming(incoming));
        Ok(collector)
    }

    /// What has been sent so far.
    #[must_use]
    pub fn received(&self) -> Received {
        self.locked().clone()
    }

    fn locked(&self) -> MutexGuard<'_, Received> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Received {
    /// The spans of a name.
    pub fn named<'r>(&'r self, name: &'r str) -> impl Iterator<Item = &'r Span> {
        self.spans.iter().filter(move |span| span.name == name)
    }

    /// The first span of a name within a trace.
    #[must_use]
    pub fn in_trace(&self, trace_id: &[u8], name: &str) -> Option<&Span> {
        self.spans.iter().find(|span| span.name == name && span.trace_id == trace_id)
    }
}

/// The value of an attribute as text; empty where there is none.
#[must_use]
pub fn text(attributes: &[KeyValue], key: &str) -> String {
    let found = attributes.iter().find(|attribute| attribute.key == key);
    match found.and_then(|found| found.value.clone()?.value) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::BoolValue(flag)) => flag.to_string(),
        Some(Value::DoubleValue(number)) => number.to_string(),
        _ => String::new(),
    }
}

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let mut received = self.locked();
        for sent in request.into_inner().resource_spans {
            received.resources.extend(sent.resource.into_iter().flat_map(|resource| resource.attributes));
            received.spans.extend(sent.scope_spans.into_iter().flat_map(|scope| scope.spans));
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl LogsService for Collector {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        let mut received = self.locked();
        for sent in request.into_inner().resource_logs {
            received.resources.extend(sent.resource.into_iter().flat_map(|resource| resource.attributes));
            received.logs.extend(sent.scope_logs.into_iter().flat_map(|scope| scope.log_records));
        }
        Ok(Response::new(ExportLogsServiceResponse::default()))
    }
}
