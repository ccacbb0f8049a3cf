//! View `payments`: what was asked for an order, and how much of it came in and went back.

use contract::{Currency, Money};
use domain::ShopEvent;
use domain::ids::PaymentId;
use domain::payment::Event;
use engine::{Column, EntityView, FoldError, LoadError, Recorded, SqlType, Stored, Table, Value};
use jiff::Timestamp;
use read_model::shop::PaymentStatus;
use uuid::Uuid;

use super::{absent, existing, revision};

static TABLE: Table = Table {
    name: "payments",
    key: &[Column::new("payment_id", SqlType::Uuid)],
    data: &[
        Column::new("order_id", SqlType::Uuid),
        Column::new("amount_minor", SqlType::BigInt),
        Column::new("currency", SqlType::Text),
        Column::new("status", SqlType::Text),
        Column::new("reference", SqlType::Text).nullable(),
        Column::new("decline_reason", SqlType::Text).nullable(),
        Column::new("refunded_minor", SqlType::BigInt),
        Column::new("requested_at", SqlType::TimestampTz),
        Column::new("revision", SqlType::BigInt),
    ],
    person: None,
    history: true,
};

pub(crate) struct Payments;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Payment {
    order_id: Uuid,
    amount: Money,
    status: PaymentStatus,
    reference: Option<String>,
    decline_reason: Option<String>,
    /// In the currency of the amount.
    refunded_minor: i64,
    requested_at: Timestamp,
    revision: i64,
}

impl EntityView for Payments {
    type Event = ShopEvent;
    type Key = PaymentId;
    type Row = Payment;

