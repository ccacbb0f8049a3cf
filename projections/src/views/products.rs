//! View `products`: what a product is called and costs, with its stock.

use contract::{Currency, Money};
use domain::ShopEvent;
use domain::ids::ProductId;
use domain::{product, stock};
use engine::{Column, EntityView, FoldError, LoadError, Recorded, SqlType, Stored, Table, Value};
use jiff::Timestamp;
use read_model::catalogue::ProductStatus;

use super::{absent, existing, revision};

static TABLE: Table = Table {
    name: "products",
    key: &[Column::new("product_id", SqlType::Uuid)],
    data: &[
        Column::new("sku", SqlType::Text),
        Column::new("name", SqlType::Text).nullable(),
        Column::new("description", SqlType::Text).nullable(),
        Column::new("price_minor", SqlType::BigInt),
        Column::new("currency", SqlType::Text),
        Column::new("status", SqlType::Text),
        Column::new("on_hand", SqlType::BigInt),
        Column::new("reserved", SqlType::BigInt),
        Column::new("listed_at", SqlType::TimestampTz),
        Column::new("revision", SqlType::BigInt),
        Column::new("stock_revision", SqlType::BigInt).nullable(),
    ],
    person: None,
    history: true,
};

pub(crate) struct Products;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Product {
    sku: String,
    name: Option<String>,
    description: Option<String>,
    price: Money,
    status: ProductStatus,
    on_hand: i64,
    reserved: i64,
    listed_at: Timestamp,
    revision: i64,
    stock_revision: Option<i64>,
}

impl EntityView for Products {
    type Event = ShopEvent;
    type Key = ProductId;
    type Row = Product;

    fn table(&self) -> &'static Table {
        &TABLE
    }

    fn keys(&self, event: &Recorded<ShopEvent>) -> Vec<ProductId> {
        match &event.event {
            ShopEvent::Product(event) => vec![product_of(event)],
            ShopEvent::Stock(event) => vec![stocked_product(event)],
            _ => Vec::new(),
        }
    }

    fn fold(
        &self,
        _: &ProductId,
        row: Option<Product>,
        event: &Recorded<ShopEvent>,
    ) -> Result<Option<Product>, FoldError> {
        match &event.event {
            ShopEvent::Product(of_product) => fold_product(row, of_product, event).map(Some),
            ShopEvent::Stock(of_stock) => {
                let mut row = existing(row)?;
                move_stock(&mut row, of_stock)?;
                row.stock_revision = Some(revision(event));
                Ok(Some(row))
            }
            _ => Ok(row),
        }
    }

    fn store_key(&self, key: &ProductId) -> Vec<Value> {
        vec![key.0.into()]
    }

    fn store(&self, row: &Product) -> Vec<Value> {
        vec![
            row.sku.as_str().into(),
            row.name.clone().into(),
            row.description.clone().into(),
            row.price.minor.into(),
            row.price.currency.code().into(),
            row.status.as_str().into(),
            row.on_hand.into(),
            row.reserved.into(),
            row.listed_at.into(),
            row.revision.into(),
            row.stock_revision.into(),
        ]
    }

    fn load(&self, _: &ProductId, values: Vec<Value>) -> Result<Product, LoadError> {
        let mut stored = Stored::new(values);
        let (sku, name, description) = (stored.take()?, stored.take()?, stored.take()?);
        let minor = stored.take()?;
        let currency: Currency = stored.parse()?;
        Ok(Product {
            sku,
            name,
            description,
            price: Money::new(minor, currency),
            status: stored.parse()?,
            on_hand: stored.take()?,
            reserved: stored.take()?,
            listed_at: stored.take()?,
            revision: stored.take()?,
            stock_revision: stored.take()?,
        })
    }
}

fn product_of(event: &product::Event) -> ProductId {
    match event {
        product::Event::Listed { product_id, .. }
        | product::Event::DetailsChanged { product_id, .. }
        | product::Event::PriceChanged { product_id, .. }
        | product::Event::Delisted { product_id }
        | product::Event::Relisted { product_id } => *product_id,
    }
}

fn stocked_product(event: &stock::Event) -> ProductId {
    match event {
        stock::Event::Received { product_id, .. }
        | stock::Event::Adjusted { product_id, .. }
        | stock::Event::Reserved { product_id, .. }
        | stock::Event::Released { product_id, .. }
        | stock::Event::Shipped { product_id, .. }
        | stock::Event::Restocked { product_id, .. } => *product_id,
    }
}

fn fold_product(
    row: Option<Product>,
    event: &product::Event,
    recorded: &Recorded<ShopEvent>,
) -> Result<Product, FoldError> {
    let revision = revision(recorded);
    if let product::Event::Listed { product_id: _, sku, name, description, price } = event {
        absent(row.as_ref())?;
        return Ok(Product {
            sku: sku.to_string(),
            name: name.as_ref().map(ToString::to_string),
            description: description.as_ref().map(ToString::to_string),
            price: price.money(),
            status: ProductStatus::Listed,
            on_hand: 0,
            reserved: 0,
            listed_at: recorded.occurred_at,
            revision,
            stock_revision: None,
        });
    }
    let mut row = Product { revision, ..existing(row)? };
    match event {
        product::Event::Listed { .. } => {}
        product::Event::DetailsChanged { product_id: _, name, description } => {
            row.name = name.as_ref().map(ToString::to_string);
            row.description = description.as_ref().map(ToString::to_string);
        }
        product::Event::PriceChanged { product_id: _, price } => row.price = price.money(),
        product::Event::Delisted { .. } => row.status = ProductStatus::Delisted,
        product::Event::Relisted { .. } => row.status = ProductStatus::Listed,
    }
    Ok(row)
}

