//! View `orders`: who ordered when and for how much, and how far it is. The lines are a view of their own.

use contract::{Currency, Money};
use domain::ShopEvent;
use domain::ids::OrderId;
use domain::order::{Buyer, CancelReason, Event};
use engine::{Column, EntityView, FoldError, LoadError, Recorded, SqlType, Stored, Table, Value};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use read_model::shop::OrderStatus;
use uuid::Uuid;

use super::{absent, existing, lines, revision};

static TABLE: Table = Table {
    name: "orders",
    key: &[Column::new("order_id", SqlType::Uuid)],
    data: &[
        Column::new("number", SqlType::Text).nullable(),
        Column::new("customer_id", SqlType::Uuid).nullable(),
        Column::new("customer_number", SqlType::Text).nullable(),
        Column::new("country", SqlType::Text),
        Column::new("currency", SqlType::Text),
        Column::new("status", SqlType::Text),
        Column::new("cancel_reason", SqlType::Text).nullable(),
        Column::new("placed_at", SqlType::TimestampTz),
        Column::new("sale_day", SqlType::Date),
        Column::new("gross_minor", SqlType::BigInt),
        Column::new("units", SqlType::BigInt),
        Column::new("line_count", SqlType::BigInt),
        Column::new("revision", SqlType::BigInt),
    ],
    person: None,
    history: true,
};

pub(crate) struct Orders {
    /// Whose days the sale days are.
    pub(crate) zone: TimeZone,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Order {
    number: Option<String>,
    /// Id and number; none for a guest.
    pub(super) customer: Option<(Uuid, String)>,
    pub(super) country: String,
    status: OrderStatus,
    cancel_reason: Option<String>,
    placed_at: Timestamp,
    pub(super) sale_day: Date,
    pub(super) gross: Money,
    pub(super) units: i64,
    line_count: i64,
    revision: i64,
}

impl Order {
    /// Whether it counts as a sale: all but cancelled ones do.
    pub(super) fn is_sale(&self) -> bool {
        self.status != OrderStatus::Cancelled
    }
}

impl EntityView for Orders {
    type Event = ShopEvent;
    type Key = OrderId;
    type Row = Order;

    fn table(&self) -> &'static Table {
        &TABLE
    }

    fn keys(&self, event: &Recorded<ShopEvent>) -> Vec<OrderId> {
        match &event.event {
            ShopEvent::Order(
                Event::Placed { order_id, .. }
                | Event::Reserved { order_id }
                | Event::Paid { order_id, .. }
                | Event::Shipped { order_id, .. }
                | Event::Delivered { order_id }
                | Event::Cancelled { order_id, .. },
            ) => vec![*order_id],
            _ => Vec::new(),
        }
    }

    fn fold(
        &self,
        _: &OrderId,
        row: Option<Order>,
        event: &Recorded<ShopEvent>,
    ) -> Result<Option<Order>, FoldError> {
        let ShopEvent::Order(of_order) = &event.event else { return Ok(row) };
        let revision = revision(event);
        if let Event::Placed { number, buyer, country, lines, total, .. } = of_order {
            absent(row.as_ref())?;
            let (units, line_count) = lines::count(lines)?;
            return Ok(Some(Order {
                number: number.as_ref().map(ToString::to_string),
                customer: match buyer {
                    Buyer::Customer(customer) => {
                        Some((customer.user_id.0, customer.customer_number.to_string()))
                    }
                    Buyer::Guest { .. } => None,
                },
                country: country.to_string(),
                status: OrderStatus::Placed,
                cancel_reason: None,
                placed_at: event.occurred_at,
                sale_day: self.zone.to_datetime(event.occurred_at).date(),
                gross: *total,
                units,
                line_count,
                revision,
            }));
        }
        let mut row = Order { revision, ..existing(row)? };
        row.status = match of_order {
            Event::Placed { .. } => OrderStatus::Placed,
            Event::Reserved { .. } => OrderStatus::Reserved,
            Event::Paid { .. } => OrderStatus::Paid,
            Event::Shipped { .. } => OrderStatus::Shipped,
            Event::Delivered { .. } => OrderStatus::Delivered,
            Event::Cancelled { reason, .. } => {
                row.cancel_reason = Some(reason_name(*reason).to_owned());
                OrderStatus::Cancelled
            }
        };
        Ok(Some(row))
    }

