//! Traces as a collector receives them. The standard variables belong to a process, so a second one of this very
//! test binary is the traced service, and the test is its collector.

use std::net::SocketAddr;
use std::process::{Command, Stdio};

use observability::recent::Kind;
use observability::{TelemetryConfig, propagation};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use system_tests::collector::Collector;
use tracing::Instrument as _;

use crate::{config, serve, things};

const CALLER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const TRACE_ID: &str = "0af7651916cd43dd8448eb211c80319c";

/// Set in the process that is the traced service.
const IS_SERVICE: &str = "OBSERVABILITY_TEST_IS_SERVICE";

/// Set where the service is to remember what happened lately, and to say how much it remembers.
const REMEMBERS: &str = "OBSERVABILITY_TEST_REMEMBERS";

async fn collect() -> (SocketAddr, Collector) {
    let collector = Collector::start().await.unwrap();
    (collector.address, collector)
}

/// Runs [`the_traced_service`] in a process of its own and gives its log lines.
async fn run_traced_service(variables: &[(&str, String)]) -> Vec<serde_json::Value> {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "otlp::the_traced_service", "--nocapture"]).env(IS_SERVICE, "1");
    command.envs(variables.iter().map(|(name, value)| (name, value))).stdout(Stdio::null());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{log}");
    log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// The service of the tests below: it does its work only in the process that they start for it.
#[tokio::test]
async fn the_traced_service() {
    if std::env::var_os(IS_SERVICE).is_none() {
        return;
    }
    let recent_bytes = if std::env::var_os(REMEMBERS).is_some() { 1 << 20 } else { 0 };
    let telemetry = observability::init(&TelemetryConfig { recent_bytes, ..config() }).unwrap();
    let address = serve(things()).await;
    let request = reqwest::Client::new().get(format!("http://{address}/things/17?q=hidden-query"));
    request.header("traceparent", CALLER).send().await.unwrap();

    let append = tracing::info_span!("append");
    let traced = async { propagation::current() }.instrument(append).await;
    let batch = tracing::info_span!(parent: None, "process catalogue", otel.kind = "consumer");
    batch.in_scope(|| {
        if let Some(traced) = &traced {
            propagation::link_current_span_to(&traced.traceparent);
        }
        propagation::link_current_span_to("00-00000000000000000000000000000000-0000000000000000-01");
        tracing::info!(traceparent = traced.map(|traced| traced.traceparent), "folded");
    });
    drop(batch);
    if let Some(recent) = telemetry.recent() {
        let requests = recent.requests(Kind::Recent);
        let spans = requests.first().and_then(|request| recent.trace(&request.trace_id));
        tracing::info!(requests = requests.len(), spans = spans.map(|spans| spans.len()), "remembered");
    }
    telemetry.shutdown().await;
}

#[tokio::test]
async fn spans_reach_the_collector_with_parents_links_and_names_by_convention() {
    let (address, collector) = collect().await;
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{address}"));
    let log = run_traced_service(&[endpoint]).await;
    let spans = collector.received().spans;
    let named = |name: &str| {
        spans.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("no span {name} in {spans:?}"))
    };

    let server = named("GET /things/{id}");
    assert_eq!(
        (hex(&server.trace_id), hex(&server.parent_span_id).as_str(), server.kind),
        (TRACE_ID.into(), "b7ad6b7169203331", 2)
    );
    let attribute = |key: &str| {
        server
            .attributes
            .iter()
            .find(|attribute| attribute.key == key)
            .and_then(|found| found.value.clone()?.value)
    };
    assert_eq!(attribute("http.response.status_code"), Some(Value::IntValue(200)));
    assert_eq!(attribute("http.route"), Some(Value::StringValue("/things/{id}".into())));
    assert_eq!(attribute("url.path"), Some(Value::StringValue("/things/17".into())));

    let (append, batch) = (named("append"), named("process catalogue"));
    assert_eq!((batch.parent_span_id.as_slice(), batch.kind), (&[][..], 5));
    assert_eq!(batch.links.len(), 1, "an all-zero context is no link");
    assert_eq!((&batch.links[0].trace_id, &batch.links[0].span_id), (&append.trace_id, &append.span_id));

    let line = |message: &str| log.iter().find(|line| line["message"] == message).cloned().unwrap();
    let (request, folded) = (line("request"), line("folded"));
    assert_eq!(request["trace_id"], TRACE_ID);
    assert_eq!((&request["route"], &request["status"]), (&"/things/{id}".into(), &200.into()));
    assert_eq!(request["position"], "0000000a-17");
    assert_eq!(folded["trace_id"], hex(&batch.trace_id));
    let traceparent = format!("00-{}-{}-01", hex(&append.trace_id), hex(&append.span_id));
    assert_eq!(folded["traceparent"], traceparent);
    assert!(!format!("{spans:?}{log:?}").contains("hidden-query"), "query strings are nobody's business");
}

#[tokio::test]
async fn nothing_is_traced_unless_the_variables_ask_for_it() {
    let (address, collector) = collect().await;
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{address}"));
    for variables in [vec![], vec![endpoint, ("OTEL_SDK_DISABLED", "true".to_owned())]] {
        let log = run_traced_service(&variables).await;
        let folded = log.iter().find(|line| line["message"] == "folded").unwrap();
        assert_eq!((folded.get("traceparent"), folded.get("trace_id")), (None, None));
    }
    assert!(collector.received().spans.is_empty());
}

#[tokio::test]
async fn the_sampler_of_the_environment_is_used() {
    let (address, collector) = collect().await;
    let variables = [
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", format!("http://{address}")),
        ("OTEL_TRACES_SAMPLER", "always_off".to_owned()),
    ];
    run_traced_service(&variables).await;
    assert!(collector.received().spans.is_empty());
}

#[tokio::test]
async fn what_is_not_sampled_is_remembered_and_not_exported() {
    let (address, collector) = collect().await;
    let mut variables = vec![
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", format!("http://{address}")),
        ("OTEL_TRACES_SAMPLER", "always_off".to_owned()),
        (REMEMBERS, "1".to_owned()),
    ];
    let remembered = |log: Vec<serde_json::Value>| {
        let line = log.into_iter().find(|line| line["message"] == "remembered").unwrap();
        (line["requests"].clone(), line["spans"].clone())
    };
    let one = || (1.into(), 1.into());
    assert_eq!(remembered(run_traced_service(&variables).await), one());
    assert!(collector.received().spans.is_empty(), "nothing that is not sampled is exported");
    variables.remove(1);
    assert_eq!(remembered(run_traced_service(&variables).await), one());
    assert_eq!(collector.received().spans.len(), 3, "what is sampled is");
    variables.remove(0);
    assert_eq!(remembered(run_traced_service(&variables).await), one());
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
