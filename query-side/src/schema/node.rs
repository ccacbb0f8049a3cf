//! Anything that has an id, by its id.

use async_graphql::{Context, ID, Interface, Object, Result};
use contract::{ApiError, ErrorCode, PublicId, PublicIdError};

use super::customer::{self, Customer};
use super::or_null;
use super::order::{self, Order, Payment, Return, Shipment};
use super::product::{self, Product};
use super::scalar::AsOf;
use crate::error::Failure;

/// Anything that has an id of its own.
#[derive(Interface)]
#[graphql(field(name = "id", ty = "ID", desc = "Names it among everything that `node` finds."))]
pub(crate) enum Node {
    /// A product.
    Product(Product),
    /// A customer.
    Customer(Customer),
    /// An order.
    Order(Order),
    /// A payment.
    Payment(Payment),
    /// A shipment.
    Shipment(Shipment),
    /// A return.
    Return(Return),
}

/// The question for anything.
#[derive(Default)]
pub(super) struct NodeQuery;

#[Object]
impl NodeQuery {
    /// What has this id; null when it is not there.
    async fn node(
        &self,
        ctx: &Context<'_>,
        id: ID,
        #[graphql(name = "asOf", desc = "As of when; now when it is left out.")] _as_of: Option<AsOf>,
    ) -> Option<Result<Node>> {
        or_null(find(ctx, &id).await)
    }
}

async fn find(ctx: &Context<'_>, id: &str) -> Result<Option<Node>, Failure> {
    let id: PublicId = id.parse().map_err(|_| unknown_id())?;
    Ok(match id.kind.as_str() {
        product::KIND => Product::by_id(ctx, id.id).await?.map(Node::Product),
        customer::KIND => Customer::by_id(ctx, id.id).await?.map(Node::Customer),
        order::KIND => Order::by_id(ctx, id.id).await?.map(Node::Order),
        order::PAYMENT => Payment::by_id(ctx, id.id).await?.map(Node::Payment),
        order::SHIPMENT => Shipment::by_id(ctx, id.id).await?.map(Node::Shipment),
        order::RETURN => Return::by_id(ctx, id.id).await?.map(Node::Return),
        _ => return Err(unknown_id()),
    })
}

fn unknown_id() -> Failure {
    ApiError::new(ErrorCode::InvalidInput)
        .with_message(PublicIdError.to_string())
        .with_details(serde_json::json!({"argument": "id"}))
        .into()
}
