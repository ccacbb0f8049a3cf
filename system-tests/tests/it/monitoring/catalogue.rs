//! `docs/metrics.md` says what the code says, and every label has a closed set of values.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use contract::ErrorCode;
use domain::{ShopEvent, order, payment, product, returns, shipment, stock, user};
use observability::{Label, MetricDef, MetricKind, MetricUnit, Values};
use serde_json::Value;

use crate::root;

/// Set to write the page anew instead of comparing it.
const UPDATE: &str = "UPDATE_METRICS";
const PAGE: &str = "docs/metrics.md";

const INTRODUCTION: &str = "\
# Metrics

Every metric that `/metrics` on the admin port can serve, written from the catalogues in the code. A process serves
those of the roles that it runs, each from the first time that there is something to tell. Labels have closed sets of
values: none is an id, a stream, a path or a text that a client sends.
";

/// Every metric of the binary.
pub(super) fn metrics() -> Vec<&'static MetricDef> {
    cli::telemetry::all_catalogues().flatten().collect()
}

/// What a label can say, from the code that declares it.
pub(super) fn allows(label: &Label, value: &str) -> bool {
    let one_of = |names: BTreeSet<String>| names.contains(value);
    let names = |names: &[&str]| names.contains(&value);
    match label.values {
        Values::OneOf(values) => values.contains(&value),
        Values::Each("projection, sagas among them") => {
            one_of(sagas().chain(read_model::PROJECTIONS.iter().map(|view| view.name.to_owned())).collect())
        }
        Values::Each("saga") => one_of(sagas().collect()),
        Values::Each("event type of the domain") => ShopEvent::types().any(|known| known.name == value),
        Values::Each("aggregate") => names(&[
            order::CATEGORY,
            payment::CATEGORY,
            product::CATEGORY,
            returns::CATEGORY,
            shipment::CATEGORY,
            stock::CATEGORY,
            user::CATEGORY,
        ]),
        Values::Each("command") => operations().contains(&value.replace('-', "_")),
        Values::Each("command of a saga") => names(SAGA_COMMANDS),
        Values::Each("field of the schema that gives objects") => is_field(value),
        Values::Each("error code") => ErrorCode::ALL.iter().any(|code| code.as_str() == value),
        Values::Each("route, and `unmatched` for all others") => {
            value == "unmatched" || names(PAGES) || openapi()["paths"].get(value).is_some()
        }
        Values::Each("status of HTTP") => value.parse().is_ok_and(|status| (100..600).contains(&status)),
        Values::Each("version of the binary") => value == env!("CARGO_PKG_VERSION"),
        Values::Each(other) => panic!("nobody knows what `{other}` are: say it here"),
    }
}

/// Routes that are no part of the REST interface.
const PAGES: &[&str] =
    &["/", "/graphql", "/graphiql", "/graphiql/{*file}", "/docs", "/docs/", "/docs/{*rest}", "/openapi.json"];

const SAGA_COMMANDS: &[&str] = &[
    "RESERVE_STOCK",
    "RELEASE_STOCK",
    "SHIP_STOCK",
    "MARK_RESERVED",
    "MARK_PAID",
    "MARK_SHIPPED",
    "MARK_DELIVERED",
    "CANCEL_ORDER",
    "REQUEST_PAYMENT",
    "AUTHORIZE_PAYMENT",
    "CAPTURE_PAYMENT",
    "DECLINE_PAYMENT",
    "VOID_PAYMENT",
    "REFUND_PAYMENT",
    "REQUEST_SHIPMENT",
    "DISPATCH_SHIPMENT",
    "FAIL_SHIPMENT",
    "TRACK_DELIVERY",
    "RESTOCK_STOCK",
    "MARK_RESTOCKED",
    "MARK_REFUNDED",
];

fn sagas() -> impl Iterator<Item = String> {
    process_managers::tables().into_iter().map(|(name, _, _)| name.to_owned())
}

fn openapi() -> Value {
    let text = std::fs::read_to_string(root().join("command-side/openapi.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Whether the schema of GraphQL has a field, told as `Type.field`.
fn is_field(value: &str) -> bool {
    let Some((object, field)) = value.split_once('.') else { return false };
    let schema = std::fs::read_to_string(root().join("query-side/schema.graphql")).unwrap();
    let is_begun = |line: &&str| line.starts_with(&format!("type {object} "));
    let mut fields = schema.lines().skip_while(|line| !is_begun(line)).take_while(|line| *line != "}");
    fields.any(|line| {
        let line = line.trim_start();
        line.strip_prefix(field).is_some_and(|rest| rest.starts_with([':', '(']))
    })
}

fn operations() -> BTreeSet<String> {
    let document = openapi();
    let paths = document["paths"].as_object().unwrap().values();
    let methods = paths.flat_map(|path| path.as_object().unwrap().values());
    methods.filter_map(|method| method["operationId"].as_str().map(ToOwned::to_owned)).collect()
}

fn page() -> String {
    let mut metrics = metrics();
    metrics.sort_by_key(|metric| metric.name);
    let mut out = String::from(INTRODUCTION);
    let mut family = "";
    for metric in metrics {
        let prefix = metric.name.split('_').next().unwrap_or_default();
        if prefix != family {
            family = prefix;
            write!(
                out,
                "\n## {family}\n\n| metric | kind | unit | labels | meaning |\n|---|---|---|---|---|\n"
            )
            .unwrap();
        }
        let kind = match metric.kind {
            MetricKind::Counter => "counter",
            MetricKind::Gauge => "gauge",
            MetricKind::Histogram => "histogram",
        };
        let unit = match metric.unit {
            MetricUnit::Count => "",
            MetricUnit::Seconds => "seconds",
            MetricUnit::Bytes => "bytes",
            MetricUnit::Ratio => "ratio",
        };
        let labels: Vec<_> = metric.labels.iter().map(described).collect();
        let help = metric.help;
        writeln!(out, "| `{}` | {kind} | {unit} | {} | {help} |", metric.name, labels.join("; ")).unwrap();
    }
    out
}

fn described(label: &Label) -> String {
    let values = match label.values {
        Values::OneOf(values) => {
            values.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(", ")
        }
        Values::Each(what) => format!("each {what}"),
    };
    format!("`{}`: {values}", label.name)
}

#[test]
fn the_page_of_metrics_is_what_the_code_says() {
    let path = root().join(PAGE);
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(&path, page()).unwrap();
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        committed == page(),
        "{PAGE} is not what the code says; {UPDATE}=1 cargo test -p system-tests page_of_metrics writes it"
    );
}
