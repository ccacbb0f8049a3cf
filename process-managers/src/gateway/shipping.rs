//! The shipping gateway: takes goods, and says what became of them.

use domain::ids::OrderId;
use domain::value::{GatewayReference, GatewayToken, Reason};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::client::{Client, GatewayError, GatewayUrl, segment};

/// A client of the shipping gateway. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ShippingGateway(Client);

/// What came of asking the carrier to take the goods.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Carriage {
    /// It has them.
    Dispatched {
        /// What the carrier calls it.
        reference: GatewayReference,
    },
    /// It does not take them.
    Refused {
        /// Why.
        reason: Reason,
    },
}

/// What became of goods on their way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Delivery {
    /// Nothing yet.
    InTransit,
    /// They arrived.
    Delivered,
    /// They will not arrive.
    Lost {
        /// Why.
        reason: Reason,
    },
}

#[derive(Serialize)]
struct CarryBody<'a> {
    order: OrderId,
    token: Option<&'a GatewayToken>,
}

impl ShippingGateway {
    /// The gateway at an address.
    #[must_use]
    pub fn new(url: GatewayUrl) -> Self {
        Self(Client::new("shipping", url))
    }

    /// Asks the carrier to take the goods of an order.
    ///
    /// # Errors
    /// See [`GatewayError`].
    pub async fn carry(
        &self,
        command_id: Uuid,
        order: OrderId,
        token: Option<&GatewayToken>,
    ) -> Result<Carriage, GatewayError> {
        let call = self.0.post("/v1/shipments").json(&CarryBody { order, token });
        self.0.call("carry", command_id, call).await
    }

    /// Asks where the goods are.
    ///
    /// # Errors
    /// See [`GatewayError`].
    pub async fn track(
        &self,
        command_id: Uuid,
        reference: &GatewayReference,
    ) -> Result<Delivery, GatewayError> {
        let call = self.0.get(&format!("/v1/shipments/{}", segment(reference)));
        self.0.call("track", command_id, call).await
    }
}
