//! View `shipments`: the way of an order's goods to the buyer.

use domain::ShopEvent;
use domain::ids::ShipmentId;
use domain::shipment::Event;
use engine::{Column, EntityView, FoldError, LoadError, Recorded, SqlType, Stored, Table, Value};
use jiff::Timestamp;
use read_model::shop::ShipmentStatus;
use uuid::Uuid;

use super::{absent, existing, revision};

static TABLE: Table = Table {
    name: "shipments",
    key: &[Column::new("shipment_id", SqlType::Uuid)],
    data: &[
        Column::new("order_id", SqlType::Uuid),
        Column::new("status", SqlType::Text),
        Column::new("reference", SqlType::Text).nullable(),
        Column::new("failure_reason", SqlType::Text).nullable(),
        Column::new("requested_at", SqlType::TimestampTz),
        Column::new("dispatched_at", SqlType::TimestampTz).nullable(),
        Column::new("delivered_at", SqlType::TimestampTz).nullable(),
        Column::new("revision", SqlType::BigInt),
    ],
    person: None,
    history: true,
};

pub(crate) struct Shipments;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Shipment {
    order_id: Uuid,
    status: ShipmentStatus,
    reference: Option<String>,
    failure_reason: Option<String>,
    requested_at: Timestamp,
    dispatched_at: Option<Timestamp>,
    delivered_at: Option<Timestamp>,
    revision: i64,
}

impl EntityView for Shipments {
    type Event = ShopEvent;
    type Key = ShipmentId;
    type Row = Shipment;

