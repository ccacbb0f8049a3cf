//! The events of all aggregates in one type: what the log holds.

use crate::codec::EventType;
use crate::ids::PersonId;
use crate::{order, payment, process, product, returns, shipment, stock, user};

macro_rules! shop_events {
    ($($aggregate:ident: $module:ident,)+) => {
        /// An event of any aggregate.
        #[derive(Debug, Clone, PartialEq)]
        pub enum ShopEvent {
            $(#[doc = concat!("Of `", stringify!($module), "`.")] $aggregate($module::Event),)+
        }

        impl ShopEvent {
            /// Every event type there is.
            pub fn types() -> impl Iterator<Item = &'static EventType> {
                [$($module::Event::TYPES,)+].into_iter().flatten()
            }

            /// The event's type.
            #[must_use]
            pub const fn event_type(&self) -> EventType {
                match self { $(ShopEvent::$aggregate(event) => event.event_type(),)+ }
            }

            /// Whose personal data the event may hold.
            #[must_use]
            pub fn person(&self) -> Option<PersonId> {
                match self { $(ShopEvent::$aggregate(event) => event.person(),)+ }
            }

            /// The event's data as JSON, in an object with the variant as its one key.
            pub(crate) fn to_json(&self) -> serde_json::Result<serde_json::Value> {
                match self { $(ShopEvent::$aggregate(event) => serde_json::to_value(event),)+ }
            }

            /// The event of the type of this name; `None` for a type that nobody here writes.
            pub(crate) fn find_type(name: &str) -> Option<(&'static EventType, Readers)> {
                $(if let Some(found) = $module::Event::TYPES.iter().find(|known| known.name == name) {
                    return Some((found, Readers {
                        from_value: |json| serde_json::from_value(json).map(ShopEvent::$aggregate),
                        from_slice: |json| serde_json::from_slice(json).map(ShopEvent::$aggregate),
                    }));
                })+
                None
            }
        }

        $(
            impl From<$module::Event> for ShopEvent {
                fn from(event: $module::Event) -> Self {
                    ShopEvent::$aggregate(event)
                }
            }

            impl TryFrom<ShopEvent> for $module::Event {
                type Error = OtherAggregate;

                fn try_from(event: ShopEvent) -> Result<Self, OtherAggregate> {
                    match event {
                        ShopEvent::$aggregate(event) => Ok(event),
                        _ => Err(OtherAggregate),
                    }
                }
            }
        )+
    };
}

/// Reads an event from JSON as [`ShopEvent::to_json`] writes it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Readers {
    pub(crate) from_value: fn(serde_json::Value) -> serde_json::Result<ShopEvent>,
    pub(crate) from_slice: fn(&[u8]) -> serde_json::Result<ShopEvent>,
}

/// The event is one of another aggregate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the event belongs to another aggregate")]
pub struct OtherAggregate;

shop_events! {
    Product: product,
    Stock: stock,
    User: user,
    Order: order,
    Payment: payment,
    Shipment: shipment,
    Return: returns,
    Process: process,
}
