//! Orders beside those of the month, which do not end well: they bring the saga where a month without declines and
//! losses never is. They are about a product of their own and lie in another year, so that no figure of the month
//! knows of them.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use domain::ids::{OrderId, PaymentId};
use futures::future::try_join_all;
use serde_json::{Value, json};
use system_tests::{Client, eventually};
use uuid::Uuid;

use super::machine::Up;
use super::states::{self, Standings};

const RECEIVED: i64 = 10_000;

/// Orders that are placed together, how often at most, and how long they are followed.
const BURST: usize = 16;
const BURSTS_MAX: usize = 10;
const BURST_WITHIN: Duration = Duration::from_secs(60);

/// How often the saga's table is looked at meanwhile.
const LOOK: Duration = Duration::from_millis(1);

/// What becomes of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Declined,
    DeclinedAtCapture,
    Refused,
    Lost,
    OutOfStock,
    /// By hand, while it is on its way.
    CalledOff,
}

impl Fate {
    pub const ALL: [Self; 6] = [
        Self::Declined,
        Self::DeclinedAtCapture,
        Self::Refused,
        Self::Lost,
        Self::OutOfStock,
        Self::CalledOff,
    ];

    /// The body of an order with this fate.
    fn order(self, sku: &str) -> Value {
        let quantity = if self == Self::OutOfStock { RECEIVED + 1 } else { 1 };
        let mut order = json!({ "country": "France", "currency": "GBP", "occurredAt": "2012-03-05T12:00:00Z",
                                "lines": [{ "sku": sku, "quantity": quantity }] });
        match self {
            Self::Declined => order["paymentToken"] = json!("decline"),
            Self::DeclinedAtCapture => order["paymentToken"] = json!("decline-capture"),
            Self::Refused => order["shippingToken"] = json!("refuse"),
            Self::Lost => order["shippingToken"] = json!("lost"),
            Self::OutOfStock | Self::CalledOff => {}
        }
        order
    }
}

/// A standing that orders do not have for long, and how to bring some there.
#[derive(Debug, Clone, Copy)]
pub struct Aim {
    pub part: &'static str,
    pub value: &'static str,
    way: Way,
}

#[derive(Debug, Clone, Copy)]
enum Way {
    /// Orders of this fate come by.
    With(Fate),
    /// Orders that are called off while the payment has this step.
    CalledOffAt(&'static str),
    /// Orders that are called off when the payment was captured and the saga has not heard of it yet.
    CalledOffOnceCaptured,
}

/// No order of the month ever stands like the first ones.
pub const AIMS: [Aim; 10] = [
    Aim { part: "item", value: "RELEASING", way: Way::With(Fate::Declined) },
    Aim { part: "payment", value: "REFUNDING", way: Way::With(Fate::Refused) },
    Aim { part: "payment", value: "DECLINING", way: Way::CalledOffAt("REQUESTING") },
    Aim { part: "shipment", value: "FAILING", way: Way::CalledOffOnceCaptured },
    Aim { part: "shipment", value: "TRACKING", way: Way::With(Fate::Lost) },
    Aim { part: "shipment", value: "DISPATCHED", way: Way::With(Fate::Lost) },
    Aim { part: "item", value: "SHIPPING", way: Way::With(Fate::Lost) },
    Aim { part: "shipment", value: "REQUESTING", way: Way::With(Fate::Lost) },
    Aim { part: "payment", value: "CAPTURED", way: Way::With(Fate::Lost) },
    Aim { part: "payment", value: "CAPTURING", way: Way::With(Fate::Lost) },
];

impl Aim {
    const fn fate(self) -> Fate {
        match self.way {
            Way::With(fate) => fate,
            Way::CalledOffAt(_) | Way::CalledOffOnceCaptured => Fate::CalledOff,
        }
    }
}

/// The product of such orders, and what was placed.
pub struct Side {
    sku: String,
    /// Each order, and whether it ends cancelled.
    pub orders: BTreeMap<Uuid, bool>,
}

impl Side {
    /// Lists the product and takes in its units.
    pub async fn open(client: &Client) -> Result<Self> {
        let sku = "PARCEL".to_owned();
        let product = json!({ "sku": sku, "price": { "amount": "7.25", "currency": "GBP" } });
        let listed = client.post("/v1/products", &[], &product).await?;
        ensure!(listed.status == 201, "{}", listed.body);
        let id = listed.body["id"].as_str().context("an id")?;
        let quantity = json!({ "quantity": RECEIVED });
        let received = client.post(&format!("/v1/stock/{id}/receive"), &[], &quantity).await?;
        ensure!(received.status == 200, "{}", received.body);
        Ok(Self { sku, orders: BTreeMap::new() })
    }

