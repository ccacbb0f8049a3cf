//! One import of the month, and what runs under it killed again and again: the process, the process and its PostgreSQL,
//! once with the database dropped. Everything comes out as if nothing had been.
//!
//! The moments come from a seed, by what the log holds and not by the clock. Some of them are aimed: a burst of orders
//! that do not end well is brought to a standing that no order of the month ever has, and there it strikes.

mod calls;
mod machine;
mod plan;
mod record;
mod side;
mod states;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use system_tests::{binary, retail_file};
use tokio::task::JoinHandle;

use self::calls::Calls;
use self::machine::{Blow, Machine, Up};
use self::plan::{KILLS, Kill, Moment};
use self::record::Record;
use self::side::{AIMS, Aim, Fate, Side};
use self::states::{Standing, standing};
use super::month::{
    CUSTOMERS, ON_HAND, ORDERS, PRODUCTS, customers_and_products, the_sales_are_those_of_the_readme,
};
use super::{every_order_ended, head, orders, stock_settled, total};
use crate::home;

const SEED: u64 = 20_101_201;

/// A moment comes within this time, or it does not come at all.
const MOMENT_WITHIN: Duration = Duration::from_secs(90);

/// How often it is looked for meanwhile.
const LOOK: Duration = Duration::from_millis(1);

#[tokio::test(flavor = "multi_thread")]
async fn an_import_comes_to_its_end_through_twenty_kills_and_nothing_is_done_twice() -> Result<()> {
    let Some(file) = retail_file() else { return Ok(()) };
    let seed = seed()?;
    let home = home()?;
    let mut telltale = Telltale { seed, doing: "the start".to_owned() };
    let machine = Machine::new(&home.path().join("data"))?;
    let mut up = machine.start().await?;
    let mut story = Story {
        side: Side::open(&up.client).await?,
        import: import(&up, &file)?,
        record: Record::default(),
        seen: BTreeSet::new(),
        struck_the_import: 0,
    };
    for (number, kill) in plan::of_seed(seed).into_iter().enumerate() {
        telltale.doing = format!("kill {} of {KILLS}, {kill:?}", number + 1);
        up = story.strike(&machine, up, kill).await?;
    }
    telltale.doing = format!("the end, after {KILLS} kills");
    let missing: Vec<_> = states::all().symmetric_difference(&story.seen).cloned().collect();
    ensure!(missing.is_empty(), "standings not seen at any kill, or not known to this test: {missing:?}");
    story.ends_well(&up).await?;
    ensure!(up.running.stop().await?.success());
    telltale.doing.clear();
    Ok(())
}

/// Another one may be tried by hand.
fn seed() -> Result<u64> {
    Ok(std::env::var("HEADWATER_KILLS_SEED").ok().map(|seed| seed.parse()).transpose()?.unwrap_or(SEED))
}

/// Imports as an operator does, through all that happens.
fn import(up: &Up, file: &Path) -> Result<JoinHandle<std::io::Result<Output>>> {
    let mut command = tokio::process::Command::new(binary()?);
    command.args(["import", "retail", "--json", "--url", &format!("http://{}", up.running.public)]).arg(file);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    Ok(tokio::spawn(command.spawn()?.wait_with_output()))
}

/// The import has come to its end by itself; while it was at it, answers were lost of what had been done.
fn ended_well(import: &Output) -> Result<()> {
    let printed = String::from_utf8_lossy(&import.stdout);
    ensure!(import.status.success(), "{printed}\n{}", String::from_utf8_lossy(&import.stderr));
    let summary: Value = serde_json::from_str(&printed).with_context(|| printed.clone().into_owned())?;
    ensure!(total(&summary, "rejected") == 0, "{summary}");
    ensure!(summary["retries"].as_u64() > Some(0), "no request was ever without an answer: {summary}");
    ensure!(total(&summary, "alreadyThere") > 0, "no answer was lost of what had been done: {summary}");
    Ok(())
}

/// What has happened so far.
struct Story {
    import: JoinHandle<std::io::Result<Output>>,
    side: Side,
    record: Record,
    /// The standings of orders at the kills.
    seen: BTreeSet<Standing>,
    /// How many kills met the import at work.
    struck_the_import: usize,
}