    fn table(&self) -> &'static Table {
        &TABLE
    }

    fn keys(&self, event: &Recorded<ShopEvent>) -> Vec<ShipmentId> {
        match &event.event {
            ShopEvent::Shipment(
                Event::Requested { shipment_id, .. }
                | Event::Dispatched { shipment_id, .. }
                | Event::Delivered { shipment_id, .. }
                | Event::Failed { shipment_id, .. },
            ) => vec![*shipment_id],
            _ => Vec::new(),
        }
    }

    fn fold(
        &self,
        _: &ShipmentId,
        row: Option<Shipment>,
        event: &Recorded<ShopEvent>,
    ) -> Result<Option<Shipment>, FoldError> {
        let ShopEvent::Shipment(of_shipment) = &event.event else { return Ok(row) };
        let revision = revision(event);
        if let Event::Requested { shipment_id: _, order_id, token: _ } = of_shipment {
            absent(row.as_ref())?;
            return Ok(Some(Shipment {
                order_id: order_id.0,
                status: ShipmentStatus::Requested,
                reference: None,
                failure_reason: None,
                requested_at: event.occurred_at,
                dispatched_at: None,
                delivered_at: None,
                revision,
            }));
        }
        let mut row = Shipment { revision, ..existing(row)? };
        match of_shipment {
            Event::Requested { .. } => {}
            Event::Dispatched { reference, .. } => {
                row.status = ShipmentStatus::Dispatched;
                row.reference = Some(reference.to_string());
                row.dispatched_at = Some(event.occurred_at);
            }
            Event::Delivered { .. } => {
                row.status = ShipmentStatus::Delivered;
                row.delivered_at = Some(event.occurred_at);
            }
            Event::Failed { reason, .. } => {
                row.status = ShipmentStatus::Failed;
                row.failure_reason = Some(reason.to_string());
            }
        }
        Ok(Some(row))
    }

    fn store_key(&self, key: &ShipmentId) -> Vec<Value> {
        vec![key.0.into()]
    }

    fn store(&self, row: &Shipment) -> Vec<Value> {
        vec![
            row.order_id.into(),
            row.status.as_str().into(),
            row.reference.clone().into(),
            row.failure_reason.clone().into(),
            row.requested_at.into(),
            row.dispatched_at.into(),
            row.delivered_at.into(),
            row.revision.into(),
        ]
    }

    fn load(&self, _: &ShipmentId, values: Vec<Value>) -> Result<Shipment, LoadError> {
        let mut stored = Stored::new(values);
        Ok(Shipment {
            order_id: stored.take()?,
            status: stored.parse()?,
            reference: stored.take()?,
            failure_reason: stored.take()?,
            requested_at: stored.take()?,
            dispatched_at: stored.take()?,
            delivered_at: stored.take()?,
            revision: stored.take()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use domain::ids::OrderId;
    use domain::value::{GatewayReference, Reason};
    use proptest::prelude::*;

    use super::super::testing::{assert_table_is, recorded};
    use super::*;

    const ID: ShipmentId = ShipmentId(Uuid::from_u128(1));
    const ORDER: OrderId = OrderId(Uuid::from_u128(2));

    fn requested() -> Event {
        Event::Requested { shipment_id: ID, order_id: ORDER, token: None }
    }

    fn dispatched() -> Event {
        let reference = GatewayReference::new("parcel-1").unwrap();
        Event::Dispatched { shipment_id: ID, order_id: ORDER, reference }
    }

    fn fold(events: Vec<Event>) -> Result<Shipment, FoldError> {
        let folded = events.into_iter().zip(0..).try_fold(None, |row, (event, number)| {
            let event = recorded(event, number, number);
            assert_eq!(Shipments.keys(&event), [ID]);
            Shipments.fold(&ID, row, &event)
        });
        folded.map(Option::unwrap)
    }

    #[test]
    fn the_table_is_the_read_models() {
        assert_table_is(&Shipments, &read_model::shop::SHIPMENTS);
    }

    #[test]
    fn a_shipment_knows_when_it_left_and_when_it_arrived() {
        let delivered = Event::Delivered { shipment_id: ID, order_id: ORDER };
        let at = |microseconds| Timestamp::from_microsecond(microseconds).unwrap();
        let expected = Shipment {
            order_id: ORDER.0,
            status: ShipmentStatus::Delivered,
            reference: Some("parcel-1".to_owned()),
            failure_reason: None,
            requested_at: at(0),
            dispatched_at: Some(at(1)),
            delivered_at: Some(at(2)),
            revision: 2,
        };
        assert_eq!(fold(vec![requested(), dispatched(), delivered]), Ok(expected));
    }

    #[test]
    fn a_failed_shipment_says_why() {
        let reason = Reason::new("lost").unwrap();
        let failed = Event::Failed { shipment_id: ID, order_id: ORDER, reason };
        let row = fold(vec![requested(), dispatched(), failed]).unwrap();
        assert_eq!((row.status, row.failure_reason.as_deref()), (ShipmentStatus::Failed, Some("lost")));
        assert_eq!(row.delivered_at, None);
    }

    #[test]
    fn an_event_whose_predecessor_is_missing_cannot_be_folded() {
        assert!(fold(vec![dispatched()]).is_err());
        assert!(fold(vec![requested(), requested()]).is_err());
    }

    prop_compose! {
        fn any_shipment()(
            (order_id, revision) in any::<(u128, i64)>(),
            status in prop::sample::select(vec![ShipmentStatus::Requested, ShipmentStatus::Delivered, ShipmentStatus::Failed]),
            (reference, failure_reason) in (proptest::option::of(".{1,128}"), proptest::option::of(".{1,200}")),
            requested in -100_000_000_000_000_i64..100_000_000_000_000_000,
            (dispatched, delivered) in proptest::option::of((0..10_000_i64, proptest::option::of(0..10_000_i64))).prop_map(
                |steps| (steps.map(|(dispatched, _)| dispatched), steps.and_then(|(_, delivered)| delivered))
            ),
        ) -> Shipment {
            let at = |at| Timestamp::from_microsecond(at).unwrap();
            Shipment {
                order_id: Uuid::from_u128(order_id), status, reference, failure_reason, requested_at: at(requested),
                dispatched_at: dispatched.map(at), delivered_at: delivered.map(at), revision,
            }
        }
    }

    proptest! {
        #[test]
        fn a_row_is_the_same_after_storing_and_loading(row in any_shipment()) {
            prop_assert_eq!(engine::law::survives_storage(&Shipments, &ID, &row), Ok(()));
        }
    }
}