    /// Places so many orders of a fate at once. One that is to be called off goes its way until it is.
    pub async fn place(&mut self, client: &Client, fate: Fate, count: usize) -> Result<Vec<Uuid>> {
        let order = fate.order(&self.sku);
        let placed = try_join_all((0..count).map(async |_| {
            let placed = client.post("/v1/orders", &[], &order).await?;
            ensure!(placed.status == 201, "{}", placed.body);
            Ok(Uuid::parse_str(placed.body["id"].as_str().context("an id")?)?)
        }))
        .await?;
        self.orders.extend(placed.iter().map(|order| (*order, fate != Fate::CalledOff)));
        Ok(placed)
    }

    /// Brings orders to the aim, and holds the saga's worker there. On a busy machine it may slip through; then others
    /// are brought.
    pub async fn bring_to(&mut self, up: &Up, aim: Aim) -> Result<()> {
        for _ in 0..BURSTS_MAX {
            states::hold(&up.database).await?;
            let burst = self.place(&up.client, aim.fate(), BURST).await?;
            if self.follow_to(up, aim, &burst).await? {
                return Ok(());
            }
        }
        bail!("no order of {BURSTS_MAX} bursts was met at {aim:?}")
    }

    /// Lets the saga's worker go on transaction by transaction; true, and it is held, when an order is at the aim.
    async fn follow_to(&mut self, up: &Up, aim: Aim, burst: &[Uuid]) -> Result<bool> {
        let give_up = tokio::time::Instant::now() + BURST_WITHIN;
        loop {
            let standings = states::of(&up.database, burst).await?;
            if standings.iter().any(|order| order.has(aim.part, aim.value)) {
                return Ok(true);
            }
            self.call_off_if_due(up, aim, &standings).await?;
            states::let_go(&up.database).await?;
            if standings.len() == burst.len() && standings.iter().all(Standings::is_over) {
                return Ok(false);
            }
            ensure!(tokio::time::Instant::now() < give_up, "no order of the burst came to {aim:?} in time");
            tokio::time::sleep(LOOK).await;
            states::hold(&up.database).await?;
        }
    }

    async fn call_off_if_due(&mut self, up: &Up, aim: Aim, burst: &[Standings]) -> Result<()> {
        let is_due = |order: &&Standings| match aim.way {
            Way::With(_) => false,
            Way::CalledOffAt(step) => order.has("payment", step),
            Way::CalledOffOnceCaptured => order.has("payment", "CAPTURING"),
        };
        let due = burst.iter().filter(is_due).map(|standings| standings.order);
        let due: Vec<_> = due.filter(|order| !self.orders[order]).collect();
        if let Way::CalledOffOnceCaptured = aim.way {
            try_join_all(due.iter().map(|order| captured(&up.client, *order))).await?;
        }
        self.call_off(&up.client, &due).await
    }

    /// Calls orders off, unless they have left the house.
    async fn call_off(&mut self, client: &Client, orders: &[Uuid]) -> Result<()> {
        let body = json!({ "reason": "REQUESTED" });
        let called_off = try_join_all(orders.iter().map(async |order| {
            let answer = client.post(&format!("/v1/orders/{order}/cancel"), &[], &body).await?;
            ensure!(answer.status == 200 || answer.status == 409, "{}", answer.body);
            Ok((answer.status == 200).then_some(*order))
        }))
        .await?;
        self.orders.extend(called_off.into_iter().flatten().map(|order| (order, true)));
        Ok(())
    }

    /// How many end cancelled.
    pub fn cancelled(&self) -> u64 {
        self.orders.values().filter(|is_cancelled| **is_cancelled).count() as u64
    }

    /// The units that are left when so many orders have been handed to the carrier.
    pub const fn on_hand(carried: i64) -> i64 {
        RECEIVED - carried
    }
}

/// Waits until the log says that an order's payment was captured.
async fn captured(client: &Client, order: Uuid) -> Result<()> {
    let payment = PaymentId::of_order(OrderId(order)).0;
    eventually("a payment that was captured", BURST_WITHIN, async || {
        let answer = client.get(&format!("/v1/payments/{payment}")).await?;
        Ok((answer.body["status"] == "CAPTURED").then_some(()))
    })
    .await
}
