//! The payment gateway: holds money, takes it, lets go of it, gives it back.

use domain::ids::OrderId;
use domain::value::{GatewayReference, GatewayToken, Price, Reason};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::client::{Client, GatewayError, GatewayUrl};

/// A client of the payment gateway. Cheap to clone.
#[derive(Debug, Clone)]
pub struct PaymentGateway(Client);

/// What came of asking for money to be held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Authorization {
    /// It is held.
    Authorized {
        /// What the gateway calls it.
        reference: GatewayReference,
    },
    /// It is not, and will not be.
    Declined {
        /// Why.
        reason: Reason,
    },
}

/// What came of asking for money to be taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Capture {
    /// It is taken.
    Captured,
    /// It is not, and nothing is held any more.
    Declined {
        /// Why.
        reason: Reason,
    },
}

#[derive(Deserialize)]
#[serde(tag = "status", rename_all = "SCREAMING_SNAKE_CASE")]
enum Voided {
    Voided,
}

#[derive(Deserialize)]
#[serde(tag = "status", rename_all = "SCREAMING_SNAKE_CASE")]
enum Refunded {
    Refunded,
}

#[derive(Serialize)]
struct AuthorizeBody<'a> {
    order: OrderId,
    amount: Price,
    token: Option<&'a GatewayToken>,
}

#[derive(Serialize)]
struct AmountBody {
    amount: Price,
}

impl PaymentGateway {
    /// The gateway at an address.
    #[must_use]
    pub fn new(url: GatewayUrl) -> Self {
        Self(Client::new("payment", url))
    }

    /// Asks for money to be held.
    ///
    /// # Errors
    /// See [`GatewayError`].
    pub async fn authorize(
        &self,
        command_id: Uuid,
        order: OrderId,
        amount: Price,
        token: Option<&GatewayToken>,
    ) -> Result<Authorization, GatewayError> {
        let body = AuthorizeBody { order, amount, token };
        let call = self.0.post("/v1/payments/authorizations").json(&body);
        self.0.call("authorize", command_id, call).await
    }

    /// Asks for held money to be taken.
    ///
    /// # Errors
    /// See [`GatewayError`].
    pub async fn capture(
        &self,
        command_id: Uuid,
        reference: &GatewayReference,
        amount: Price,
    ) -> Result<Capture, GatewayError> {
        let call = self.0.post(&path(reference, "capture")).json(&AmountBody { amount });
        self.0.call("capture", command_id, call).await
    }

    /// Asks for held money to be let go.
    ///
    /// # Errors
    /// See [`GatewayError`].
    pub async fn void(&self, command_id: Uuid, reference: &GatewayReference) -> Result<(), GatewayError> {
        let call = self.0.post(&path(reference, "void"));
        let Voided::Voided = self.0.call("void", command_id, call).await?;
        Ok(())
    }

    /// Asks for taken money to be given back.
    ///
    /// # Errors
    /// See [`GatewayError`].
    pub async fn refund(
        &self,
        command_id: Uuid,
        reference: &GatewayReference,
        amount: Price,
    ) -> Result<(), GatewayError> {
        let call = self.0.post(&path(reference, "refunds")).json(&AmountBody { amount });
        let Refunded::Refunded = self.0.call("refund", command_id, call).await?;
        Ok(())
    }
}

fn path(reference: &GatewayReference, what: &str) -> String {
    format!("/v1/payments/{}/{what}", super::client::segment(reference))
}
