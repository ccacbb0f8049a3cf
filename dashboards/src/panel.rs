//! A panel: what it shows, in which unit, and when it is worth a colour.

use serde_json::{Value, json};

/// The selector that every query has, written `{@}` in expressions.
const SELECTOR: &str = r#"job=~"$job", instance=~"$instance""#;

/// How a panel shows its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Lines over time.
    TimeSeries,
    /// One number now.
    Stat,
    /// A row for each series.
    Table,
}

/// One query of a panel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// PromQL, with Grafana's variables in it.
    pub expr: String,
    /// The name of its lines.
    pub legend: &'static str,
}

/// A panel.
#[derive(Debug, Clone, PartialEq)]
pub struct Panel {
    /// Its title, unique on its dashboard.
    pub title: &'static str,
    /// What it means, for who sees it the first time.
    pub description: &'static str,
    kind: Kind,
    /// Grafana's name of the unit.
    unit: &'static str,
    /// Its queries.
    pub targets: Vec<Target>,
    /// From which value on it is worth a look, and from which on an alarm; with those the wrong way round, below them.
    thresholds: Option<(f64, f64)>,
    /// The names of values, such as 0 and 1.
    mappings: &'static [(&'static str, &'static str)],
    runbook: Option<&'static str>,
    /// Whether it is as wide as the dashboard.
    pub wide: bool,
}

/// Lines over time.
#[must_use]
pub fn lines(title: &'static str, unit: &'static str, description: &'static str) -> Panel {
    Panel::new(Kind::TimeSeries, title, unit, description)
}

/// One number.
#[must_use]
pub fn stat(title: &'static str, unit: &'static str, description: &'static str) -> Panel {
    Panel::new(Kind::Stat, title, unit, description)
}

/// Rows.
#[must_use]
pub fn table(title: &'static str, unit: &'static str, description: &'static str) -> Panel {
    Panel::new(Kind::Table, title, unit, description)
}

impl Panel {
    fn new(kind: Kind, title: &'static str, unit: &'static str, description: &'static str) -> Self {
        Self {
            title,
            description,
            kind,
            unit,
            targets: Vec::new(),
            thresholds: None,
            mappings: &[],
            runbook: None,
            wide: false,
        }
    }

    /// With a query; `{@}` and `{@, …}` stand for the selector of the dashboard's variables.
    #[must_use]
    pub fn query(mut self, legend: &'static str, expr: &str) -> Self {
        self.targets.push(Target { expr: expr.replace('@', SELECTOR), legend });
        self
    }

    /// With the 50th, 95th and 99th percentile of a histogram, of everything that the selector picks.
    #[must_use]
    pub fn percentiles(self, histogram: &str, selector: &str) -> Self {
        [("p50", "0.5"), ("p95", "0.95"), ("p99", "0.99")].into_iter().fold(self, |panel, (legend, q)| {
            panel.query(
                legend,
                &format!(
                    "histogram_quantile({q}, sum by (le) (rate({histogram}_bucket{{{selector}}}[$__rate_interval])))"
                ),
            )
        })
    }

    /// With the value from which on it is worth a look, and that of an alarm. The other way round it is from them down.
    #[must_use]
    pub fn thresholds(mut self, look: f64, alarm: f64) -> Self {
        self.thresholds = Some((look, alarm));
        self
    }

    /// With words in place of values, so that colour is not all that tells.
    #[must_use]
    pub fn words(mut self, words: &'static [(&'static str, &'static str)]) -> Self {
        self.mappings = words;
        self
    }

    /// With the page that says what to do about it, by its alert.
    #[must_use]
    pub fn runbook(mut self, alert: &'static str) -> Self {
        self.runbook = Some(alert);
        self
    }

    /// As wide as the dashboard.
    #[must_use]
    pub fn wide(mut self) -> Self {
        self.wide = true;
        self
    }

    /// Its height in rows of the grid.
    #[must_use]
    pub fn height(&self) -> u64 {
        if self.kind == Kind::Stat { 4 } else { 8 }
    }