impl Story {
    /// Waits for the moment, strikes, and starts again.
    async fn strike(&mut self, machine: &Machine, mut up: Up, kill: Kill) -> Result<Up> {
        self.wait_for(machine, &mut up, kill.moment).await.with_context(|| up.running.output())?;
        if let Some(aim) = self.aim(kill) {
            for fate in Fate::ALL {
                self.side.place(&up.client, fate, 1).await?;
            }
            self.side.bring_to(&up, aim).await.with_context(|| up.running.output())?;
        }
        self.struck_the_import += usize::from(!self.import.is_finished());
        if let Some(left) = machine.strike(up, kill.blow).await? {
            self.seen.append(&mut states::seen(&left).await?);
        }
        machine.start().await
    }

    /// A standing that was not seen yet, if this kill may look for one.
    fn aim(&self, kill: Kill) -> Option<Aim> {
        let is_new = |aim: &Aim| !self.seen.contains(&standing(aim.part, aim.value));
        AIMS.into_iter().find(is_new).filter(|_| kill.is_aimed && kill.blow == Blow::Process)
    }

    async fn wait_for(&mut self, machine: &Machine, up: &mut Up, moment: Moment) -> Result<()> {
        let give_up = tokio::time::Instant::now() + MOMENT_WITHIN;
        self.record.read_on(&up.log).await?;
        let (sent, recorded, asked) = (self.record.sent, self.record.events, machine.ledger_length());
        loop {
            let is_come = match moment {
                // On a machine that is slow to place orders, the import may be through.
                Moment::Sent(more) if self.import.is_finished() => self.record.events >= recorded + more,
                Moment::Sent(more) => self.record.sent >= sent + more,
                Moment::Recorded(more) => self.record.events >= recorded + more,
                Moment::Asked(more) => machine.calls_from(asked)? >= more,
                Moment::Folded(orders) => states::orders(&up.database).await? >= orders,
            };
            if is_come {
                return Ok(());
            }
            ensure!(tokio::time::Instant::now() < give_up, "the moment does not come: {moment:?}");
            let ended = up.running.status()?;
            ensure!(ended.is_none(), "it ended by itself: {ended:?}");
            tokio::time::sleep(LOOK).await;
            if let Moment::Sent(_) | Moment::Recorded(_) = moment {
                self.record.read_on(&up.log).await?;
            }
        }
    }

    /// Every order comes to its end, with the figures of the month, and the sandbox was asked for nothing twice.
    async fn ends_well(&mut self, up: &Up) -> Result<()> {
        ended_well(&(&mut self.import).await??)?;
        ensure!(self.struck_the_import >= KILLS / 2, "only {} kills met the import", self.struck_the_import);
        let (client, side) = (&up.client, &self.side);
        let placed = ORDERS + side.orders.len() as u64;
        assert_eq!(every_order_ended(client, placed).await?, side.cancelled());
        assert_eq!(orders(client, None).await?, placed);
        let calls = Calls::read(&up.running.sandbox()).await?;
        assert_eq!(calls.delivered(side)?, (ORDERS, 82_374_614));
        let carried = calls.side_was_undone(side)?;
        stock_settled(client, ON_HAND + Side::on_hand(carried)).await?;
        head(client).await?;
        the_sales_are_those_of_the_readme(client).await?;
        assert_eq!(customers_and_products(client).await?, (CUSTOMERS, PRODUCTS + 1));
        let stuck = up.running.operations().get("/sagas").await?;
        assert_eq!((stuck.status, stuck.body), (200, json!({ "stuck": [] })));

        self.record.read_on(&up.log).await?;
        calls.nothing_was_done_twice()?;
        calls.none_was_answered_before(&self.record)?;
        ensure!(calls.repeated() > 0, "no call was under way at any kill");
        Ok(())
    }
}

/// Says where it was when it failed.
struct Telltale {
    seed: u64,
    /// Nothing when all is well.
    doing: String,
}

impl Drop for Telltale {
    fn drop(&mut self) {
        if !self.doing.is_empty() {
            eprintln!("seed {}: failed at {}", self.seed, self.doing);
        }
    }
}
