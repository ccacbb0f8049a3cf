//! A deploy whose fold is newer, with the binary before it and one that is built from the change in
//! `docs/changing-a-view.patch`: readers are answered throughout, and the deploy can be taken back and made again.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use system_tests::{Client, Headwater, Options, binary, eventually, free_addresses};
use tokio::task::JoinHandle;

use crate::shop::rebuilt::told;
use crate::{database, home, root};

const PATIENCE: Duration = Duration::from_secs(60);

/// Holds every build of the customers for as long as the row says so.
const GATE: &str = "
    CREATE TABLE headwater.gate AS SELECT true AS is_shut;
    CREATE FUNCTION headwater.wait() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
        IF EXISTS (SELECT FROM pg_event_trigger_ddl_commands() WHERE object_identity = 'headwater.customers_v2') THEN
            WHILE (SELECT is_shut FROM headwater.gate) LOOP PERFORM pg_sleep(0.02); END LOOP;
        END IF;
    END $$;
    CREATE EVENT TRIGGER wait ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION headwater.wait()";

/// The binary with the newer fold: this workspace with the change applied, and the fold before it kept as the page says.
fn newer() -> Result<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("newer");
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    copy(&root(), &folder)?;
    let views = folder.join("projections/src/views");
    let fold = std::fs::read_to_string(views.join("customers.rs"))?;
    let fold = fold.split("#[cfg(test)]").next().unwrap_or_default().trim_end();
    std::fs::write(views.join("customers_before.rs"), format!("{fold}\n"))?;
    // Under the same version cargo would take its crates for those that this test is made of.
    let manifest = std::fs::read_to_string(folder.join("Cargo.toml"))?;
    let newer = manifest.replacen(
        concat!("\nversion = \"", env!("CARGO_PKG_VERSION"), "\""),
        "\nversion = \"99.0.0\"",
        1,
    );
    ensure!(newer != manifest, "the version of the workspace does not stand in its manifest");
    std::fs::write(folder.join("Cargo.toml"), newer)?;
    let patch = folder.join("docs/changing-a-view.patch");
    let mut apply = Command::new("git");
    apply
        .arg("apply")
        .arg(&patch)
        .current_dir(&folder)
        .env("GIT_CEILING_DIRECTORIES", folder.parent().unwrap());
    ensure!(apply.status()?.success(), "the change does not apply any more: {}", patch.display());

    let here = std::env::current_exe()?;
    let built = here.ancestors().nth(3).context("the test binary has no target folder")?;
    let mut build = Command::new(env!("CARGO"));
    // There are no examples: asking for them gives dependencies the features that they have in tests, so none is
    // built again.
    build.args(["build", "--workspace", "--bin", "headwater", "--examples"]).current_dir(&folder);
    build.env("CARGO_BUILD_BUILD_DIR", built).env("CARGO_TARGET_DIR", folder.join("target"));
    // What cargo says of the test to the test; a build script that asks for it would make its crate be built again.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("CARGO_MANIFEST_")
            || name.to_string_lossy().starts_with("CARGO_PKG_")
        {
            build.env_remove(name);
        }
    }
    ensure!(build.status()?.success(), "the binary with the change does not build");
    Ok(folder.join("target/debug/headwater"))
}

/// The sources without what was built of them.
fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let (entry, name) = entry.map(|entry| (entry.path(), entry.file_name()))?;
        if name == ".git" || name == "target" {
            continue;
        }
        if entry.is_dir() {
            copy(&entry, &to.join(name))?
        } else {
            std::fs::copy(&entry, to.join(name)).map(drop)?
        }
    }
    Ok(())
}

/// The newer binary as an operator calls it.
struct Newer {
    program: PathBuf,
    data_dir: PathBuf,
}

impl Newer {
    async fn run(&self, command: &[&str]) -> Result<()> {
        let mut process = Command::new(&self.program);
        process.args(command).arg("--data-dir").arg(&self.data_dir).env_remove("DATABASE_URL");
        let output = tokio::task::spawn_blocking(move || process.output()).await??;
        ensure!(output.status.success(), "{command:?}: {output:?}");
        Ok(())
    }
}

/// `serve queries` of the binary before, as on a host that is not deployed yet; ends with the test.
struct Queries {
    child: Child,
    client: Client,
}

impl Queries {
    async fn start(options: &Options, own_dir: &Path) -> Result<Self> {
        let [public, admin, ..] = free_addresses()?;
        let mut command = Command::new(binary()?);
        command.args(["serve", "queries", "--data-dir"]).arg(own_dir);
        command.args(["--listen", &public.to_string(), "--admin-listen", &admin.to_string()]);
        command.env("DATABASE_URL", std::fs::read_to_string(options.data_dir.join("database-url"))?);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let queries = Self { child: command.spawn()?, client: Client::new(&format!("http://{public}")) };
        let admin = Client::new(&format!("http://{admin}"));
        eventually("the queries are served", PATIENCE, async || {
            Ok(admin.get("/ready").await.ok().filter(|answer| answer.status == 200).map(|_| ()))
        })
        .await?;
        Ok(queries)
    }
}

impl Drop for Queries {
    fn drop(&mut self) {
        let _ = (self.child.kill(), self.child.wait());
    }
}

/// Registers a customer, who then moves to France; gives what a query brings to see both.
async fn register(client: &Client, number: &str) -> Result<String> {
    let customer = json!({ "customerNumber": number, "country": "United Kingdom", "name": "Ada" });
    let registered = client.post("/v1/users", &[], &customer).await?;
    ensure!(registered.status == 201, "{registered:?}");
    let id = registered.body["id"].as_str().context("an id")?.to_owned();
    let moved = json!({ "country": "France", "name": "Ada" });
    let moved = client.post(&format!("/v1/users/{id}/profile"), &[], &moved).await?;
    ensure!(moved.status == 200, "{moved:?}");
    Ok(moved.position().to_owned())
}

