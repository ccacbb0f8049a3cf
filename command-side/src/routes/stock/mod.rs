//! `/v1/stock`.

pub(crate) mod adjust;
pub(crate) mod get;
pub(crate) mod receive;
pub(crate) mod release;
pub(crate) mod reserve;
pub(crate) mod ship;

use contract::{ApiError, ErrorCode};
use domain::ids::ProductId;
use domain::stock::{Action, Command};
use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use crate::commands::Commands;
use crate::http::{Answer, Failure, Operation, Order, Sent, carry_out};

/// How the kind stands in addresses.
const KIND: &str = "stock";

/// Has an action carried out on the stock of a product that was listed at some time.
async fn act(
    commands: &Commands,
    operation: &'static Operation,
    product: Uuid,
    action: Action,
    occurred_at: Option<Timestamp>,
    sent: Sent,
) -> Result<Answer, Failure> {
    // A product whose stock is known was listed: stock begins here and nowhere else.
    if !commands.stock.remembers(product) {
        match commands.products.exists(product).await {
            Ok(true) => {}
            Ok(false) => {
                let error = ApiError::new(ErrorCode::UnknownReference)
                    .with_message("there is no such product")
                    .with_details(json!({ "productId": product }));
                return Err(sent.refuse(error));
            }
            Err(error) => return Err(sent.fail(&error)),
        }
    }
    let command = Command { product_id: ProductId(product), action };
    carry_out(commands, &commands.stock, operation, Order::new(product, command, occurred_at), sent).await
}
