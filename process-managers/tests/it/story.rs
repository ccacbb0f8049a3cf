//! Given what happened, then what is asked for; and events to tell it with.

use std::fmt::Debug;

use contract::{Currency, LogPosition, Money};
use domain::ids::{OrderId, PaymentId, ProductId, ShipmentId};
use domain::lines::Line;
use domain::order::{self, Buyer, CancelReason};
use domain::value::{Country, GatewayReference, GatewayToken, Price, Quantity, Reason, Sku};
use domain::{ShopEvent, payment, process, shipment, stock};
use engine::{Reaction, Recorded, Saga};
use event_store::{EventId, Metadata, RecordedEvent, Revision, StreamId};
use jiff::Timestamp;
use uuid::Uuid;

/// A saga and what has become of it so far.
pub struct Story<S: Saga<Event = ShopEvent>> {
    saga: S,
    id: Uuid,
    state: Option<S::State>,
    asked: Vec<S::Command>,
}

impl<S: Saga<Event = ShopEvent>> Story<S> {
    pub fn new(saga: S, id: Uuid) -> Self {
        Self { saga, id, state: None, asked: Vec::new() }
    }

    /// An event happens; what it calls for is in [`Story::asks`].
    #[track_caller]
    pub fn on(mut self, event: impl Into<ShopEvent>) -> Self {
        self.tell(event.into());
        self
    }

    /// Folds an event as the engine does, and gives what it calls for.
    #[track_caller]
    pub fn tell(&mut self, event: ShopEvent) -> &[S::Command] {
        let event = recorded(event, self.saga.name());
        assert_eq!(self.saga.id(&event), Some(self.id), "{event:?}");
        let before = self.state.clone();
        let after = self.saga.fold(self.id, before.clone(), &event).unwrap();
        let reactions = after.as_ref().map(|after| self.saga.react(before.as_ref(), &event, after));
        let send = |reaction| match reaction {
            Reaction::Send(command) => command,
            other => panic!("{other:?}"),
        };
        self.asked = reactions.unwrap_or_default().into_iter().map(send).collect();
        if let Some(state) = &after {
            let json = serde_json::to_value(state).unwrap();
            let loaded: S::State = serde_json::from_value(json).unwrap();
            assert!(loaded == *state, "a state survives storage");
        }
        for command in &self.asked {
            let json = serde_json::to_value(command).unwrap();
            assert_eq!(&serde_json::from_value::<S::Command>(json).unwrap(), command);
        }
        self.state = after;
        &self.asked
    }

    /// What the last event called for.
    #[track_caller]
    pub fn asks(self, expected: impl IntoIterator<Item = S::Command>) -> Self
    where
        S::Command: Debug + PartialEq,
    {
        assert_eq!(self.asked, expected.into_iter().collect::<Vec<_>>());
        self
    }

    #[track_caller]
    pub fn asks_nothing(self) -> Self {
        self.asks([])
    }

    #[track_caller]
    pub fn stands_at(self, step: &str) -> Self {
        assert_eq!(self.saga.step(self.state.as_ref().unwrap()), step);
        self
    }

    #[track_caller]
    pub fn goes_on(self) -> Self {
        assert!(!self.is_over() && self.trouble().is_none());
        self
    }

    #[track_caller]
    pub fn stands_with(self, reason: &str) -> Self {
        let trouble = self.trouble().unwrap();
        assert!(trouble.contains(reason) && !self.is_over(), "{trouble}");
        self
    }

    #[track_caller]
    pub fn ends(self) -> Self {
        let state = serde_json::to_string_pretty(&self.state).unwrap();
        assert!(self.is_over(), "{state}");
        self
    }

    pub fn is_over(&self) -> bool {
        self.state.as_ref().is_some_and(|state| self.saga.is_over(state))
    }

    pub fn trouble(&self) -> Option<String> {
        self.state.as_ref().and_then(|state| self.saga.trouble(state))
    }

    pub fn state(&self) -> Option<&S::State> {
        self.state.as_ref()
    }
}