    /// Its width in columns of the grid, of 24.
    #[must_use]
    pub fn width(&self) -> u64 {
        match self.kind {
            _ if self.wide => 24,
            Kind::Stat => 6,
            Kind::TimeSeries | Kind::Table => 12,
        }
    }

    /// As Grafana reads it, with what it links to; `otherwise` is the alert of a panel that names none.
    #[must_use]
    pub fn to_json(
        &self,
        id: u64,
        (x, y): (u64, u64),
        links: &[Value],
        otherwise: Option<&'static str>,
    ) -> Value {
        let description = match self.runbook.or(otherwise) {
            Some(alert) => format!("{} What to do: {}", self.description, crate::alert::runbook(alert)),
            None => self.description.to_owned(),
        };
        let instant = self.kind != Kind::TimeSeries;
        let targets: Vec<_> = self
            .targets
            .iter()
            .zip('A'..='Z')
            .map(|(target, letter)| {
                json!({
                    "refId": letter.to_string(),
                    "datasource": datasource(),
                    "editorMode": "code",
                    "expr": target.expr,
                    "legendFormat": target.legend,
                    "exemplar": target.expr.contains("histogram_quantile"),
                    "instant": instant,
                    "range": !instant,
                    "format": if self.kind == Kind::Table { "table" } else { "time_series" },
                })
            })
            .collect();
        json!({
            "id": id,
            "type": match self.kind { Kind::TimeSeries => "timeseries", Kind::Stat => "stat", Kind::Table => "table" },
            "title": self.title,
            "description": description,
            "links": links,
            "datasource": datasource(),
            "gridPos": { "x": x, "y": y, "w": self.width(), "h": self.height() },
            "fieldConfig": { "defaults": self.field_defaults(), "overrides": [] },
            "options": self.options(),
            "targets": targets,
        })
    }

    fn field_defaults(&self) -> Value {
        let mut defaults = json!({
            "unit": self.unit,
            "noValue": "no data",
            "color": { "mode": if self.thresholds.is_some() && self.kind == Kind::Stat { "thresholds" } else { "palette-classic" } },
            "thresholds": { "mode": "absolute", "steps": self.steps() },
            "mappings": [],
        });
        if !self.mappings.is_empty() {
            let options: serde_json::Map<_, _> = self
                .mappings
                .iter()
                .map(|(value, text)| ((*value).to_owned(), json!({ "text": text })))
                .collect();
            defaults["mappings"] = json!([{ "type": "value", "options": options }]);
        }
        if self.kind == Kind::TimeSeries {
            let style = if self.thresholds.is_some() { "dashed" } else { "off" };
            defaults["custom"] =
                json!({ "fillOpacity": 10, "showPoints": "never", "thresholdsStyle": { "mode": style } });
        }
        defaults
    }

    fn steps(&self) -> Value {
        match self.thresholds {
            None => json!([{ "color": "green", "value": null }]),
            Some((look, alarm)) if look <= alarm => json!([
                { "color": "green", "value": null },
                { "color": "orange", "value": look },
                { "color": "red", "value": alarm },
            ]),
            Some((look, alarm)) => json!([
                { "color": "red", "value": null },
                { "color": "orange", "value": alarm },
                { "color": "green", "value": look },
            ]),
        }
    }

    fn options(&self) -> Value {
        match self.kind {
            Kind::TimeSeries => json!({
                "legend": { "displayMode": "table", "placement": "bottom", "calcs": ["lastNotNull", "max"] },
                "tooltip": { "mode": "multi", "sort": "desc" },
            }),
            Kind::Stat => json!({
                "reduceOptions": { "calcs": ["lastNotNull"], "fields": "", "values": false },
                "textMode": "auto",
                "colorMode": "value",
                "graphMode": "none",
            }),
            Kind::Table => json!({ "showHeader": true }),
        }
    }
}

/// The data source that the dashboard's variable names.
#[must_use]
pub fn datasource() -> Value {
    json!({ "type": "prometheus", "uid": "${datasource}" })
}
