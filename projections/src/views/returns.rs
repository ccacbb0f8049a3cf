//! View `returns`: who gave back for how much, and what became of the goods and the money. The lines are a view of
//! their own.

use contract::{Currency, Money};
use domain::ShopEvent;
use domain::ids::ReturnId;
use domain::returns::Event;
use engine::{Column, EntityView, FoldError, LoadError, Recorded, SqlType, Stored, Table, Value};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use uuid::Uuid;

use super::{absent, existing, lines, revision};

static TABLE: Table = Table {
    name: "returns",
    key: &[Column::new("return_id", SqlType::Uuid)],
    data: &[
        Column::new("number", SqlType::Text).nullable(),
        Column::new("order_id", SqlType::Uuid).nullable(),
        Column::new("customer_id", SqlType::Uuid).nullable(),
        Column::new("customer_number", SqlType::Text).nullable(),
        Column::new("country", SqlType::Text),
        Column::new("currency", SqlType::Text),
        Column::new("restocked", SqlType::Boolean),
        Column::new("refunded", SqlType::Boolean),
        Column::new("received_at", SqlType::TimestampTz),
        Column::new("return_day", SqlType::Date),
        Column::new("returned_minor", SqlType::BigInt),
        Column::new("units", SqlType::BigInt),
        Column::new("line_count", SqlType::BigInt),
        Column::new("revision", SqlType::BigInt),
    ],
    person: None,
    history: true,
};

pub(crate) struct Returns {
    /// Whose days the return days are.
    pub(crate) zone: TimeZone,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Return {
    number: Option<String>,
    order_id: Option<Uuid>,
    /// Id and number, if it is known who gave back.
    customer: Option<(Uuid, String)>,
    country: String,
    restocked: bool,
    refunded: bool,
    received_at: Timestamp,
    pub(super) return_day: Date,
    pub(super) returned: Money,
    units: i64,
    line_count: i64,
    revision: i64,
}

impl EntityView for Returns {
    type Event = ShopEvent;
    type Key = ReturnId;
    type Row = Return;

    fn table(&self) -> &'static Table {
        &TABLE
    }

    fn keys(&self, event: &Recorded<ShopEvent>) -> Vec<ReturnId> {
        match &event.event {
            ShopEvent::Return(
                Event::Received { return_id, .. }
                | Event::Restocked { return_id, .. }
                | Event::Refunded { return_id, .. },
            ) => vec![*return_id],
            _ => Vec::new(),
        }
    }

    fn fold(
        &self,
        _: &ReturnId,
        row: Option<Return>,
        event: &Recorded<ShopEvent>,
    ) -> Result<Option<Return>, FoldError> {
        let ShopEvent::Return(of_return) = &event.event else { return Ok(row) };
        let revision = revision(event);
        if let Event::Received { number, order_id, customer, country, lines, total, .. } = of_return {
            absent(row.as_ref())?;
            let (units, line_count) = lines::count(lines)?;
            return Ok(Some(Return {
                number: number.as_ref().map(ToString::to_string),
                order_id: order_id.map(|order| order.0),
                customer: customer
                    .as_ref()
                    .map(|customer| (customer.user_id.0, customer.customer_number.to_string())),
                country: country.to_string(),
                restocked: false,
                refunded: false,
                received_at: event.occurred_at,
                return_day: self.zone.to_datetime(event.occurred_at).date(),
                returned: *total,
                units,
                line_count,
                revision,
            }));
        }
        let mut row = Return { revision, ..existing(row)? };
        match of_return {
            Event::Received { .. } => {}
            Event::Restocked { .. } => row.restocked = true,
            Event::Refunded { .. } => row.refunded = true,
        }
        Ok(Some(row))
    }

    fn store_key(&self, key: &ReturnId) -> Vec<Value> {
        vec![key.0.into()]
    }

    fn store(&self, row: &Return) -> Vec<Value> {
        let (customer_id, customer_number) = row.customer.clone().unzip();
        vec![
            row.number.clone().into(),
            row.order_id.into(),
            customer_id.into(),
            customer_number.into(),
            row.country.as_str().into(),
            row.returned.currency.code().into(),
            row.restocked.into(),
            row.refunded.into(),
            row.received_at.into(),
            row.return_day.into(),
            row.returned.minor.into(),
            row.units.into(),
            row.line_count.into(),
            row.revision.into(),
        ]
    }

