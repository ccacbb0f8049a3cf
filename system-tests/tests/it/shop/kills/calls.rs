//! What the sandbox was asked through all of it, by its own ledger.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use anyhow::{Context as _, Result, ensure};
use jiff::Timestamp;
use serde_json::Value;
use system_tests::Client;
use uuid::Uuid;

use super::record::Record;
use super::side::Side;

/// The most calls of a page.
const PAGE: usize = 10_000;

/// What a delivered order asks for, and what comes of it.
const DELIVERED: [(&str, &str); 4] =
    [("AUTHORIZE", "AUTHORIZED"), ("CAPTURE", "CAPTURED"), ("CARRY", "DISPATCHED"), ("TRACK", "DELIVERED")];

/// Every call, oldest first.
pub struct Calls(Vec<Call>);

struct Call {
    at: Timestamp,
    kind: String,
    key: Uuid,
    order: Uuid,
    outcome: String,
    minor: Option<i64>,
    is_repeated: bool,
    line: Value,
}

impl Calls {
    /// Reads the ledger.
    pub async fn read(sandbox: &Client) -> Result<Self> {
        let (mut calls, mut after) = (Vec::new(), 0);
        loop {
            let page = sandbox.get(&format!("/ledger?first={PAGE}&after={after}")).await?.body;
            for line in page["calls"].as_array().context("calls")? {
                calls.push(Call::of(line).with_context(|| line.to_string())?);
            }
            match page["next"].as_u64() {
                Some(next) => after = next,
                None => return Ok(Self(calls)),
            }
        }
    }

    /// How many had been made before: their answer was lost with the process that was to record it.
    pub fn repeated(&self) -> usize {
        self.0.iter().filter(|call| call.is_repeated).count()
    }

    /// No call reaches the sandbox that the log has answered by then, and in the end it has answered all of them.
    pub fn none_was_answered_before(&self, record: &Record) -> Result<()> {
        for Call { key, at, line, .. } in &self.0 {
            let answered = record.answered.get(key).with_context(|| format!("never answered: {line}"))?;
            ensure!(at <= answered, "answered at {answered}, and asked again: {line}");
        }
        Ok(())
    }

    /// For no order anything was asked under two keys, and nothing that could not be done.
    pub fn nothing_was_done_twice(&self) -> Result<()> {
        let mut keys = HashMap::new();
        for call in &self.0 {
            let first = *keys.entry((call.order, &call.kind)).or_insert(call.key);
            ensure!(first == call.key, "asked before under the key {first}: {}", call.line);
            let is_failure = ["NOT_FOUND", "REJECTED", "KEY_REUSED"].contains(&call.outcome.as_str());
            ensure!(!is_failure, "it could not be done: {}", call.line);
        }
        let mut done = BTreeSet::new();
        for call in self.first_answers() {
            let is_new = done.insert((call.order, &call.kind));
            ensure!(is_new || call.kind == "TRACK", "done twice: {}", call.line);
        }
        Ok(())
    }

    /// Every order but those of the side was held, taken, carried and delivered; gives how many they are, and how much
    /// was taken of them.
    pub fn delivered(&self, side: &Side) -> Result<(u64, i64)> {
        let mut of_order: BTreeMap<Uuid, Vec<(&str, &str)>> = BTreeMap::new();
        let mut taken = 0;
        for call in self.first_answers().filter(|call| !side.orders.contains_key(&call.order)) {
            if call.outcome != "IN_TRANSIT" {
                of_order.entry(call.order).or_default().push((&call.kind, &call.outcome));
            }
            if call.outcome == "CAPTURED" {
                taken += call.minor.context("an amount")?;
            }
        }
        for (order, calls) in &of_order {
            ensure!(*calls == DELIVERED, "order {order}: {calls:?}");
        }
        Ok((of_order.len() as u64, taken))
    }

    /// What was taken for the orders of the side went back, but for those that arrived; gives how many were carried.
    pub fn side_was_undone(&self, side: &Side) -> Result<i64> {
        let mut balance: BTreeMap<Uuid, i64> = BTreeMap::new();
        let mut carried = 0;
        for call in self.first_answers().filter(|call| side.orders.contains_key(&call.order)) {
            let amount = call.minor.unwrap_or(0);
            match call.outcome.as_str() {
                "CAPTURED" => *balance.entry(call.order).or_default() += amount,
                "REFUNDED" => *balance.entry(call.order).or_default() -= amount,
                "DISPATCHED" => carried += 1,
                _ => {}
            }
        }
        for (order, balance) in balance {
            let is_kept = balance > 0;
            ensure!(is_kept != side.orders[&order], "order {order} has {balance} pence taken in the end");
        }
        Ok(carried)
    }

    fn first_answers(&self) -> impl Iterator<Item = &Call> {
        self.0.iter().filter(|call| !call.is_repeated)
    }
}

impl Call {
    fn of(line: &Value) -> Result<Self> {
        let text = |name: &str| line[name].as_str().context("a text");
        Ok(Self {
            at: text("at")?.parse()?,
            kind: text("kind")?.to_owned(),
            key: text("key")?.parse()?,
            order: text("order")?.parse()?,
            outcome: text("outcome")?.to_owned(),
            minor: line["amount"]["minor"].as_i64(),
            is_repeated: line["repeated"].as_bool().context("a truth")?,
            line: line.clone(),
        })
    }
}
