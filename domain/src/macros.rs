//! The tables that aggregates fill in: ids, texts, event types, codes of rejections.

/// An id: a UUID that cannot be taken for another kind's.
macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub uuid::Uuid);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, uuid::Error> {
                uuid::Uuid::try_parse(text).map(Self)
            }
        }
    };
}

/// A text that is checked once, when it is made: `identifier` for one line without outer blanks, `line` for one
/// line, `prose` for any text; then the most characters it may have.
macro_rules! text {
    ($(#[$doc:meta])* $name:ident, $what:literal, $shape:ident, $characters_max:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(try_from = "String")]
        pub struct $name(String);

        impl $name {
            /// The most characters it may have.
            pub const CHARACTERS_MAX: usize = $characters_max;

            /// Checks a text and takes it.
            ///
            /// # Errors
            /// It is empty, too long or has characters that do not belong there.
            pub fn new(text: &str) -> Result<Self, $crate::value::InvalidValue> {
                Self::try_from(text.to_owned())
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = $crate::value::InvalidValue;

            fn try_from(text: String) -> Result<Self, $crate::value::InvalidValue> {
                $crate::value::check::$shape($what, &text, Self::CHARACTERS_MAX)?;
                Ok(Self(text))
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

/// The wire names of an aggregate's events with the schema version that is written today.
macro_rules! event_types {
    ($($variant:ident = $name:literal v $version:literal;)+) => {
        impl Event {
            /// Every event type of the aggregate.
            pub const TYPES: &'static [$crate::codec::EventType] = &[$($crate::codec::EventType {
                name: $name,
                version: $version,
                variant: stringify!($variant),
            },)+];

            /// The event's type.
            #[must_use]
            pub const fn event_type(&self) -> $crate::codec::EventType {
                match self {
                    $(Self::$variant { .. } => $crate::codec::EventType {
                        name: $name,
                        version: $version,
                        variant: stringify!($variant),
                    },)+
                }
            }
        }
    };
}

/// The line of each rejection in the table of errors.
macro_rules! rejection_codes {
    ($($variant:ident => $code:ident,)+) => {
        impl Rejection {
            /// Every rejection by name.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($variant),)+];

            /// Its name.
            #[must_use]
            pub const fn name(&self) -> &'static str {
                match self { $(Self::$variant { .. } => stringify!($variant),)+ }
            }

            /// Its line in the table of errors.
            #[must_use]
            pub const fn code(&self) -> contract::ErrorCode {
                match self { $(Self::$variant { .. } => contract::ErrorCode::$code,)+ }
            }
        }

        impl std::fmt::Display for Rejection {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.code().message())
            }
        }

        impl std::error::Error for Rejection {}

        impl $crate::decider::Refusal for Rejection {
            fn name(&self) -> &'static str {
                Self::name(self)
            }

            fn code(&self) -> contract::ErrorCode {
                Self::code(self)
            }

            fn details(&self) -> Option<serde_json::Value> {
                Self::details(self)
            }
        }
    };
}
