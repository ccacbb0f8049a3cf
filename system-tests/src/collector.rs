//! A collector of OpenTelemetry in this process: it keeps every span and log record that is sent to it, by gRPC or by HTTP,
//! where others pack what they send.

use std::io::Read as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
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
use prost::Message;
use tokio::net::TcpListener;
use tonic::{Request, Response, Status};

/// The collector. Clones share what it has received.
#[derive(Debug, Clone)]
pub struct Collector {
    /// Where it takes OTLP over gRPC.
    pub address: SocketAddr,
    /// Where it takes OTLP over HTTP.
    pub http: SocketAddr,
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
    /// Listens on free ports until the runtime ends.
    ///
    /// # Errors
    /// There are none.
    pub async fn start() -> Result<Self> {
        let (listener, http) =
            (TcpListener::bind("127.0.0.1:0").await?, TcpListener::bind("127.0.0.1:0").await?);
        let (address, received) = (listener.local_addr()?, Arc::default());
        let collector = Self { address, http: http.local_addr()?, received };
        let server = tonic::transport::Server::builder()
            .add_service(TraceServiceServer::new(collector.clone()))
            .add_service(LogsServiceServer::new(collector.clone()));
        let incoming = tonic::transport::server::TcpIncoming::from(listener);
        tokio::spawn(server.serve_with_incoming(incoming));
        let router = Router::new()
            .route("/v1/traces", post(traces))
            .route("/v1/logs", post(logs))
            .with_state(collector.clone());
        tokio::spawn(axum::serve(http, router).into_future());
        Ok(collector)
    }

    /// What has been sent so far.
    #[must_use]
    pub fn received(&self) -> Received {
        self.locked().clone()
    }

    fn take_spans(&self, request: ExportTraceServiceRequest) {
        let mut received = self.locked();
        for sent in request.resource_spans {
            received.resources.extend(sent.resource.into_iter().flat_map(|resource| resource.attributes));
            received.spans.extend(sent.scope_spans.into_iter().flat_map(|scope| scope.spans));
        }
    }

    fn take_logs(&self, request: ExportLogsServiceRequest) {
        let mut received = self.locked();
        for sent in request.resource_logs {
            received.resources.extend(sent.resource.into_iter().flat_map(|resource| resource.attributes));
            received.logs.extend(sent.scope_logs.into_iter().flat_map(|scope| scope.log_records));
        }
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
        self.take_spans(request.into_inner());
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl LogsService for Collector {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        self.take_logs(request.into_inner());
        Ok(Response::new(ExportLogsServiceResponse::default()))
    }
}

async fn traces(State(collector): State<Collector>, body: Bytes) -> Result<(), StatusCode> {
    collector.take_spans(unpacked(&body)?);
    Ok(())
}

async fn logs(State(collector): State<Collector>, body: Bytes) -> Result<(), StatusCode> {
    collector.take_logs(unpacked(&body)?);
    Ok(())
}

/// What stands in a body that was packed by gzip.
fn unpacked<M: Message + Default>(body: &[u8]) -> Result<M, StatusCode> {
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(body)
        .read_to_end(&mut bytes)
        .map_err(|_| StatusCode::UNSUPPORTED_MEDIA_TYPE)?;
    M::decode(bytes.as_slice()).map_err(|_| StatusCode::BAD_REQUEST)
}
