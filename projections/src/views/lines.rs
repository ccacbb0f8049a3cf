//! The lines of orders and returns, as their `jsonb` columns hold them. The shape is the table's, not the events', so
//! that it changes only with the version of the projection.

use std::sync::Arc;

use domain::lines::Line as EventLine;
use engine::{Document, FoldError, LoadError, Stored, Value};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Line {
    pub(super) product_id: Uuid,
    pub(super) sku: String,
    pub(super) description: Option<String>,
    pub(super) quantity: i64,
    /// In the currency of the document.
    pub(super) unit_price_minor: i64,
}

impl Line {
    /// What the line comes to, in minor units.
    pub(super) fn amount_minor(&self) -> i64 {
        // Nothing saturates: `Lines::of` takes no line whose amount does not fit.
        self.quantity.saturating_mul(self.unit_price_minor)
    }
}

/// All lines of a document, shared because a row is cloned for every event that it is folded with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lines(Arc<[Line]>);

impl Lines {
    /// The lines of an event.
    pub(super) fn of(lines: &[EventLine]) -> Result<Self, FoldError> {
        lines.iter().map(line).collect::<Result<_, _>>().map(Self)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Line> {
        self.0.iter()
    }

    /// The value of the column.
    pub(super) fn store(&self) -> Value {
        Document::of(&*self.0).expect("lines are plain structs, which JSON can always hold").into()
    }

    /// The lines in the column.
    pub(super) fn load(stored: &mut Stored) -> Result<Self, LoadError> {
        let lines: Vec<Line> = stored.document()?;
        Ok(Self(lines.into()))
    }
}

fn line(line: &EventLine) -> Result<Line, FoldError> {
    let quantity = line.quantity.units();
    if quantity.checked_mul(line.unit_price_minor).is_none() {
        return Err(FoldError::new("the amount of a line overflows"));
    }
    Ok(Line {
        product_id: line.product_id.0,
        sku: line.sku.to_string(),
        description: line.description.as_ref().map(ToString::to_string),
        quantity,
        unit_price_minor: line.unit_price_minor,
    })
}

/// How many units the lines of an event are, and how many lines.
pub(super) fn count(lines: &[EventLine]) -> Result<(i64, i64), FoldError> {
    let mut units = lines.iter().map(|line| line.quantity.units());
    let units = units.try_fold(0_i64, i64::checked_add);
    units.zip(i64::try_from(lines.len()).ok()).ok_or_else(|| FoldError::new("the number of units overflows"))
}

#[cfg(test)]
pub(super) mod testing {
    use domain::ids::ProductId;
    use domain::value::{Quantity, Sku};
    use proptest::prelude::*;

    use super::*;

    /// A line of an event: so many units of a product, at so many minor units each.
    pub(in super::super) fn of(sku: &str, quantity: i64, unit_price_minor: i64) -> EventLine {
        let sku = Sku::new(sku).unwrap();
        let quantity = Quantity::new(quantity).unwrap();
        EventLine {
            product_id: ProductId::from_sku(&sku),
            sku,
            description: None,
            quantity,
            unit_price_minor,
        }
    }

    prop_compose! {
        fn any_line()(
            (id, sku, description) in (any::<u128>(), ".{1,64}", proptest::option::of("[^\0]{1,40}")),
            (quantity, unit_price_minor) in any::<(i64, i64)>(),
        ) -> Line {
            Line { product_id: Uuid::from_u128(id), sku, description, quantity, unit_price_minor }
        }
    }

    /// Any lines.
    pub(in super::super) fn any_lines() -> impl Strategy<Value = Lines> {
        proptest::collection::vec(any_line(), 0..8).prop_map(|lines| Lines(lines.into()))
    }
}

#[cfg(test)]
mod tests {
    use domain::ids::ProductId;
    use domain::value::{Description, Quantity, Sku};

    use super::*;

    #[test]
    fn the_json_is_that_of_the_table() {
        let product_id = ProductId(Uuid::from_u128(1));
        let description = Some(Description::new("a lantern").unwrap());
        let quantity = Quantity::new(6).unwrap();
        let sku = Sku::new("85123A").unwrap();
        let line = EventLine { product_id, sku, description, quantity, unit_price_minor: 255 };
        let lines = [EventLine { description: None, ..line.clone() }, line];
        let json = serde_json::json!([
            {"productId": product_id, "sku": "85123A", "description": null, "quantity": 6, "unitPriceMinor": 255},
            {"productId": product_id, "sku": "85123A", "description": "a lantern", "quantity": 6, "unitPriceMinor": 255},
        ]);
        let column = |json: &serde_json::Value| Value::from(Document::of(json).unwrap());
        assert_eq!(Lines::of(&lines).unwrap().store(), column(&json));
        let load = |json: serde_json::Value| Lines::load(&mut Stored::new(vec![column(&json)]));
        assert_eq!(load(json).unwrap(), Lines::of(&lines).unwrap());
        assert!(load(serde_json::json!([{"sku": "85123A"}])).is_err());
    }

    #[test]
    fn a_line_whose_amount_does_not_fit_cannot_be_folded() {
        let fits = testing::of("A", 2, i64::MAX / 2);
        assert_eq!(Lines::of(std::slice::from_ref(&fits)).unwrap().0[0].amount_minor(), i64::MAX - 1);
        assert!(Lines::of(&[fits, testing::of("A", 2, i64::MAX / 2 + 1)]).is_err());
    }

    #[test]
    fn units_and_lines_are_counted() {
        assert_eq!(count(&[testing::of("A", 2, 5), testing::of("A", 7, 1)]).unwrap(), (9, 2));
    }
}
