//! `headwater health`: whether a running process is ready, for who can start a program but not ask by HTTP.

use std::net::SocketAddr;
use std::time::Duration;

use serde::Deserialize;

use crate::config::{Config, Setting, reachable};
use crate::failure::Failure;
use crate::print;

/// How long an answer may take. It comes from memory, so a process that takes longer is not well.
const WITHIN: Duration = Duration::from_secs(5);

/// What `/ready` answers, as far as it is told.
#[derive(Deserialize)]
struct Answer {
    waiting: Vec<String>,
}

/// Asks once. The address listened on may be every address of the machine; it is asked on this one.
pub async fn run(config: &Config) -> Result<(), Failure> {
    ask(reachable(config.admin_listen)).await?;
    print("ready\n")
}

async fn ask(admin: SocketAddr) -> Result<(), Failure> {
    let http = reqwest::Client::builder().timeout(WITHIN).no_proxy().build();
    let http = http.map_err(|error| Failure::of(&error))?;
    let answer = http.get(format!("http://{admin}/ready")).send().await.map_err(|_| {
        Failure::run(format!("nobody answers at {admin}")).hint(format!(
            "name the admin address of a running process with --{}",
            Setting::AdminListen.name()
        ))
    })?;
    if answer.status().is_success() {
        return Ok(());
    }
    let status = answer.status();
    Err(Failure::run(match answer.json::<Answer>().await {
        Ok(Answer { waiting }) => format!("not ready: waiting for {}", waiting.join(", ")),
        Err(_) => format!("{admin} answers {status}, which a process of headwater does not"),
    }))
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::http::StatusCode;
    use axum::routing::get;
    use tokio::net::TcpListener;

    use super::*;

    async fn asked(status: StatusCode, body: &'static str) -> Result<(), String> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/ready", get(move || async move { (status, body) }));
        let server = tokio::spawn(async { axum::serve(listener, router).await });
        let answer = ask(address).await.map_err(|failure| failure.to_string());
        server.abort();
        answer
    }

    #[tokio::test]
    async fn ready_is_what_the_process_says() {
        assert_eq!(asked(StatusCode::OK, r#"{"ready":true,"waiting":[]}"#).await, Ok(()));
        let waits = r#"{"ready":false,"waiting":["event log","projection shop"]}"#;
        let waits = asked(StatusCode::SERVICE_UNAVAILABLE, waits).await.unwrap_err();
        assert!(waits.contains("waiting for event log, projection shop"), "{waits}");
        let other = asked(StatusCode::NOT_FOUND, "nothing here").await.unwrap_err();
        assert!(other.contains("404"), "{other}");
    }

    #[tokio::test]
    async fn nobody_there_is_not_ready() {
        let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let failure = ask(gone).await.unwrap_err().to_string();
        assert!(failure.contains("nobody answers") && failure.contains("--admin-listen"), "{failure}");
    }
}
