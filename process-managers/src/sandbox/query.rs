//! Looking into the ledger.

use std::collections::{BTreeMap, BTreeSet};

use contract::Currency;
use domain::ids::OrderId;
use serde::{Deserialize, Serialize};

use super::call::{Entry, Kind, Outcome};

/// How many calls a page has, unless told otherwise, and at most.
const PAGE: usize = 1_000;
const PAGE_MAX: usize = 10_000;

/// Which calls to show.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Filter {
    kind: Option<Kind>,
    order: Option<OrderId>,
    /// Only calls with a higher number.
    after: Option<u64>,
    /// How many at most.
    first: Option<usize>,
}

/// Some of the calls, oldest first.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Page {
    calls: Vec<Entry>,
    /// What `after` has to be for the next page; none on the last one.
    next: Option<u64>,
}

/// What all calls of a kind with the same outcome come to.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Total {
    /// Every call.
    calls: u64,
    /// Those of them that had been answered before.
    repeated: u64,
    /// Different orders; like the amounts without those that had been answered before.
    orders: usize,
    /// In minor units, by currency.
    amounts: BTreeMap<Currency, i64>,
    #[serde(skip)]
    seen: BTreeSet<OrderId>,
}

/// A line of the summary.
#[derive(Debug, Serialize)]
pub(super) struct Line {
    kind: Kind,
    outcome: Outcome,
    #[serde(flatten)]
    total: Total,
}

impl Filter {
    /// The page, or what is wrong with the question.
    pub(super) fn page(&self, entries: &[Entry]) -> Result<Page, String> {
        let first = self.first.unwrap_or(PAGE);
        if !(1..=PAGE_MAX).contains(&first) {
            return Err(format!("first must be between 1 and {PAGE_MAX}"));
        }
        let start = usize::try_from(self.after.unwrap_or(0)).unwrap_or(usize::MAX).min(entries.len());
        let wanted = |entry: &&Entry| {
            self.kind.is_none_or(|kind| entry.call.kind == kind)
                && self.order.is_none_or(|order| entry.call.order == Some(order))
        };
        let mut found = entries[start..].iter().filter(wanted);
        let calls: Vec<_> = found.by_ref().take(first).cloned().collect();
        let next = found.next().and_then(|_| calls.last()).map(|last| last.number);
        Ok(Page { calls, next })
    }
}

/// Counts and sums by kind and outcome.
pub(super) fn summary(entries: &[Entry]) -> Vec<Line> {
    let mut totals = BTreeMap::<(Kind, Outcome), Total>::new();
    for entry in entries {
        let total = totals.entry((entry.call.kind, entry.outcome)).or_default();
        total.calls += 1;
        if entry.repeated {
            total.repeated += 1;
            continue;
        }
        total.seen.extend(entry.call.order);
        if let Some(amount) = entry.call.amount {
            let money = amount.money();
            let sum = total.amounts.entry(money.currency).or_default();
            *sum = sum.saturating_add(money.minor);
        }
    }
    let line = |((kind, outcome), mut total): ((Kind, Outcome), Total)| {
        total.orders = total.seen.len();
        Line { kind, outcome, total }
    };
    totals.into_iter().map(line).collect()
}
