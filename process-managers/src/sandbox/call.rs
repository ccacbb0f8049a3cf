//! A call and what came of it: a line of the ledger.

use domain::ids::OrderId;
use domain::value::Price;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What a call asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Kind {
    /// To hold money.
    Authorize,
    /// To take money that is held.
    Capture,
    /// To let go of money that is held.
    Void,
    /// To give back money that was taken.
    Refund,
    /// To take goods.
    Carry,
    /// Where the goods are.
    Track,
}

impl Kind {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Authorize => "authorize",
            Self::Capture => "capture",
            Self::Void => "void",
            Self::Refund => "refund",
            Self::Carry => "carry",
            Self::Track => "track",
        }
    }
}

/// What came of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs, reason = "the words say it")]
pub enum Outcome {
    Authorized,
    Declined,
    Captured,
    Voided,
    Refunded,
    Dispatched,
    Refused,
    InTransit,
    Delivered,
    Lost,
    /// It names something that is not there.
    NotFound,
    /// It cannot be done as things stand.
    Rejected,
    /// Its key was used for another call.
    KeyReused,
}

impl Outcome {
    /// Whether the same call will be answered in the same way for ever.
    pub(super) const fn is_final(self) -> bool {
        !matches!(self, Self::InTransit | Self::NotFound | Self::Rejected | Self::KeyReused)
    }
}

/// A call as it was received.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Call {
    /// What it asks for.
    pub kind: Kind,
    /// Its idempotency key; only asking where goods are may do without.
    pub key: Option<String>,
    /// For which order, when it begins something.
    pub order: Option<OrderId>,
    /// What it is about, when it goes on with something.
    pub reference: Option<String>,
    /// How much.
    pub amount: Option<Price>,
    /// What the buyer chose.
    pub token: Option<String>,
}

/// A line of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Its number, from 1.
    pub number: u64,
    /// When it was received.
    pub at: Timestamp,
    /// The call; order and reference are filled in where the sandbox knows them.
    #[serde(flatten)]
    pub call: Call,
    /// What came of it.
    pub outcome: Outcome,
    /// Why, when it did not come as asked.
    pub reason: Option<String>,
    /// Whether the same call had been answered for good before.
    pub repeated: bool,
}