/// By how much an event changes what is on hand and what is reserved.
fn move_stock(row: &mut Product, event: &stock::Event) -> Result<(), FoldError> {
    let (on_hand, reserved) = match event {
        stock::Event::Received { quantity, .. } | stock::Event::Restocked { quantity, .. } => {
            (quantity.units(), 0)
        }
        stock::Event::Adjusted { quantity, .. } => (quantity.units(), 0),
        stock::Event::Reserved { quantity, .. } => (0, quantity.units()),
        stock::Event::Released { quantity, .. } => (0, -quantity.units()),
        stock::Event::Shipped { quantity, .. } => (-quantity.units(), -quantity.units()),
    };
    let sum = |before: i64, change: i64| {
        before.checked_add(change).ok_or_else(|| FoldError::new("stock overflows"))
    };
    row.on_hand = sum(row.on_hand, on_hand)?;
    row.reserved = sum(row.reserved, reserved)?;
    if row.reserved < 0 {
        return Err(FoldError::new("the event before it is missing: it gives up more than is reserved"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use domain::ids::OrderId;
    use domain::value::{Price, Quantity, Sku};
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::super::testing::{assert_table_is, recorded};
    use super::*;

    const ID: ProductId = ProductId(Uuid::from_u128(1));
    const ORDER: OrderId = OrderId(Uuid::from_u128(2));

    fn listed() -> product::Event {
        let price = Price::new(Money::new(255, Currency::GBP)).unwrap();
        let sku = Sku::new("85123A").unwrap();
        product::Event::Listed { product_id: ID, sku, name: None, description: None, price }
    }

    fn units(quantity: i64) -> Quantity {
        Quantity::new(quantity).unwrap()
    }

    fn fold(events: Vec<Recorded<ShopEvent>>) -> Result<Option<Product>, FoldError> {
        events.iter().try_fold(None, |row, event| {
            assert_eq!(Products.keys(event), [ID]);
            Products.fold(&ID, row, event)
        })
    }

    #[test]
    fn the_table_is_the_read_models() {
        assert_table_is(&Products, &read_model::catalogue::PRODUCTS);
    }

    #[test]
    fn stock_on_hand_and_reserved_follow_the_movements() {
        let (order_id, product_id) = (ORDER, ID);
        let row = fold(vec![
            recorded(listed(), 1, 0),
            recorded(stock::Event::Received { product_id, quantity: units(10) }, 2, 0),
            recorded(stock::Event::Reserved { product_id, order_id, quantity: units(4) }, 3, 1),
            recorded(stock::Event::Shipped { product_id, order_id, quantity: units(3) }, 4, 2),
            recorded(stock::Event::Released { product_id, order_id, quantity: units(1) }, 5, 3),
            recorded(product::Event::Delisted { product_id }, 6, 1),
        ]);
        let row = row.unwrap().unwrap();
        assert_eq!((row.on_hand, row.reserved), (7, 0));
        assert_eq!((row.revision, row.stock_revision), (1, Some(3)));
        assert_eq!(row.status, ProductStatus::Delisted);
        assert_eq!(row.listed_at, Timestamp::from_microsecond(1).unwrap());
    }

    #[test]
    fn an_event_whose_predecessor_is_missing_cannot_be_folded() {
        let (order_id, product_id) = (ORDER, ID);
        assert!(fold(vec![recorded(product::Event::Delisted { product_id }, 1, 1)]).is_err());
        assert!(
            fold(vec![recorded(stock::Event::Received { product_id, quantity: units(1) }, 1, 0)]).is_err()
        );
        assert!(fold(vec![recorded(listed(), 1, 0), recorded(listed(), 2, 1)]).is_err());
        let released = stock::Event::Released { product_id, order_id, quantity: units(1) };
        assert!(fold(vec![recorded(listed(), 1, 0), recorded(released, 2, 0)]).is_err());
    }

    prop_compose! {
        fn product()(
            (sku, name, description) in (".{1,64}", proptest::option::of(".{1,200}"), proptest::option::of(".{1,99}")),
            (minor, is_gbp, is_listed) in (any::<i64>(), any::<bool>(), any::<bool>()),
            (on_hand, reserved, revision, stock_revision) in any::<(i64, i64, i64, Option<i64>)>(),
            at in -100_000_000_000_000_i64..100_000_000_000_000_000,
        ) -> Product {
            let currency = if is_gbp { Currency::GBP } else { "JPY".parse().unwrap() };
            Product {
                sku, name, description, price: Money::new(minor, currency), on_hand, reserved, revision, stock_revision,
                status: if is_listed { ProductStatus::Listed } else { ProductStatus::Delisted },
                listed_at: Timestamp::from_microsecond(at).unwrap(),
            }
        }
    }

    proptest! {
        #[test]
        fn a_row_is_the_same_after_storing_and_loading(row in product(), id in any::<u128>()) {
            let id = ProductId(Uuid::from_u128(id));
            prop_assert_eq!(engine::law::survives_storage(&Products, &id, &row), Ok(()));
        }
    }
}
