//! View `order_lines`: what an order was of, in a row of its own, so that no step of the order loads it.

use domain::ShopEvent;
use domain::ids::OrderId;
use domain::order::Event;
use engine::{Column, EntityView, FoldError, LoadError, Recorded, SqlType, Stored, Table, Value};
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::lines::Lines;
use super::{absent, existing};

static TABLE: Table = Table {
    name: "order_lines",
    key: &[Column::new("order_id", SqlType::Uuid)],
    data: &[
        Column::new("lines", SqlType::Jsonb),
        Column::new("sale_day", SqlType::Date),
        Column::new("cancelled", SqlType::Boolean),
    ],
    person: None,
    history: true,
};

pub(crate) struct OrderLines {
    /// Whose days the sale days are.
    pub(crate) zone: TimeZone,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LinesOfOrder {
    pub(super) lines: Lines,
    pub(super) sale_day: Date,
    pub(super) cancelled: bool,
}

impl EntityView for OrderLines {
    type Event = ShopEvent;
    type Key = OrderId;
    type Row = LinesOfOrder;

    fn table(&self) -> &'static Table {
        &TABLE
    }

    fn keys(&self, event: &Recorded<ShopEvent>) -> Vec<OrderId> {
        match &event.event {
            ShopEvent::Order(Event::Placed { order_id, .. } | Event::Cancelled { order_id, .. }) => {
                vec![*order_id]
            }
            _ => Vec::new(),
        }
    }

    fn fold(
        &self,
        _: &OrderId,
        row: Option<LinesOfOrder>,
        event: &Recorded<ShopEvent>,
    ) -> Result<Option<LinesOfOrder>, FoldError> {
        match &event.event {
            ShopEvent::Order(Event::Placed { lines, .. }) => {
                absent(row.as_ref())?;
                Ok(Some(LinesOfOrder {
                    lines: Lines::of(lines)?,
                    sale_day: self.zone.to_datetime(event.occurred_at).date(),
                    cancelled: false,
                }))
            }
            ShopEvent::Order(Event::Cancelled { .. }) => {
                Ok(Some(LinesOfOrder { cancelled: true, ..existing(row)? }))
            }
            _ => Ok(row),
        }
    }

    fn store_key(&self, key: &OrderId) -> Vec<Value> {
        vec![key.0.into()]
    }

    fn store(&self, row: &LinesOfOrder) -> Vec<Value> {
        vec![row.lines.store(), row.sale_day.into(), row.cancelled.into()]
    }

    fn load(&self, _: &OrderId, values: Vec<Value>) -> Result<LinesOfOrder, LoadError> {
        let mut stored = Stored::new(values);
        Ok(LinesOfOrder {
            lines: Lines::load(&mut stored)?,
            sale_day: stored.take()?,
            cancelled: stored.take()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use contract::{Currency, Money};
    use domain::order::{Buyer, CancelReason};
    use domain::value::Country;
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::super::lines::testing::{any_lines, of};
    use super::super::testing::{assert_table_is, recorded};
    use super::*;

    const ID: OrderId = OrderId(Uuid::from_u128(1));
    const VIEW: OrderLines = OrderLines { zone: TimeZone::UTC };

    #[test]
    fn the_table_is_the_read_models() {
        assert_table_is(&VIEW, &read_model::shop::ORDER_LINES);
    }

    #[test]
    fn only_placing_and_cancelling_touch_the_lines() {
        let lines = vec![of("A", 6, 255), of("A", 2, 250)];
        let placed = Event::Placed {
            order_id: ID,
            number: None,
            buyer: Buyer::Guest { name: None, email: None },
            country: Country::new("France").unwrap(),
            currency: Currency::GBP,
            lines: lines.clone(),
            total: Money::new(2030, Currency::GBP),
            payment_token: None,
            shipping_token: None,
        };
        let cancelled = Event::Cancelled { order_id: ID, reason: CancelReason::OutOfStock, note: None };
        let (placed, cancelled) = (recorded(placed, 1, 0), recorded(cancelled, 2, 1));
        assert_eq!((VIEW.keys(&placed), VIEW.keys(&cancelled)), (vec![ID], vec![ID]));
        assert_eq!(VIEW.keys(&recorded(Event::Delivered { order_id: ID }, 3, 2)), []);

        let row = VIEW.fold(&ID, None, &placed).unwrap();
        let sale_day = Date::constant(1970, 1, 1);
        let expected = LinesOfOrder { lines: Lines::of(&lines).unwrap(), sale_day, cancelled: false };
        assert_eq!(row.as_ref(), Some(&expected));
        assert!(VIEW.fold(&ID, row.clone(), &placed).is_err());
        assert_eq!(
            VIEW.fold(&ID, row, &cancelled).unwrap(),
            Some(LinesOfOrder { cancelled: true, ..expected })
        );
        assert!(VIEW.fold(&ID, None, &cancelled).is_err());
    }

    proptest! {
        #[test]
        fn a_row_is_the_same_after_storing_and_loading(
            (lines, cancelled) in (any_lines(), any::<bool>()),
            day in -700_000_i32..2_000_000,
        ) {
            let sale_day = Date::constant(1970, 1, 1) + jiff::Span::new().days(day);
            let row = LinesOfOrder { lines, sale_day, cancelled };
            prop_assert_eq!(engine::law::survives_storage(&VIEW, &ID, &row), Ok(()));
        }
    }
}
