//! What `up` says once it is ready: where everything is, and something to try.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::config::{masked, reachable};
use crate::sample::SOURCE;

/// Where everything is.
#[derive(Debug)]
pub struct Welcome {
    /// The data directory.
    pub data_dir: PathBuf,
    /// REST and GraphQL.
    pub public: SocketAddr,
    /// Metrics and health.
    pub admin: SocketAddr,
    /// Payment and shipping to try out, if they run here.
    pub sandbox: Option<SocketAddr>,
    /// The log's connection string.
    pub log_url: String,
    /// The database's URL.
    pub database_url: String,
}

impl Welcome {
    /// Where a client on this machine finds REST and GraphQL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", reachable(self.public))
    }

    /// Prints it to standard output. Nobody may be there to read it, and that is no reason to stop.
    pub fn print(&self, took: Duration, has_sample: bool) {
        let mut out = std::io::stdout().lock();
        let _ = out.write_all(self.text(took, has_sample).as_bytes()).and_then(|()| out.flush());
    }

    fn text(&self, took: Duration, has_sample: bool) -> String {
        let (public, admin) = (reachable(self.public), reachable(self.admin));
        let mut rows = vec![
            ("REST", format!("http://{public}/v1"), format!("docs at http://{public}/docs")),
            ("GraphQL", format!("http://{public}/graphql"), format!("try it at http://{public}/graphiql")),
            ("Event log", masked(&self.log_url), "for any EventStoreDB client".to_owned()),
            ("Database", masked(&self.database_url), "psql takes this URL".to_owned()),
            (
                "Operations",
                format!("http://{admin}/ops"),
                "also /metrics, /live, /ready, /log-level".to_owned(),
            ),
        ];
        if let Some(sandbox) = self.sandbox {
            let address = format!("http://{}/ledger", reachable(sandbox));
            rows.push(("Sandbox", address, "payment and shipping; what was asked of them".to_owned()));
        }
        let width = rows.iter().map(|(_, address, _)| address.len()).max().unwrap_or_default();
        let mut text = format!(
            "\nheadwater {} is ready after {:.1} s. Its data is in {}.\n\n",
            env!("CARGO_PKG_VERSION"),
            took.as_secs_f64(),
            self.data_dir.display()
        );
        for (what, address, note) in rows {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "  {what:<10}  {address:<width$}  {note}");
        }
        text.push_str(&if has_sample { sample_to_try(public) } else { something_to_try(public) });
        text.push_str("\nCtrl-C stops it; everything is there again at the next start.\n\n");
        text
    }
}

/// A question that the sample answers.
fn sample_to_try(public: SocketAddr) -> String {
    format!(
        r#"
A small shop is in it (sample: {SOURCE}). Search it, misspelt:

  curl -s http://{public}/graphql -H 'content-type: application/json' \
    -d '{{"query": "{{ searchProducts(text: \"wite lantren\", first: 3) {{ totalCount nodes {{ sku name price {{ amount currency }} available }} }} }}"}}'
"#
    )
}

/// A command and a question about it, for an empty shop.
fn something_to_try(public: SocketAddr) -> String {
    format!(
        r#"
Try it. List a product:

  curl -s http://{public}/v1/products -H 'content-type: application/json' \
    -d '{{"sku": "MUG-1", "name": "Blue mug", "price": {{"amount": "4.50", "currency": "GBP"}}}}'

and ask for it:

  curl -s http://{public}/graphql -H 'content-type: application/json' \
    -d '{{"query": "{{ product(sku: \"MUG-1\") {{ sku name price {{ amount currency }} onHand }} }}"}}'
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_stands_there_and_no_password() {
        let welcome = Welcome {
            data_dir: "/var/lib/headwater".into(),
            public: "0.0.0.0:8080".parse().unwrap(),
            admin: "127.0.0.1:9464".parse().unwrap(),
            sandbox: Some("127.0.0.1:8090".parse().unwrap()),
            log_url: "esdb://admin:changeit@log:2113".into(),
            database_url: "postgres://ann:s3cret@db/shop".into(),
        };
        let text = welcome.text(Duration::from_millis(1234), false);
        for part in [
            "after 1.2 s",
            "/var/lib/headwater",
            "http://127.0.0.1:8080/graphiql",
            "http://127.0.0.1:9464/ops",
            "http://127.0.0.1:8090/ledger",
        ] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
        assert!(welcome.text(Duration::ZERO, true).contains("CC BY 4.0"));
        assert!(!text.contains("changeit") && !text.contains("s3cret"), "{text}");
    }
}