    fn store_key(&self, key: &OrderId) -> Vec<Value> {
        vec![key.0.into()]
    }

    fn store(&self, row: &Order) -> Vec<Value> {
        let (customer_id, customer_number) = row.customer.clone().unzip();
        vec![
            row.number.clone().into(),
            customer_id.into(),
            customer_number.into(),
            row.country.as_str().into(),
            row.gross.currency.code().into(),
            row.status.as_str().into(),
            row.cancel_reason.clone().into(),
            row.placed_at.into(),
            row.sale_day.into(),
            row.gross.minor.into(),
            row.units.into(),
            row.line_count.into(),
            row.revision.into(),
        ]
    }

    fn load(&self, _: &OrderId, values: Vec<Value>) -> Result<Order, LoadError> {
        let mut stored = Stored::new(values);
        let number = stored.take()?;
        let customer = Option::zip(stored.take()?, stored.take()?);
        let country = stored.take()?;
        let currency: Currency = stored.parse()?;
        Ok(Order {
            number,
            customer,
            country,
            status: stored.parse()?,
            cancel_reason: stored.take()?,
            placed_at: stored.take()?,
            sale_day: stored.take()?,
            gross: Money::new(stored.take()?, currency),
            units: stored.take()?,
            line_count: stored.take()?,
            revision: stored.take()?,
        })
    }
}

/// The name of a reason in the column.
fn reason_name(reason: CancelReason) -> &'static str {
    match reason {
        CancelReason::Requested => "REQUESTED",
        CancelReason::OutOfStock => "OUT_OF_STOCK",
        CancelReason::PaymentDeclined => "PAYMENT_DECLINED",
        CancelReason::PaymentFailed => "PAYMENT_FAILED",
        CancelReason::ShipmentFailed => "SHIPMENT_FAILED",
    }
}

#[cfg(test)]
mod tests {
    use domain::ids::{PaymentId, ShipmentId, UserId};
    use domain::order::Customer;
    use domain::value::{Country, CustomerNumber, DocumentNumber};
    use proptest::prelude::*;

    use super::super::testing::{assert_table_is, recorded};
    use super::*;

    const ID: OrderId = OrderId(Uuid::from_u128(1));

    fn view(zone: &str) -> Orders {
        Orders { zone: TimeZone::get(zone).unwrap() }
    }

    fn placed(buyer: Buyer) -> Event {
        Event::Placed {
            order_id: ID,
            number: Some(DocumentNumber::new("536365").unwrap()),
            buyer,
            country: Country::new("France").unwrap(),
            currency: Currency::GBP,
            lines: vec![lines::testing::of("A", 6, 255), lines::testing::of("B", 2, 339)],
            total: Money::new(2208, Currency::GBP),
            payment_token: None,
            shipping_token: None,
        }
    }

    fn fold(row: Option<Order>, event: Event, number: u64) -> Result<Order, FoldError> {
        let event = recorded(event, number, number);
        assert_eq!(view("UTC").keys(&event), [ID]);
        view("UTC").fold(&ID, row, &event).map(Option::unwrap)
    }

    const GUEST: Buyer = Buyer::Guest { name: None, email: None };

    #[test]
    fn the_table_is_the_read_models() {
        assert_table_is(&view("UTC"), &read_model::shop::ORDERS);
    }

    #[test]
    fn an_order_goes_its_way_and_keeps_what_was_placed() {
        let customer_number = CustomerNumber::new("17850").unwrap();
        let customer = Customer { user_id: UserId::from_number(&customer_number), customer_number };
        let mut row = fold(None, placed(Buyer::Customer(customer.clone())), 0).unwrap();
        let expected = Order {
            number: Some("536365".to_owned()),
            customer: Some((customer.user_id.0, "17850".to_owned())),
            country: "France".to_owned(),
            status: OrderStatus::Placed,
            cancel_reason: None,
            placed_at: Timestamp::UNIX_EPOCH,
            sale_day: Date::constant(1970, 1, 1),
            gross: Money::new(2208, Currency::GBP),
            units: 8,
            line_count: 2,
            revision: 0,
        };
        assert_eq!(row, expected);
        let steps = [
            (Event::Reserved { order_id: ID }, OrderStatus::Reserved),
            (Event::Paid { order_id: ID, payment_id: PaymentId(Uuid::nil()) }, OrderStatus::Paid),
            (Event::Shipped { order_id: ID, shipment_id: ShipmentId(Uuid::nil()) }, OrderStatus::Shipped),
            (Event::Delivered { order_id: ID }, OrderStatus::Delivered),
        ];
        for ((event, status), number) in steps.into_iter().zip(1..) {
            row = fold(Some(row), event, number).unwrap();
            let revision = number.cast_signed();
            assert_eq!(row, Order { status, revision, ..expected.clone() });
            assert!(row.is_sale());
        }
    }

