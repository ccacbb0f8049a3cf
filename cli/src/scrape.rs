//! What a process measures, read from its `/metrics`.

use std::collections::HashMap;

/// The values of one moment.
#[derive(Debug, Default)]
pub struct Scrape {
    /// By name, each with its labels.
    metrics: HashMap<String, Vec<Series>>,
}

#[derive(Debug)]
struct Series {
    labels: Vec<(String, String)>,
    value: f64,
}

impl Scrape {
    /// Reads Prometheus' text format, as our own exporter writes it. Lines that are none are passed over, and so are the
    /// buckets of histograms, which are most of the text.
    pub fn read(text: &str) -> Self {
        let mut scrape = Self::default();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let Some((series, value)) = line.rsplit_once(' ') else { continue };
            let (name, labels) = series.split_once('{').unwrap_or((series, ""));
            let Ok(value) = value.parse() else { continue };
            if !name.ends_with("_bucket") {
                let labels = labels_of(labels);
                scrape.metrics.entry(name.to_owned()).or_default().push(Series { labels, value });
            }
        }
        scrape
    }

    /// The sum of all series of a name whose labels are these and any others; none when there is none.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let found = self.matching(name, labels).map(|series| series.value);
        found.fold(None, |sum, value| Some(sum.unwrap_or(0.0) + value))
    }

    /// The same where a label satisfies a condition.
    pub fn sum_where(&self, name: &str, label: &str, holds: impl Fn(&str) -> bool) -> f64 {
        let series = self.matching(name, &[]);
        series
            .filter(|series| series.label(label).is_some_and(&holds))
            .fold(0.0, |sum, series| sum + series.value)
    }

    /// The values of a label of a name, each once, in order.
    pub fn values_of(&self, name: &str, label: &str) -> Vec<String> {
        let mut found: Vec<_> =
            self.matching(name, &[]).filter_map(|series| series.label(label)).map(str::to_owned).collect();
        found.sort();
        found.dedup();
        found
    }

    /// The first value of a label whose series is 1, of a metric with one series for each value.
    pub fn which(&self, name: &str, labels: &[(&str, &str)], label: &str) -> Option<&str> {
        self.matching(name, labels).find(|series| series.value == 1.0)?.label(label)
    }

    fn matching(&self, name: &str, labels: &[(&str, &str)]) -> impl Iterator<Item = &Series> {
        let all = self.metrics.get(name).map_or(&[][..], Vec::as_slice);
        all.iter().filter(|series| labels.iter().all(|(name, value)| series.label(name) == Some(value)))
    }
}

impl Series {
    fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }
}

/// What stands between the braces: `name="value"`, parted by commas, with `\\`, `\"` and `\n` in values.
fn labels_of(text: &str) -> Vec<(String, String)> {
    let mut labels = Vec::new();
    let mut rest = text;
    while let Some((name, behind)) = rest.split_once("=\"") {
        let mut value = String::new();
        let mut characters = behind.char_indices();
        let end = loop {
            match characters.next() {
                Some((_, '\\')) => match characters.next() {
                    Some((_, 'n')) => value.push('\n'),
                    Some((_, other)) => value.push(other),
                    None => return labels,
                },
                Some((at, '"')) => break at + 1,
                Some((_, other)) => value.push(other),
                None => return labels,
            }
        };
        labels.push((name.trim_start_matches(',').trim().to_owned(), value));
        rest = &behind[end..];
    }
    labels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_the_exporter_is_read() {
        let text = "# HELP lag how late\n# TYPE lag gauge\nlag{projection=\"shop\"} 1.5\nlag{projection=\"a\\\"b\\\\,c\"} 2\n\
                    calls_total{route=\"/x\",status=\"200\"} 3\ncalls_total{route=\"/x\",status=\"500\"} 4\n\n\
                    took_bucket{le=\"1\"} 9\nup 1\nno number\n";
        let scrape = Scrape::read(text);
        assert_eq!(scrape.sum("lag", &[("projection", "shop")]), Some(1.5));
        assert_eq!(scrape.values_of("lag", "projection"), ["a\"b\\,c", "shop"]);
        assert_eq!(scrape.sum("calls_total", &[]), Some(7.0));
        assert_eq!(scrape.sum_where("calls_total", "status", |status| status.starts_with('5')), 4.0);
        assert_eq!(scrape.sum("calls_total", &[("status", "404")]), None);
        assert_eq!(scrape.sum("took_bucket", &[]), None);
        assert_eq!(scrape.which("up", &[], "state"), None);
        assert_eq!(scrape.which("lag", &[], "projection"), None);
    }
}
