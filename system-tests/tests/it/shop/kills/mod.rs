//! One import of the month, and what runs under it killed again and again: the process, the process and its PostgreSQL,
//! once with the database dropped. Everything comes out as if nothing had been.
//!
//! The moments come from a seed, by what the log holds and not by the clock. Some of them are aimed: a burst of orders
//! that do not end well is brought to a standing that no order of the month ever has, and there it strikes.

mod calls;
mod import;
mod machine;
mod plan;
mod record;
mod side;
mod states;

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use system_tests::retail_file;

use self::calls::Calls;
use self::import::Import;
use self::machine::{Blow, Machine, Up};
use self::plan::{KILLS, Kill, Moment};
use self::record::Record;
use self::side::{AIMS, Aim, Fate, Side};
use self::states::{Standing, standing};
use super::month::{
    CUSTOMERS, ON_HAND, ORDERS, PRODUCTS, customers_and_products, the_sales_are_those_of_the_readme,
};
use super::{every_order_ended, head, orders, stock_settled};
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
        import: Import::start(&up, &file)?,
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

/// What has happened so far.
struct Story {
    import: Import,
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
            // Else it would be through before the other kills.
            self.import.pause().await?;
            for fate in Fate::ALL {
                self.side.place(&up.client, fate, 1).await?;
            }
            self.side.bring_to(&up, aim).await.with_context(|| up.running.output())?;
        }
        self.struck_the_import += usize::from(!self.import.is_through().await?);
        if let Some(left) = machine.strike(up, kill.blow).await? {
            self.seen.append(&mut states::seen(&left).await?);
        }
        self.import.go_on()?;
        machine.start().await
    }

    /// A standing that was not seen yet, if this kill may look for one.
    fn aim(&self, kill: Kill) -> Option<Aim> {
        let is_new = |aim: &Aim| !self.seen.contains(&standing(aim.part, aim.value));
        AIMS.into_iter().find(is_new).filter(|_| kill.is_aimed && kill.blow == Blow::Process)
    }

    async fn wait_for(&mut self, machine: &Machine, up: &mut Up, moment: Moment) -> Result<()> {
        let give_up = tokio::time::Instant::now() + MOMENT_WITHIN;
        let at_first = machine.ledger_length();
        loop {
            let is_come = match moment {
                Moment::Sent(in_all) => self.record.sent >= in_all,
                Moment::Recorded(in_all) => self.record.events >= in_all,
                Moment::Asked(more) => machine.calls_from(at_first)? >= more,
                Moment::Folded(orders) => states::orders(&up.database).await? >= orders,
            };
            if is_come {
                return Ok(());
            }
            ensure!(tokio::time::Instant::now() < give_up, "the moment does not come: {moment:?}");
            let ended = up.running.status()?;
            ensure!(ended.is_none(), "it ended by itself: {ended:?}");
            // Through or not, it must not have failed.
            self.import.is_through().await?;
            tokio::time::sleep(LOOK).await;
            if let Moment::Sent(_) | Moment::Recorded(_) = moment {
                self.record.read_on(&up.log).await?;
            }
        }
    }

    /// Every order comes to its end, with the figures of the month, and the sandbox was asked for nothing twice.
    async fn ends_well(&mut self, up: &Up) -> Result<()> {
        self.import.ends_well().await?;
        ensure!(self.struck_the_import >= KILLS / 2, "only {} kills met the import", self.struck_the_import);
        let (client, side) = (&up.client, &self.side);
        let placed = ORDERS + side.orders.len() as u64;
        let cancelled = every_order_ended(client, placed).await;
        let calls = Calls::read(&up.running.sandbox()).await?;
        // First: what was done twice may be the reason why an order does not come to its end.
        calls.nothing_was_done_twice()?;
        assert_eq!(cancelled?, side.cancelled());
        assert_eq!(orders(client, None).await?, placed);
        assert_eq!(calls.delivered(side)?, (ORDERS, 82_374_614));
        let carried = calls.side_was_undone(side)?;
        stock_settled(client, ON_HAND + Side::on_hand(carried)).await?;
        head(client).await?;
        the_sales_are_those_of_the_readme(client).await?;
        assert_eq!(customers_and_products(client).await?, (CUSTOMERS, PRODUCTS + 1));
        let stuck = up.running.operations().get("/sagas").await?;
        assert_eq!((stuck.status, stuck.body), (200, json!({ "stuck": [] })));

        self.record.read_on(&up.log).await?;
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