    fn table(&self) -> &'static Table {
        &TABLE
    }

    fn keys(&self, event: &Recorded<ShopEvent>) -> Vec<PaymentId> {
        match &event.event {
            ShopEvent::Payment(
                Event::Requested { payment_id, .. }
                | Event::Authorized { payment_id, .. }
                | Event::Captured { payment_id, .. }
                | Event::Declined { payment_id, .. }
                | Event::Refunded { payment_id, .. },
            ) => vec![*payment_id],
            _ => Vec::new(),
        }
    }

    fn fold(
        &self,
        _: &PaymentId,
        row: Option<Payment>,
        event: &Recorded<ShopEvent>,
    ) -> Result<Option<Payment>, FoldError> {
        let ShopEvent::Payment(of_payment) = &event.event else { return Ok(row) };
        let revision = revision(event);
        if let Event::Requested { payment_id: _, order_id, amount, token: _ } = of_payment {
            absent(row.as_ref())?;
            return Ok(Some(Payment {
                order_id: order_id.0,
                amount: amount.money(),
                status: PaymentStatus::Requested,
                reference: None,
                decline_reason: None,
                refunded_minor: 0,
                requested_at: event.occurred_at,
                revision,
            }));
        }
        let mut row = Payment { revision, ..existing(row)? };
        match of_payment {
            Event::Requested { .. } => {}
            Event::Authorized { reference, .. } => {
                row.status = PaymentStatus::Authorized;
                row.reference = Some(reference.to_string());
            }
            Event::Captured { .. } => row.status = PaymentStatus::Captured,
            Event::Declined { reason, .. } => {
                row.status = PaymentStatus::Declined;
                row.decline_reason = Some(reason.to_string());
            }
            Event::Refunded { amount, .. } => {
                let before = Money::new(row.refunded_minor, row.amount.currency);
                let after = before.checked_add(amount.money());
                row.refunded_minor = after.map_err(|error| FoldError::new(error.to_string()))?.minor;
            }
        }
        Ok(Some(row))
    }

    fn store_key(&self, key: &PaymentId) -> Vec<Value> {
        vec![key.0.into()]
    }

    fn store(&self, row: &Payment) -> Vec<Value> {
        vec![
            row.order_id.into(),
            row.amount.minor.into(),
            row.amount.currency.code().into(),
            row.status.as_str().into(),
            row.reference.clone().into(),
            row.decline_reason.clone().into(),
            row.refunded_minor.into(),
            row.requested_at.into(),
            row.revision.into(),
        ]
    }

    fn load(&self, _: &PaymentId, values: Vec<Value>) -> Result<Payment, LoadError> {
        let mut stored = Stored::new(values);
        let (order_id, minor) = (stored.take()?, stored.take()?);
        let currency: Currency = stored.parse()?;
        Ok(Payment {
            order_id,
            amount: Money::new(minor, currency),
            status: stored.parse()?,
            reference: stored.take()?,
            decline_reason: stored.take()?,
            refunded_minor: stored.take()?,
            requested_at: stored.take()?,
            revision: stored.take()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use domain::ids::{OrderId, ReturnId};
    use domain::value::{GatewayReference, Price, Reason};
    use proptest::prelude::*;

    use super::super::testing::{assert_table_is, recorded};
    use super::*;

    const ID: PaymentId = PaymentId(Uuid::from_u128(1));
    const ORDER: OrderId = OrderId(Uuid::from_u128(2));

    fn price(minor: i64) -> Price {
        Price::new(Money::new(minor, Currency::GBP)).unwrap()
    }

    fn requested() -> Event {
        Event::Requested { payment_id: ID, order_id: ORDER, amount: price(1000), token: None }
    }

    fn refunded(amount: Price) -> Event {
        let return_id = Some(ReturnId(Uuid::nil()));
        Event::Refunded { payment_id: ID, order_id: ORDER, return_id, amount }
    }

    fn fold(events: Vec<Event>) -> Result<Payment, FoldError> {
        let folded = events.into_iter().zip(0..).try_fold(None, |row, (event, number)| {
            let event = recorded(event, number, number);
            assert_eq!(Payments.keys(&event), [ID]);
            Payments.fold(&ID, row, &event)
        });
        folded.map(Option::unwrap)
    }

    #[test]
    fn the_table_is_the_read_models() {
        assert_table_is(&Payments, &read_model::shop::PAYMENTS);
    }

    #[test]
    fn a_payment_comes_in_and_goes_back_in_parts() {
        let (payment_id, order_id) = (ID, ORDER);
        let reference = GatewayReference::new("auth-1").unwrap();
        let row = fold(vec![
            requested(),
            Event::Authorized { payment_id, order_id, reference },
            Event::Captured { payment_id, order_id, amount: price(1000) },
            refunded(price(300)),
            refunded(price(50)),
        ]);
        let expected = Payment {
            order_id: ORDER.0,
            amount: price(1000).money(),
            status: PaymentStatus::Captured,
            reference: Some("auth-1".to_owned()),
            decline_reason: None,
            refunded_minor: 350,
            requested_at: Timestamp::UNIX_EPOCH,
            revision: 4,
        };
        assert_eq!(row, Ok(expected));
    }

    #[test]
    fn a_declined_payment_says_why() {
        let reason = Reason::new("no cover").unwrap();
        let row =
            fold(vec![requested(), Event::Declined { payment_id: ID, order_id: ORDER, reason }]).unwrap();
        assert_eq!((row.status, row.decline_reason.as_deref()), (PaymentStatus::Declined, Some("no cover")));
    }

    #[test]
    fn an_event_that_cannot_follow_cannot_be_folded() {
        assert!(fold(vec![refunded(price(1))]).is_err());
        assert!(fold(vec![requested(), requested()]).is_err());
        assert!(fold(vec![requested(), refunded(price(i64::MAX)), refunded(price(1))]).is_err());
        let yen = Price::new(Money::new(1, "JPY".parse().unwrap())).unwrap();
        assert!(fold(vec![requested(), refunded(yen)]).is_err());
    }

    prop_compose! {
        fn any_payment()(
            (order_id, is_gbp, minor, refunded_minor, revision) in any::<(u128, bool, i64, i64, i64)>(),
            status in prop::sample::select(vec![PaymentStatus::Requested, PaymentStatus::Authorized, PaymentStatus::Declined]),
            (reference, decline_reason) in (proptest::option::of(".{1,128}"), proptest::option::of(".{1,200}")),
            at in -100_000_000_000_000_i64..100_000_000_000_000_000,
        ) -> Payment {
            let currency = if is_gbp { Currency::GBP } else { "JPY".parse().unwrap() };
            Payment {
                order_id: Uuid::from_u128(order_id), amount: Money::new(minor, currency), status, reference,
                decline_reason, refunded_minor, requested_at: Timestamp::from_microsecond(at).unwrap(), revision,
            }
        }
    }

    proptest! {
        #[test]
        fn a_row_is_the_same_after_storing_and_loading(row in any_payment()) {
            prop_assert_eq!(engine::law::survives_storage(&Payments, &ID, &row), Ok(()));
        }
    }
}
