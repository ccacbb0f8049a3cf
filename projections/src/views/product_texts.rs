//! View `product_texts`: what the search index holds, and nothing else, so that it changes only with the text. A
//! product that left the catalogue stays as a row marked deleted.

use domain::ShopEvent;
use domain::ids::ProductId;
use domain::product::Event;
use engine::{Column, EntityView, FoldError, LoadError, Recorded, SqlType, Stored, Table, Value};

use super::{absent, existing};

static TABLE: Table = Table {
    name: "product_texts",
    key: &[Column::new("product_id", SqlType::Uuid)],
    data: &[
        Column::new("sku", SqlType::Text),
        Column::new("name", SqlType::Text).nullable(),
        Column::new("description", SqlType::Text).nullable(),
        Column::new("deleted", SqlType::Boolean),
    ],
    person: None,
    history: false,
};

pub(crate) struct ProductTexts;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ProductText {
    sku: String,
    name: Option<String>,
    description: Option<String>,
    deleted: bool,
}

impl EntityView for ProductTexts {
    type Event = ShopEvent;
    type Key = ProductId;
    type Row = ProductText;

    fn table(&self) -> &'static Table {
        &TABLE
    }

    fn keys(&self, event: &Recorded<ShopEvent>) -> Vec<ProductId> {
        match &event.event {
            ShopEvent::Product(
                Event::Listed { product_id, .. }
                | Event::DetailsChanged { product_id, .. }
                | Event::Delisted { product_id }
                | Event::Relisted { product_id },
            ) => vec![*product_id],
            _ => Vec::new(),
        }
    }

    fn fold(
        &self,
        _: &ProductId,
        row: Option<ProductText>,
        event: &Recorded<ShopEvent>,
    ) -> Result<Option<ProductText>, FoldError> {
        let ShopEvent::Product(event) = &event.event else { return Ok(row) };
        if let Event::Listed { product_id: _, sku, name, description, price: _ } = event {
            absent(row.as_ref())?;
            return Ok(Some(ProductText {
                sku: sku.to_string(),
                name: name.as_ref().map(ToString::to_string),
                description: description.as_ref().map(ToString::to_string),
                deleted: false,
            }));
        }
        let mut row = existing(row)?;
        match event {
            Event::Listed { .. } | Event::PriceChanged { .. } => {}
            Event::DetailsChanged { product_id: _, name, description } => {
                row.name = name.as_ref().map(ToString::to_string);
                row.description = description.as_ref().map(ToString::to_string);
            }
            Event::Delisted { .. } => row.deleted = true,
            Event::Relisted { .. } => row.deleted = false,
        }
        Ok(Some(row))
    }

    fn store_key(&self, key: &ProductId) -> Vec<Value> {
        vec![key.0.into()]
    }

    fn store(&self, row: &ProductText) -> Vec<Value> {
        vec![
            row.sku.as_str().into(),
            row.name.clone().into(),
            row.description.clone().into(),
            row.deleted.into(),
        ]
    }

    fn load(&self, _: &ProductId, values: Vec<Value>) -> Result<ProductText, LoadError> {
        let mut stored = Stored::new(values);
        Ok(ProductText {
            sku: stored.take()?,
            name: stored.take()?,
            description: stored.take()?,
            deleted: stored.take()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use contract::{Currency, Money};
    use domain::value::{Price, ProductName, Sku};
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::super::testing::{assert_table_is, recorded};
    use super::*;

    const ID: ProductId = ProductId(Uuid::from_u128(1));

    #[test]
    fn the_table_is_the_read_models() {
        assert_table_is(&ProductTexts, &read_model::catalogue::PRODUCT_TEXTS);
    }

    #[test]
    fn a_price_names_no_row_and_a_delisted_product_stays_marked() {
        let price = Price::new(Money::new(255, Currency::GBP)).unwrap();
        let sku = Sku::new("85123A").unwrap();
        let name = Some(ProductName::new("Lantern").unwrap());
        let priced = recorded(Event::PriceChanged { product_id: ID, price }, 2, 1);
        assert_eq!(ProductTexts.keys(&priced), []);
        let listed = Event::Listed { product_id: ID, sku, name, description: None, price };
        let row = ProductTexts.fold(&ID, None, &recorded(listed, 1, 0)).unwrap();
        let row = ProductTexts.fold(&ID, row, &recorded(Event::Delisted { product_id: ID }, 3, 2)).unwrap();
        let expected = ProductText {
            sku: "85123A".into(),
            name: Some("Lantern".into()),
            description: None,
            deleted: true,
        };
        assert_eq!(row, Some(expected));
        let relisted = recorded(Event::Relisted { product_id: ID }, 4, 3);
        assert!(!ProductTexts.fold(&ID, row, &relisted).unwrap().unwrap().deleted);
        assert!(ProductTexts.fold(&ID, None, &relisted).is_err());
    }

    proptest! {
        #[test]
        fn a_row_is_the_same_after_storing_and_loading(
            (sku, name, description) in (".{1,64}", proptest::option::of(".{1,200}"), proptest::option::of(".{1,99}")),
            deleted in any::<bool>(),
        ) {
            let row = ProductText { sku, name, description, deleted };
            prop_assert_eq!(engine::law::survives_storage(&ProductTexts, &ID, &row), Ok(()));
        }
    }
}
