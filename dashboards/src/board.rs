//! A dashboard: rows of panels, laid out by themselves, with the variables, links and marks that all of them share.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use crate::panel::{Panel, datasource};

/// A row of panels under a heading.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The heading.
    pub title: &'static str,
    /// The panels, in reading order.
    pub panels: Vec<Panel>,
}

/// A dashboard.
#[derive(Debug, Clone, PartialEq)]
pub struct Board {
    /// Its address; it never changes.
    pub uid: &'static str,
    /// Its title.
    pub title: &'static str,
    /// What one sees there.
    pub description: &'static str,
    /// Whose metrics it shows.
    pub whose: Whose,
    /// Its rows.
    pub rows: Vec<Row>,
}

/// Whose metrics a dashboard shows: by that it picks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// Of Headwater's own processes.
    Headwater,
    /// Of services beside it: the names of their scrape jobs, as an expression.
    Others(&'static str),
}

/// The columns of Grafana's grid.
const COLUMNS: u64 = 24;

impl Row {
    /// A row of panels.
    #[must_use]
    pub fn new(title: &'static str, panels: impl Into<Vec<Panel>>) -> Self {
        Self { title, panels: panels.into() }
    }
}

impl Board {
    /// Every panel.
    pub fn panels(&self) -> impl Iterator<Item = &Panel> {
        self.rows.iter().flat_map(|row| &row.panels)
    }

    /// As Grafana reads it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "uid": self.uid,
            "title": self.title,
            "description": self.description,
            "tags": [self.whose.tag()],
            "schemaVersion": 41,
            "editable": false,
            "graphTooltip": 1,
            "timezone": "browser",
            "time": { "from": "now-1h", "to": "now" },
            "refresh": "10s",
            "templating": { "list": self.whose.variables() },
            "annotations": { "list": self.whose.marks() },
            "links": self.whose.links(),
            "panels": self.panels_json(),
        })
    }

    fn panels_json(&self) -> Vec<Value> {
        let (links, otherwise) = (self.whose.panel_links(), self.whose.alert());
        let mut out = Vec::new();
        let mut y = 0;
        for row in &self.rows {
            out.push(json!({
                "id": out.len() + 1, "type": "row", "title": row.title, "collapsed": false, "panels": [],
                "gridPos": { "x": 0, "y": y, "w": COLUMNS, "h": 1 },
            }));
            y += 1;
            let (mut x, mut height) = (0, 0);
            for panel in &row.panels {
                // The next line begins where the panel has no room left, or is of another height.
                if x + panel.width() > COLUMNS || (x > 0 && panel.height() != height) {
                    (x, y) = (0, y + height);
                }
                height = panel.height();
                out.push(panel.to_json(out.len() as u64 + 1, (x, y), &links, otherwise));
                x += panel.width();
            }
            y += height;
        }
        out
    }
}

/// Grafana's page of logs for the jobs and the time of a dashboard. A job is called in logs as it is in metrics.
fn logs() -> String {
    let panes = json!({ "logs": {
        "datasource": "LOKI",
        "queries": [{ "refId": "A", "expr": r#"{service_name=~"JOB"}"# }],
        "range": { "from": "FROM", "to": "TO" },
    } });
    let encoded = utf8_percent_encode(&panes.to_string(), NON_ALPHANUMERIC).to_string();
    // Grafana puts these in, so they stand as they are.
    let url =
        [("LOKI", "${loki_datasource}"), ("JOB", "${job:pipe}"), ("FROM", "${__from}"), ("TO", "${__to}")]
            .into_iter()
            .fold(encoded, |url, (name, variable)| url.replace(name, variable));
    format!("/explore?schemaVersion=1&panes={url}")
}

/// The tag of the dashboards of Headwater's processes.
const OWN: &str = "headwater";

/// The tag of those of the services beside it.
const BESIDE: &str = "headwater-services";

impl Whose {
    fn tag(self) -> &'static str {
        match self {
            Self::Headwater => OWN,
            Self::Others(_) => BESIDE,
        }
    }

    fn variables(self) -> Value {
        let labels = |name: &str, label: &str, query: &str| {
            json!({
                "name": name, "label": label, "type": "query", "datasource": datasource(),
                "query": { "query": query, "refId": name }, "definition": query,
                "refresh": 2, "sort": 1, "multi": true, "includeAll": true, "allValue": ".+",
                "current": { "text": ["All"], "value": ["$__all"] },
            })
        };
        let (jobs, instances) = match self {
            Self::Headwater => (
                "label_values(headwater_build_info, job)".to_owned(),
                r#"label_values(headwater_build_info{job=~"$job"}, instance)"#.to_owned(),
            ),
            Self::Others(jobs) => (
                format!(r#"label_values(up{{job=~"{jobs}"}}, job)"#),
                format!(r#"label_values(up{{job=~"$job", job=~"{jobs}"}}, instance)"#),
            ),
        };
        let source = |name: &str, label: &str, of: &str| json!({ "name": name, "label": label, "type": "datasource", "query": of, "current": {} });
        let mut variables = vec![
            source("datasource", "Data source", "prometheus"),
            labels("job", "Job", &jobs),
            labels("instance", "Instance", &instances),
        ];
        if self == Self::Headwater {
            variables.push(source("loki_datasource", "Logs", "loki"));
        }
        Value::Array(variables)
    }

    /// What a panel leads to: the lines that the picked jobs wrote in the time it shows. Services beside Headwater send no logs.
    fn panel_links(self) -> Vec<Value> {
        match self {
            Self::Headwater => vec![json!({ "title": "Logs", "url": logs(), "targetBlank": true })],
            Self::Others(_) => Vec::new(),
        }
    }

    /// The alert whose page says what to do about a panel without one of its own.
    fn alert(self) -> Option<&'static str> {
        match self {
            Self::Headwater => None,
            Self::Others(_) => Some("ServiceDown"),
        }
    }

    /// What else happened: starts of Headwater's processes, and of rebuilds.
    fn marks(self) -> Value {
        let mark = |name: &str, colour: &str, expr: &str, text: &str| {
            json!({
                "name": name, "enable": true, "iconColor": colour, "datasource": datasource(),
                "expr": expr, "step": "30s", "titleFormat": name, "textFormat": text, "useValueForTime": true,
            })
        };
        // Other programs have a start too. On the dashboards of services the variables pick the services.
        let picked = match self {
            Self::Headwater => r#"{job=~"$job", instance=~"$instance", job=~"headwater.*"}"#,
            Self::Others(_) => r#"{job=~"headwater.*"}"#,
        };
        json!([
            mark(
                "Start",
                "blue",
                &format!("process_start_time_seconds{picked} * 1000"),
                "{{job}} {{instance}}",
            ),
            mark(
                "Rebuild",
                "purple",
                &format!("(projection_rebuild_start_timestamp_seconds{picked} > 0) * 1000"),
                "{{projection}}",
            ),
        ])
    }

    /// To all other dashboards. What is picked is kept only among those that pick from the same processes.
    fn links(self) -> Value {
        let to = |title: &str, tag: &str| {
            json!({
                "type": "dashboards", "title": title, "tags": [tag], "asDropdown": true,
                "includeVars": tag == OWN && self == Self::Headwater, "keepTime": true,
            })
        };
        json!([to("Headwater", OWN), to("Services", BESIDE)])
    }
}
