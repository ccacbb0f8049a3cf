//! Lines of orders and returns: each finds its product, and in the catalogue what it does not say itself.

use std::collections::BTreeMap;

use contract::{Currency, ErrorCode, Money, Position};
use domain::ids::ProductId;
use domain::lines::{Line, NewLine};
use domain::product::{self, Status};
use domain::value::{Description, Price, Quantity, Sku};
use futures::{StreamExt as _, TryStreamExt as _, future, stream};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::MoneySchema;
use super::references::{later, unknown};
use crate::commands::Commands;
use crate::executor::CommandError;

/// How many products are looked up at once for one command.
const LOOKUPS_AT_ONCE: usize = 16;

/// A line as a request brings it.
#[derive(Debug)]
pub(crate) struct WantedLine {
    /// Which product.
    pub(crate) sku: Sku,
    /// How many.
    pub(crate) quantity: Quantity,
    /// What one costs; the catalogue's price, when not given.
    pub(crate) unit_price: Option<Price>,
    /// What the line says; what the catalogue calls the product, when not given.
    pub(crate) description: Option<Description>,
}

/// A line as it stands in the log.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Line)]
pub(crate) struct LineBody {
    /// Which product.
    #[schema(value_type = Uuid)]
    product_id: ProductId,
    /// What the shop calls it.
    #[schema(value_type = String)]
    sku: Sku,
    /// What the line says of it.
    #[schema(value_type = Option<String>)]
    description: Option<Description>,
    /// How many.
    #[schema(value_type = i64)]
    quantity: Quantity,
    /// What one costs.
    #[schema(value_type = MoneySchema)]
    unit_price: Money,
}

/// What the catalogue says of a product that is there.
struct Entry {
    text: Option<Description>,
    /// None when it cannot be ordered, or when nobody asks.
    price: Option<Price>,
    position: Option<Position>,
}

/// The lines with their products and what the catalogue has to say at this moment.
pub(crate) async fn find_products(
    commands: &Commands,
    lines: &[WantedLine],
    position: Position,
) -> Result<Vec<NewLine>, CommandError> {
    // Once per product, and its state only for a line that does not say everything itself.
    let mut wanted: BTreeMap<Sku, bool> = BTreeMap::new();
    for line in lines {
        *wanted.entry(line.sku.clone()).or_default() |=
            line.unit_price.is_none() || line.description.is_none();
    }
    let entries: BTreeMap<Sku, Entry> = stream::iter(wanted)
        .map(|(sku, ask)| find_product(commands, sku, ask))
        .buffer_unordered(LOOKUPS_AT_ONCE)
        .try_filter_map(|found| future::ready(Ok(found)))
        .try_collect()
        .await?;
    let seen = entries.values().filter_map(|entry| entry.position).fold(position, later);
    lines
        .iter()
        .enumerate()
        .map(|(index, line)| complete(index, line, entries.get(&line.sku), seen))
        .collect()
}

/// What is in the catalogue under a SKU. That a product is there may come from memory: it does not cease to be.
async fn find_product(
    commands: &Commands,
    sku: Sku,
    ask: bool,
) -> Result<Option<(Sku, Entry)>, CommandError> {
    let id = ProductId::from_sku(&sku).0;
    if !ask && commands.products.remembers(id) {
        return Ok(Some((sku, Entry { text: None, price: None, position: None })));
    }
    let Some(current) = commands.products.current(id).await? else {
        return Ok(None);
    };
    let product::State::Known { name, description, price, status, .. } = current.state else {
        return Ok(None);
    };
    let called = name.and_then(|name| Description::new(name.as_str()).ok());
    let entry = Entry {
        text: called.or(description),
        price: (status == Status::Listed).then_some(price),
        position: Some(current.position),
    };
    Ok(Some((sku, entry)))
}

fn complete(
    index: usize,
    line: &WantedLine,
    entry: Option<&Entry>,
    position: Position,
) -> Result<NewLine, CommandError> {
    let details = || json!({ "sku": line.sku, "line": index });
    let Some(entry) = entry else {
        return Err(unknown("there is no such product", details(), position));
    };
    let Some(unit_price) = line.unit_price.or(entry.price) else {
        let code = ErrorCode::ProductDelisted;
        let (message, details) = (code.message().to_owned(), Some(details()));
        return Err(CommandError::Rejected { code, message, details, position });
    };
    Ok(NewLine {
        product_id: ProductId::from_sku(&line.sku),
        sku: line.sku.clone(),
        description: line.description.clone().or_else(|| entry.text.clone()),
        quantity: line.quantity,
        unit_price,
    })
}

impl LineBody {
    /// A line of a document in this currency.
    pub(crate) fn new(line: Line, currency: Currency) -> Self {
        Self {
            product_id: line.product_id,
            sku: line.sku,
            description: line.description,
            quantity: line.quantity,
            unit_price: Money::new(line.unit_price_minor, currency),
        }
    }
}