/// The event with the envelope that it has in the log.
pub fn recorded(event: ShopEvent, saga: &str) -> Recorded<ShopEvent> {
    let stream = match &event {
        ShopEvent::Process(process::Event::CommandRefused { saga_id, .. }) => StreamId::new(saga, saga_id),
        other => StreamId::new(category(other), &subject(other)),
    };
    let event_type = event.event_type().name.to_owned();
    let record = RecordedEvent {
        stream,
        id: EventId(Uuid::from_u128(1)),
        revision: Revision(0),
        position: LogPosition(1),
        event_type,
        data: Vec::new().into(),
        metadata: Metadata::of_command(Uuid::nil(), 1, Timestamp::UNIX_EPOCH),
        recorded_at: Timestamp::UNIX_EPOCH,
    };
    Recorded::new(event, record)
}

fn category(event: &ShopEvent) -> &'static str {
    match event {
        ShopEvent::Order(_) => order::CATEGORY,
        ShopEvent::Stock(_) => stock::CATEGORY,
        ShopEvent::Payment(_) => payment::CATEGORY,
        ShopEvent::Shipment(_) => shipment::CATEGORY,
        ShopEvent::Return(_) => domain::returns::CATEGORY,
        other => panic!("{other:?}"),
    }
}

/// The aggregate's id, which every event carries as its first field that names its own kind.
fn subject(event: &ShopEvent) -> Uuid {
    let data = domain::codec::encode(event).data;
    let field = match event {
        ShopEvent::Order(_) => "orderId",
        ShopEvent::Stock(_) => "productId",
        ShopEvent::Payment(_) => "paymentId",
        ShopEvent::Shipment(_) => "shipmentId",
        _ => "returnId",
    };
    data[field].as_str().unwrap().parse().unwrap()
}

pub const ORDER: OrderId = OrderId(Uuid::from_u128(0x0DE));

pub fn payment_id() -> PaymentId {
    PaymentId::of_order(ORDER)
}

pub fn shipment_id() -> ShipmentId {
    ShipmentId::of_order(ORDER)
}

/// A product that comes before those with higher numbers.
pub const fn product(number: u128) -> ProductId {
    ProductId(Uuid::from_u128(number))
}

pub fn units(units: i64) -> Quantity {
    Quantity::new(units).unwrap()
}

pub fn pounds(minor: i64) -> Price {
    Price::new(Money::new(minor, Currency::GBP)).unwrap()
}

pub fn reference(text: &str) -> GatewayReference {
    GatewayReference::new(text).unwrap()
}

pub fn token(text: &str) -> GatewayToken {
    GatewayToken::new(text).unwrap()
}

pub fn reason(text: &str) -> Reason {
    Reason::new(text).unwrap()
}

pub fn line(product_id: ProductId, quantity: i64, unit_price_minor: i64) -> Line {
    let sku = Sku::new("MUG").unwrap();
    Line { product_id, sku, description: None, quantity: units(quantity), unit_price_minor }
}

pub fn placed(lines: Vec<Line>) -> order::Event {
    let total = lines.iter().map(|line| line.unit_price_minor * line.quantity.units()).sum();
    order::Event::Placed {
        order_id: ORDER,
        number: None,
        buyer: Buyer::Guest { name: None, email: None },
        country: Country::new("France").unwrap(),
        currency: Currency::GBP,
        lines,
        total: Money::new(total, Currency::GBP),
        payment_token: Some(token("card")),
        shipping_token: Some(token("door")),
    }
}

pub fn cancelled(reason: CancelReason) -> order::Event {
    order::Event::Cancelled { order_id: ORDER, reason, note: None }
}

pub fn reserved(product_id: ProductId, quantity: i64) -> stock::Event {
    stock::Event::Reserved { product_id, order_id: ORDER, quantity: units(quantity) }
}

pub fn released(product_id: ProductId, quantity: i64) -> stock::Event {
    stock::Event::Released { product_id, order_id: ORDER, quantity: units(quantity) }
}

pub fn shipped(product_id: ProductId, quantity: i64) -> stock::Event {
    stock::Event::Shipped { product_id, order_id: ORDER, quantity: units(quantity) }
}

/// That a command was refused, or with no code that it had nothing to change.
pub fn refused(saga_id: Uuid, command: &str, subject_id: Uuid, code: Option<&str>) -> process::Event {
    process::Event::CommandRefused {
        saga_id,
        command_id: Uuid::nil(),
        command: command.to_owned(),
        subject_id,
        code: code.map(str::to_owned),
        message: "because".to_owned(),
    }
}
