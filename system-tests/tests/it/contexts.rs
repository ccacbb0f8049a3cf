//! A bounded context in a process of its own, beside the whole system.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::Result;
use serde_json::json;
use system_tests::{Client, Headwater, Options, binary, eventually, free_addresses};

use crate::home;

const PATIENCE: Duration = Duration::from_secs(30);

/// A process that ends with its test.
struct Ending(Child);

impl Drop for Ending {
    fn drop(&mut self) {
        let _ = (self.0.kill(), self.0.wait());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_context_is_served_by_a_process_of_its_own() -> Result<()> {
    let home = home()?;
    let options = Options::at(&home.path().join("data"));
    let running = Headwater::start(&options).await?;
    let [public, admin, ..] = free_addresses()?;
    let log = format!("esdb://{}?tls=false", running.node);
    let mut command = Command::new(binary()?);
    command.args(["serve", "commands", "--contexts", "products,stock", "--eventstore", &log]);
    command.arg("--data-dir").arg(&options.data_dir);
    command.args(["--listen", &public.to_string(), "--admin-listen", &admin.to_string()]);
    command.env_remove("DATABASE_URL").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let _serving = Ending(command.spawn()?);
    let admin = Client::new(&format!("http://{admin}"));
    eventually("the process is ready", PATIENCE, async || {
        Ok(admin.get("/ready").await.ok().filter(|answer| answer.status == 200).map(|_| ()))
    })
    .await?;

    let client = Client::new(&format!("http://{public}"));
    let mug = json!({ "sku": "MUG-1", "price": { "amount": "4.50", "currency": "GBP" } });
    let listed = client.post("/v1/products", &[], &mug).await?;
    assert_eq!(listed.status, 201, "{}", listed.body);
    let order =
        json!({ "country": "France", "currency": "GBP", "lines": [{ "sku": "MUG-1", "quantity": 2 }] });
    let elsewhere = client.post("/v1/orders", &[], &order).await?;
    assert_eq!((elsewhere.status, elsewhere.error_code()), (404, "ROUTE_NOT_FOUND"));
    let placed = running.client().post("/v1/orders", &[], &order).await?;
    assert_eq!(placed.status, 201, "{}", placed.body);
    assert!(running.stop().await?.success());
    Ok(())
}
