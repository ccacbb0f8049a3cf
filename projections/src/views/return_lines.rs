//! View `return_lines`: what a return was of, in a row of its own.

use domain::ShopEvent;
use domain::ids::ReturnId;
use domain::returns::Event;
use engine::{Column, EntityView, FoldError, LoadError, Recorded, SqlType, Stored, Table, Value};

use super::absent;
use super::lines::Lines;

static TABLE: Table = Table {
    name: "return_lines",
    key: &[Column::new("return_id", SqlType::Uuid)],
    data: &[Column::new("lines", SqlType::Jsonb)],
    person: None,
    history: true,
};

pub(crate) struct ReturnLines;

impl EntityView for ReturnLines {
    type Event = ShopEvent;
    type Key = ReturnId;
    type Row = Lines;

    fn table(&self) -> &'static Table {
        &TABLE
    }

    fn keys(&self, event: &Recorded<ShopEvent>) -> Vec<ReturnId> {
        match &event.event {
            ShopEvent::Return(Event::Received { return_id, .. }) => vec![*return_id],
            _ => Vec::new(),
        }
    }

    fn fold(
        &self,
        _: &ReturnId,
        row: Option<Lines>,
        event: &Recorded<ShopEvent>,
    ) -> Result<Option<Lines>, FoldError> {
        let ShopEvent::Return(Event::Received { lines, .. }) = &event.event else { return Ok(row) };
        absent(row.as_ref())?;
        Lines::of(lines).map(Some)
    }

    fn store_key(&self, key: &ReturnId) -> Vec<Value> {
        vec![key.0.into()]
    }

    fn store(&self, row: &Lines) -> Vec<Value> {
        vec![row.store()]
    }

    fn load(&self, _: &ReturnId, values: Vec<Value>) -> Result<Lines, LoadError> {
        Lines::load(&mut Stored::new(values))
    }
}

#[cfg(test)]
mod tests {
    use contract::{Currency, Money};
    use domain::value::Country;
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::super::lines::testing::{any_lines, of};
    use super::super::testing::{assert_table_is, recorded};
    use super::*;

    const ID: ReturnId = ReturnId(Uuid::from_u128(1));

    #[test]
    fn the_table_is_the_read_models() {
        assert_table_is(&ReturnLines, &read_model::shop::RETURN_LINES);
    }

    #[test]
    fn only_receiving_touches_the_lines() {
        let lines = vec![of("A", 1, 255), of("B", 1, 0)];
        let received = recorded(
            Event::Received {
                return_id: ID,
                number: None,
                order_id: None,
                customer: None,
                country: Country::new("EIRE").unwrap(),
                currency: Currency::GBP,
                lines: lines.clone(),
                total: Money::new(255, Currency::GBP),
            },
            1,
            0,
        );
        assert_eq!(ReturnLines.keys(&received), [ID]);
        assert_eq!(ReturnLines.keys(&recorded(Event::Restocked { return_id: ID, order_id: None }, 2, 1)), []);
        let row = ReturnLines.fold(&ID, None, &received).unwrap();
        assert_eq!(row, Some(Lines::of(&lines).unwrap()));
        assert!(ReturnLines.fold(&ID, row, &received).is_err());
    }

    proptest! {
        #[test]
        fn a_row_is_the_same_after_storing_and_loading(row in any_lines()) {
            prop_assert_eq!(engine::law::survives_storage(&ReturnLines, &ID, &row), Ok(()));
        }
    }
}