    fn load(&self, _: &ReturnId, values: Vec<Value>) -> Result<Return, LoadError> {
        let mut stored = Stored::new(values);
        let (number, order_id) = (stored.take()?, stored.take()?);
        let customer = Option::zip(stored.take()?, stored.take()?);
        let country = stored.take()?;
        let currency: Currency = stored.parse()?;
        Ok(Return {
            number,
            order_id,
            customer,
            country,
            restocked: stored.take()?,
            refunded: stored.take()?,
            received_at: stored.take()?,
            return_day: stored.take()?,
            returned: Money::new(stored.take()?, currency),
            units: stored.take()?,
            line_count: stored.take()?,
            revision: stored.take()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use domain::ids::{OrderId, UserId};
    use domain::order::Customer;
    use domain::value::{Country, CustomerNumber};
    use proptest::prelude::*;

    use super::super::testing::{assert_table_is, recorded};
    use super::*;

    const ID: ReturnId = ReturnId(Uuid::from_u128(1));
    const ORDER: Option<OrderId> = Some(OrderId(Uuid::from_u128(2)));
    const VIEW: Returns = Returns { zone: TimeZone::UTC };

    fn received(customer: Option<Customer>) -> Event {
        Event::Received {
            return_id: ID,
            number: None,
            order_id: ORDER,
            customer,
            country: Country::new("EIRE").unwrap(),
            currency: Currency::GBP,
            lines: vec![lines::testing::of("A", 6, 255)],
            total: Money::new(1530, Currency::GBP),
        }
    }

    fn fold(events: Vec<Event>) -> Result<Return, FoldError> {
        let folded = events.into_iter().zip(0..).try_fold(None, |row, (event, number)| {
            let event = recorded(event, number, number);
            assert_eq!(VIEW.keys(&event), [ID]);
            VIEW.fold(&ID, row, &event)
        });
        folded.map(Option::unwrap)
    }

    #[test]
    fn the_table_is_the_read_models() {
        assert_table_is(&VIEW, &read_model::shop::RETURNS);
    }

    #[test]
    fn a_return_is_restocked_and_refunded_each_on_its_own() {
        let customer_number = CustomerNumber::new("17850").unwrap();
        let customer = Customer { user_id: UserId::from_number(&customer_number), customer_number };
        let expected = Return {
            number: None,
            order_id: Some(Uuid::from_u128(2)),
            customer: Some((customer.user_id.0, "17850".to_owned())),
            country: "EIRE".to_owned(),
            restocked: false,
            refunded: true,
            received_at: Timestamp::UNIX_EPOCH,
            return_day: Date::constant(1970, 1, 1),
            returned: Money::new(1530, Currency::GBP),
            units: 6,
            line_count: 1,
            revision: 1,
        };
        let amount = Money::new(1530, Currency::GBP);
        let refunded = Event::Refunded { return_id: ID, order_id: ORDER, payment_id: None, amount };
        let restocked = Event::Restocked { return_id: ID, order_id: ORDER };
        let received = received(Some(customer));
        assert_eq!(fold(vec![received.clone(), refunded.clone()]), Ok(expected.clone()));
        let both = Return { restocked: true, revision: 2, ..expected };
        assert_eq!(fold(vec![received, refunded, restocked]), Ok(both));
    }

    #[test]
    fn the_return_day_is_the_shops() {
        let zone = TimeZone::get("America/New_York").unwrap();
        for (at, day) in [("2011-01-01T04:59:59Z", "2010-12-31"), ("2011-01-01T05:00:00Z", "2011-01-01")] {
            let event = Recorded { occurred_at: at.parse().unwrap(), ..recorded(received(None), 1, 0) };
            let row = Returns { zone: zone.clone() }.fold(&ID, None, &event).unwrap().unwrap();
            assert_eq!((row.return_day.to_string().as_str(), row.customer), (day, None));
        }
    }

    #[test]
    fn an_event_whose_predecessor_is_missing_cannot_be_folded() {
        assert!(fold(vec![Event::Restocked { return_id: ID, order_id: None }]).is_err());
        assert!(fold(vec![received(None), received(None)]).is_err());
    }

    prop_compose! {
        fn any_return()(
            (number, number_of_customer, country) in (proptest::option::of(".{1,64}"), ".{1,64}", ".{1,64}"),
            (order, customer, is_gbp, returned) in any::<(Option<u128>, Option<u128>, bool, i64)>(),
            (restocked, refunded, units, line_count, revision) in any::<(bool, bool, i64, i64, i64)>(),
            at in -100_000_000_000_000_i64..100_000_000_000_000_000,
        ) -> Return {
            let currency = if is_gbp { Currency::GBP } else { "JPY".parse().unwrap() };
            let received_at = Timestamp::from_microsecond(at).unwrap();
            Return {
                order_id: order.map(Uuid::from_u128),
                customer: customer.map(|id| (Uuid::from_u128(id), number_of_customer)),
                return_day: TimeZone::UTC.to_datetime(received_at).date(),
                returned: Money::new(returned, currency),
                number, country, restocked, refunded, received_at, units, line_count, revision,
            }
        }
    }

    proptest! {
        #[test]
        fn a_row_is_the_same_after_storing_and_loading(row in any_return()) {
            prop_assert_eq!(engine::law::survives_storage(&VIEW, &ID, &row), Ok(()));
        }
    }
}
