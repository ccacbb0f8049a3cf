//! `headwater verify`: folds the log once more, aside, and compares with what the tables hold.

use std::sync::Arc;
use std::time::Duration;

use engine::versions::{Phase, Progress, Verified, VerifiedView, Verify, VerifyError};
use tokio::time::sleep;

use super::projection::{database_and_log, named, pool, projection_in_use};
use crate::args::VerifyFlags;
use crate::bar::log_bar;
use crate::config::Config;
use crate::data_dir::DataDir;
use crate::failure::Failure;
use crate::print;
use crate::roles::open_vault;
use crate::table::table;

/// What rows may take in memory, bytes, about.
const MEMORY: usize = 128 * 1024 * 1024;

/// How often the bar moves.
const TICK: Duration = Duration::from_millis(100);

/// Verifies one projection after the other.
pub async fn run(config: &Config, flags: &VerifyFlags) -> Result<(), Failure> {
    let names = named(config, &flags.names, flags.all)?;
    let vault = open_vault(&DataDir::existing(&config.data_dir)?)?;
    let (database, log) = database_and_log(config).await?;
    let verified = async {
        let pool = pool(database.url())?;
        let mut all = Vec::new();
        for name in &names {
            let verify = Verify {
                projection: Arc::new(projection_in_use(config, &pool, name).await?),
                pool: pool.clone(),
                store: log.store().clone(),
                decoder: projections::decoder(vault.clone()),
                memory: MEMORY,
                progress: Arc::new(Progress::default()),
            };
            let progress = Arc::clone(&verify.progress);
            let verified = tokio::select! {
                verified = verify.run() => verified,
                never = show(name, &progress) => match never {},
            };
            all.push(verified.map_err(|error| failure(&error))?);
        }
        Ok(all)
    }
    .await;
    log.close().await;
    database.close().await?;
    tell(&verified?, flags.json)
}

/// Never ends: it is dropped with what it tells of.
async fn show(name: &str, progress: &Progress) -> std::convert::Infallible {
    let bar = log_bar(name);
    loop {
        bar.set_length(progress.target().0.max(1));
        bar.set_position(progress.position().0);
        let doing = match progress.phase() {
            Phase::Folding => "folding",
            Phase::Indexing | Phase::Checking | Phase::Done => "comparing",
        };
        bar.set_message(format!("{name}: {doing}"));
        sleep(TICK).await;
    }
}

fn failure(error: &VerifyError) -> Failure {
    let failure = Failure::of(error);
    match error {
        VerifyError::OtherFold { .. } => {
            failure.hint("give the settings that the running system has, such as --shop-timezone")
        }
        _ => failure,
    }
}

fn tell(all: &[Verified], json: bool) -> Result<(), Failure> {
    if json {
        let text = serde_json::to_string_pretty(all).map_err(|error| Failure::of(&error))?;
        print(&(text + "\n"))?;
    } else {
        print(&as_text(all))?;
    }
    let unsound: Vec<_> = all.iter().filter(|verified| !verified.is_sound()).collect();
    let Some(first) = unsound.first() else { return Ok(()) };
    Err(Failure::run(format!("the tables of {} are not what the log says", first.projection)).hint(format!(
        "`headwater rebuild {}` builds them anew; `verify` has changed nothing",
        first.projection
    )))
}

fn as_text(all: &[Verified]) -> String {
    let row = |verified: &Verified, view: &VerifiedView| {
        let verdict = if view.is_sound() { "same" } else { "NOT THE SAME" };
        [
            verified.projection.clone(),
            view.view.clone(),
            view.rows.to_string(),
            view.missing.to_string(),
            view.extra.to_string(),
            view.different.to_string(),
            verdict.to_owned(),
        ]
    };
    let rows: Vec<_> =
        all.iter().flat_map(|verified| verified.views.iter().map(move |view| row(verified, view))).collect();
    let mut text =
        table(["PROJECTION", "VIEW", " ROWS", " MISSING", " EXTRA", " DIFFERENT", "VERDICT"], &rows);
    for verified in all.iter().filter(|verified| verified.left_out_keys > 0) {
        text.push_str(&format!(
            "{}: not compared because they are or were parked: {} rows, and {} sums to which they contribute\n",
            verified.projection, verified.left_out_keys, verified.left_out_sums
        ));
    }
    for view in all.iter().flat_map(|verified| &verified.views).filter(|view| !view.is_sound()) {
        let columns: Vec<&str> = view.columns.iter().map(String::as_str).collect();
        let mut parts = Vec::new();
        if !columns.is_empty() {
            parts.push(format!("columns {}", columns.join(", ")));
        }
        if !view.keys.is_empty() {
            parts.push(format!("keys such as {}", view.keys.join(", ")));
        }
        if !view.checksums_fit {
            parts.push("its checksums are not those of its rows".to_owned());
        }
        text.push_str(&format!("{}: {}\n", view.view, parts.join("; ")));
    }
    text
}

#[cfg(test)]
mod tests {
    use contract::LogPosition;

    use super::*;

    #[test]
    fn a_view_that_is_not_what_the_log_says_is_told_apart() {
        let view = |different, checksums_fit| VerifiedView {
            view: "orders".to_owned(),
            rows: 7,
            different,
            columns: if different > 0 { ["status".to_owned()].into() } else { [].into() },
            keys: if different > 0 { vec!["k1".to_owned()] } else { vec![] },
            checksums_fit,
            ..VerifiedView::default()
        };
        let verified = |view| Verified {
            projection: "shop".to_owned(),
            version: 1,
            position: LogPosition(9),
            events: 12,
            left_out_keys: 0,
            left_out_sums: 0,
            views: vec![view],
        };
        let text = as_text(&[verified(view(1, true))]);
        assert!(
            text.contains("NOT THE SAME") && text.ends_with("orders: columns status; keys such as k1\n"),
            "{text}"
        );
        let text = as_text(&[verified(view(0, false))]);
        assert!(text.ends_with("orders: its checksums are not those of its rows\n"), "{text}");
        let text = as_text(&[verified(view(0, true))]);
        assert!(text.contains("same") && text.lines().count() == 2, "{text}");
    }
}