/// The customer of this number; fields that only the newer binary has when they are asked for.
async fn ask(client: &Client, fields: &str, number: &str, token: &str) -> Result<Value> {
    let query =
        format!("query($n: String!) {{ customer(number: $n) {{ customerNumber country {fields} }} }}");
    let answer = client.query(&query, &json!({ "n": number }), Some(token)).await?.body;
    ensure!(answer.get("errors").is_none(), "{answer}");
    Ok(answer["data"]["customer"].clone())
}

/// Somebody who asks all the time, and is answered every time.
struct Reader {
    done: Arc<AtomicBool>,
    task: JoinHandle<Result<()>>,
}

impl Reader {
    fn start(client: Client, token: String) -> Self {
        let done = Arc::new(AtomicBool::new(false));
        let is_done = Arc::clone(&done);
        let task = tokio::spawn(async move {
            while !is_done.load(Ordering::SeqCst) {
                let seen = ask(&client, "", "1", &token).await?;
                ensure!(seen == json!({ "customerNumber": "1", "country": "France" }), "{seen}");
            }
            Ok(())
        });
        Self { done, task }
    }

    async fn stop(self) -> Result<()> {
        self.done.store(true, Ordering::SeqCst);
        self.task.await?
    }
}

/// The versions of the customers: number, fold and state.
async fn versions(data_dir: &Path) -> Result<Vec<(i64, i64, String)>> {
    let all = told(&["versions", "customers"], data_dir).await?;
    let all = all.as_array().context("versions")?.iter();
    all.map(|of| {
        let number = |name: &str| of[name].as_i64().with_context(|| format!("{name} of {of}"));
        Ok((number("version")?, number("fold")?, of["state"].as_str().context("state")?.to_owned()))
    })
    .collect()
}

async fn until_in_use(version: i64, data_dir: &Path) -> Result<()> {
    eventually("readers switch", PATIENCE, async || {
        let is_it = |of: &(i64, i64, String)| of.0 == version && of.2 == "ACTIVE";
        Ok(versions(data_dir).await?.iter().any(is_it).then_some(()))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_fold_is_deployed_taken_back_and_deployed_again_and_readers_are_answered() -> Result<()> {
    if std::env::var_os("HEADWATER_LONG_TESTS").is_none() {
        return Ok(());
    }
    let newer = tokio::task::spawn_blocking(newer).await??;
    let home = home()?;
    let before = Options::at(&home.path().join("data"));
    let after = Options { program: Some(newer.clone()), ..before.clone() };

    let running = Headwater::start(&before).await?;
    let first = register(&running.client(), "1").await?;
    ask(&running.client(), "", "1", &first).await?;
    database(&before.data_dir).await?.batch_execute(GATE).await?;
    assert!(running.stop().await?.success());

    // While the new version cannot be built the one before is folded and served, by both binaries.
    let running = Headwater::start(&after).await?;
    let client = running.client();
    let old = Queries::start(&before, &home.path().join("elsewhere")).await?;
    let readers = [client.clone(), old.client.clone()].map(|client| Reader::start(client, first.clone()));
    let second = register(&client, "2").await?;
    let expected = json!({ "customerNumber": "2", "country": "France", "changedAt": null });
    assert_eq!(ask(&client, "changedAt", "2", &second).await?, expected);
    assert_eq!(ask(&old.client, "", "2", &second).await?["country"], "France");
    let there = versions(&before.data_dir).await?;
    assert_eq!(there[0], (1, 1, "ACTIVE".to_owned()), "{there:?}");

    database(&before.data_dir).await?.execute("UPDATE headwater.gate SET is_shut = false", &[]).await?;
    until_in_use(2, &before.data_dir).await?;
    let there = versions(&before.data_dir).await?;
    assert_eq!(there, [(1, 1, "KEPT".to_owned()), (2, 2, "ACTIVE".to_owned())]);
    let third = register(&client, "3").await?;
    for number in ["1", "2", "3"] {
        let seen = ask(&client, "changedAt", number, &third).await?;
        assert!(seen["changedAt"].is_string(), "{seen}");
    }
    // Not deployed yet, it goes on with the version that it knows.
    assert_eq!(ask(&old.client, "", "3", &third).await?["country"], "France");
    for reader in readers {
        reader.stop().await?;
    }
    // What the newer binary proves is the fold in use, whichever of its two that is.
    let newer = Newer { program: newer, data_dir: before.data_dir.clone() };
    let log = format!("esdb://{}?tls=false", running.node);
    newer.run(&["verify", "--all", "--eventstore", &log]).await?;
    newer.run(&["rollback", "customers"]).await?;
    until_in_use(1, &before.data_dir).await?;
    newer.run(&["verify", "customers", "--eventstore", &log]).await?;
    newer.run(&["rollback", "customers"]).await?;
    until_in_use(2, &before.data_dir).await?;
    drop(old);
    assert!(running.stop().await?.success());

    // Taken back: the binary before finds a version of its own fold.
    let running = Headwater::start(&before).await?;
    let fourth = register(&running.client(), "4").await?;
    assert_eq!(ask(&running.client(), "", "4", &fourth).await?["country"], "France");
    assert!(running.stop().await?.success());

    // And made again.
    let running = Headwater::start(&after).await?;
    until_in_use(2, &before.data_dir).await?;
    let fifth = register(&running.client(), "5").await?;
    for number in ["4", "5"] {
        let seen = ask(&running.client(), "changedAt", number, &fifth).await?;
        assert!(seen["changedAt"].is_string(), "{seen}");
    }
    assert!(running.stop().await?.success());
    Ok(())
}