    #[test]
    fn a_cancelled_order_is_no_sale_and_says_why_under_the_name_that_events_have_for_it() {
        let reasons = [
            CancelReason::Requested,
            CancelReason::OutOfStock,
            CancelReason::PaymentDeclined,
            CancelReason::PaymentFailed,
            CancelReason::ShipmentFailed,
        ];
        for reason in reasons {
            let row = fold(None, placed(GUEST), 0).unwrap();
            assert_eq!(row.customer, None);
            let row = fold(Some(row), Event::Cancelled { order_id: ID, reason, note: None }, 1).unwrap();
            assert_eq!(row.status, OrderStatus::Cancelled);
            assert_eq!(serde_json::to_value(reason).unwrap().as_str(), row.cancel_reason.as_deref());
            assert!(!row.is_sale());
        }
    }

    #[test]
    fn the_sale_day_is_the_shops() {
        for (zone, at, day) in [
            ("UTC", "2010-12-01T23:59:59.999999999Z", "2010-12-01"),
            ("UTC", "2010-12-02T00:00:00Z", "2010-12-02"),
            ("Europe/London", "2011-06-30T22:59:59Z", "2011-06-30"),
            ("Europe/London", "2011-06-30T23:00:00Z", "2011-07-01"),
            ("Europe/London", "2010-12-31T23:00:00Z", "2010-12-31"),
            ("America/New_York", "2011-01-01T04:59:59Z", "2010-12-31"),
            ("Pacific/Kiritimati", "2010-12-31T10:00:00Z", "2011-01-01"),
        ] {
            let event = recorded(placed(GUEST), 1, 0);
            let event = Recorded { occurred_at: at.parse().unwrap(), ..event };
            let row = view(zone).fold(&ID, None, &event).unwrap().unwrap();
            assert_eq!(row.sale_day.to_string(), day, "{at} in {zone}");
        }
    }

    #[test]
    fn an_event_whose_predecessor_is_missing_cannot_be_folded() {
        assert!(fold(None, Event::Delivered { order_id: ID }, 4).is_err());
        let row = fold(None, placed(GUEST), 0).unwrap();
        assert!(fold(Some(row), placed(GUEST), 1).is_err());
    }

    prop_compose! {
        fn any_order()(
            (number, number_of_customer, country) in (proptest::option::of(".{1,64}"), ".{1,64}", ".{1,64}"),
            (customer, is_gbp, gross) in any::<(Option<u128>, bool, i64)>(),
            status in prop::sample::select(vec![OrderStatus::Placed, OrderStatus::Shipped, OrderStatus::Cancelled]),
            cancel_reason in proptest::option::of("[A-Z_]{1,20}"),
            (units, line_count, revision) in any::<(i64, i64, i64)>(),
            at in -100_000_000_000_000_i64..100_000_000_000_000_000,
        ) -> Order {
            let currency = if is_gbp { Currency::GBP } else { "JPY".parse().unwrap() };
            let placed_at = Timestamp::from_microsecond(at).unwrap();
            Order {
                customer: customer.map(|id| (Uuid::from_u128(id), number_of_customer)),
                sale_day: TimeZone::UTC.to_datetime(placed_at).date(),
                gross: Money::new(gross, currency),
                number, country, status, cancel_reason, placed_at, units, line_count, revision,
            }
        }
    }

    proptest! {
        #[test]
        fn a_row_is_the_same_after_storing_and_loading(row in any_order(), id in any::<u128>()) {
            let id = OrderId(Uuid::from_u128(id));
            prop_assert_eq!(engine::law::survives_storage(&view("UTC"), &id, &row), Ok(()));
        }
    }
}
