//! The closed table of errors that a client can meet, one line each: REST answers with the status and the body,
//! GraphQL with the same code in `extensions.code`. A public message never carries an internal cause.

use serde::{Deserialize, Serialize};

macro_rules! error_table {
    ($($(#[$doc:meta])* $variant:ident = $status:literal $code:literal: $message:literal;)+) => {
        /// What went wrong, as a client sees it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ErrorCode {
            $(#[doc = $message] $(#[$doc])* $variant,)+
        }

        impl ErrorCode {
            /// Every code, in the order of the table.
            pub const ALL: &'static [ErrorCode] = &[$(ErrorCode::$variant,)+];

            /// The stable name that clients compare, in upper snake case.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(ErrorCode::$variant => $code,)+ }
            }

            /// The HTTP status of a REST answer with this code.
            #[must_use]
            pub const fn http_status(self) -> u16 {
                match self { $(ErrorCode::$variant => $status,)+ }
            }

            /// The sentence used when nothing more precise can be said.
            #[must_use]
            pub const fn message(self) -> &'static str {
                match self { $(ErrorCode::$variant => $message,)+ }
            }
        }
    };
}

error_table! {
    // The request itself.
    MalformedJson = 400 "MALFORMED_JSON": "the body is not valid JSON";
    BadRequest = 400 "BAD_REQUEST": "the request cannot be understood";
    RouteNotFound = 404 "ROUTE_NOT_FOUND": "there is nothing at this address";
    MethodNotAllowed = 405 "METHOD_NOT_ALLOWED": "this address does not take this method";
    BodyTimeout = 408 "BODY_TIMEOUT": "the body of the request did not come in time";
    PreconditionFailed = 412 "PRECONDITION_FAILED": "the revision in If-Match is not the current one";
    BodyTooLarge = 413 "BODY_TOO_LARGE": "the body is larger than 1 MiB";
    EventTooLarge = 413 "EVENT_TOO_LARGE": "the command would write an event larger than 900 KiB";
    UnsupportedMediaType = 415 "UNSUPPORTED_MEDIA_TYPE": "the body must be application/json";
    InvalidInput = 422 "INVALID_INPUT": "a field has the wrong shape or value";
    UnknownReference = 422 "UNKNOWN_REFERENCE": "the request names something that does not exist";
    IdempotencyKeyReused = 422 "IDEMPOTENCY_KEY_REUSED": "this Idempotency-Key was used with another request";
    ConflictExhausted = 409 "CONFLICT_EXHAUSTED": "others kept changing this at the same time; try again";

    // Products.
    ProductNotFound = 404 "PRODUCT_NOT_FOUND": "there is no such product";
    ProductAlreadyListed = 409 "PRODUCT_ALREADY_LISTED": "the product is listed already";
    ProductDelisted = 409 "PRODUCT_DELISTED": "the product is not listed any more";
    CurrencyMismatch = 409 "CURRENCY_MISMATCH": "another currency is in use here";

    // Stock.
    StockNotFound = 404 "STOCK_NOT_FOUND": "nothing is known of the stock of this product";
    InsufficientStock = 409 "INSUFFICIENT_STOCK": "there is not enough stock";
    AlreadyReserved = 409 "ALREADY_RESERVED": "this order has a reservation already";
    ReservationNotFound = 409 "RESERVATION_NOT_FOUND": "this order has no open reservation";
    QuantityOverflow = 409 "QUANTITY_OVERFLOW": "the quantity would grow past what can be counted";

    // Users.
    UserNotFound = 404 "USER_NOT_FOUND": "there is no such user";
    UserAlreadyRegistered = 409 "USER_ALREADY_REGISTERED": "this customer number is registered already";
    UserDeactivated = 409 "USER_DEACTIVATED": "the user is deactivated";

    PersonErased = 409 "PERSON_ERASED": "the personal data of this person was erased, and nothing can be added to it";

    // Lines of orders and returns.
    NoLines = 422 "NO_LINES": "there is no line";
    TooManyLines = 422 "TOO_MANY_LINES": "there are more than 5,000 lines";
    AmountOverflow = 422 "AMOUNT_OVERFLOW": "the amount is larger than can be counted";

    // Orders.
    OrderNotFound = 404 "ORDER_NOT_FOUND": "there is no such order";
    OrderAlreadyPlaced = 409 "ORDER_ALREADY_PLACED": "the order is placed already";
    OrderNotReserved = 409 "ORDER_NOT_RESERVED": "the goods of the order are not reserved yet";
    OrderNotPaid = 409 "ORDER_NOT_PAID": "the order is not paid yet";
    OrderNotShipped = 409 "ORDER_NOT_SHIPPED": "the order is not shipped yet";
    OrderAlreadyPaid = 409 "ORDER_ALREADY_PAID": "the order is paid by another payment";
    OrderAlreadyShipped = 409 "ORDER_ALREADY_SHIPPED": "the order is shipped already";
    OrderAlreadyDelivered = 409 "ORDER_ALREADY_DELIVERED": "the order is delivered already";
    OrderCancelled = 409 "ORDER_CANCELLED": "the order is cancelled";

    // Payments.
    PaymentNotFound = 404 "PAYMENT_NOT_FOUND": "there is no such payment";
    PaymentAlreadyRequested = 409 "PAYMENT_ALREADY_REQUESTED": "the payment is requested already";
    PaymentNotAuthorized = 409 "PAYMENT_NOT_AUTHORIZED": "the payment is not authorized yet";
    PaymentAlreadyAuthorized = 409 "PAYMENT_ALREADY_AUTHORIZED": "the payment is authorized already";
    PaymentNotCaptured = 409 "PAYMENT_NOT_CAPTURED": "the payment is not captured yet";
    PaymentAlreadyCaptured = 409 "PAYMENT_ALREADY_CAPTURED": "the payment is captured already";
    PaymentDeclined = 409 "PAYMENT_DECLINED": "the payment was declined";
    RefundTooLarge = 409 "REFUND_TOO_LARGE": "the refunds would be larger than the payment";
    AlreadyRefunded = 409 "ALREADY_REFUNDED": "this was refunded already, in another way";

    // Shipments.
    ShipmentNotFound = 404 "SHIPMENT_NOT_FOUND": "there is no such shipment";
    ShipmentAlreadyRequested = 409 "SHIPMENT_ALREADY_REQUESTED": "the shipment is requested already";
    ShipmentNotDispatched = 409 "SHIPMENT_NOT_DISPATCHED": "the shipment is not dispatched yet";
    ShipmentAlreadyDispatched = 409 "SHIPMENT_ALREADY_DISPATCHED": "the shipment is dispatched already";
    ShipmentAlreadyDelivered = 409 "SHIPMENT_ALREADY_DELIVERED": "the shipment is delivered already";
    ShipmentFailed = 409 "SHIPMENT_FAILED": "the shipment failed";

    // Returns.
    ReturnNotFound = 404 "RETURN_NOT_FOUND": "there is no such return";
    ReturnAlreadyReceived = 409 "RETURN_ALREADY_RECEIVED": "the return is received already";

    // Reading.
    ReadModelBehind = 503 "READ_MODEL_BEHIND": "the read model has not reached the requested position";
    AsOfTooOld = 409 "AS_OF_TOO_OLD": "the past is not kept as far back as that";
    AsOfNotYet = 503 "AS_OF_NOT_YET": "the read model has not come as far as that";
    AsOfMixed = 422 "AS_OF_MIXED": "all fields of an operation must be asked as of one moment";
    OtherLog = 409 "OTHER_LOG": "the position belongs to another log";
    InvalidCursor = 422 "INVALID_CURSOR": "the cursor was not given out by this query";
    PageSizeOutOfRange = 422 "PAGE_SIZE_OUT_OF_RANGE": "a page has between 1 and 100 items";
    QueryTooDeep = 422 "QUERY_TOO_DEEP": "the query is nested too deeply";
    QueryTooComplex = 422 "QUERY_TOO_COMPLEX": "the query asks for too much at once";
    InvalidQuery = 400 "INVALID_QUERY": "the GraphQL document is not valid";

    // The service.
    TooManyRequests = 429 "TOO_MANY_REQUESTS": "too many requests at once; try again shortly";
    OutcomeUnknown = 503 "OUTCOME_UNKNOWN": "it is not known whether the command was carried out; send it again with the same Idempotency-Key";
    Unavailable = 503 "UNAVAILABLE": "a part of the service is not reachable; try again shortly";
    Timeout = 503 "TIMEOUT": "the request took too long";
    Internal = 500 "INTERNAL": "something went wrong on our side";
}

impl Serialize for ErrorCode {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for ErrorCode {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::ALL
            .iter()
            .copied()
            .find(|code| code.as_str() == text)
            .ok_or_else(|| serde::de::Error::custom(format!("unknown error code {text}")))
    }
}

/// An error as it goes to a client, in REST wrapped as `{"error": …}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiError {
    /// Which line of the table.
    pub code: ErrorCode,
    /// One sentence for a person; safe to show.
    pub message: String,
    /// Names the request in logs and traces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// What a program may want to know besides, such as the field or the actual revision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details: Option<serde_json::Value>,
}

impl ApiError {
    /// An error with the table's own sentence.
    #[must_use]
    pub fn new(code: ErrorCode) -> Self {
        Self { code, message: code.message().to_owned(), request_id: None, details: None }
    }

    /// The same with a more precise sentence.
    #[must_use]
    pub fn with_message(mut self, message: impl Into<String>) -> Self {
        self.message = message.into();
        self
    }

    /// The same with details for a program.
    #[must_use]
    pub fn with_details(mut self, details: serde_json::Value) -> Self {
        self.details = Some(details);
        self
    }
}

impl From<ErrorCode> for ApiError {
    fn from(code: ErrorCode) -> Self {
        Self::new(code)
    }
}

impl std::fmt::Display for ApiError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.message)
    }
}

impl std::error::Error for ApiError {}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_code_has_a_name_of_its_own_and_an_error_status() {
        let names: HashSet<_> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(names.len(), ErrorCode::ALL.len());
        for code in ErrorCode::ALL {
            assert!((400..600).contains(&code.http_status()), "{code:?}");
            assert!(!code.message().ends_with('.'), "{code:?}: messages carry no full stop");
        }
    }

    #[test]
    fn an_error_round_trips_through_json() {
        let error =
            ApiError::new(ErrorCode::InsufficientStock).with_details(serde_json::json!({"onHand": 3}));
        let json = serde_json::to_string(&error).unwrap();
        assert_eq!(
            json,
            r#"{"code":"INSUFFICIENT_STOCK","message":"there is not enough stock","details":{"onHand":3}}"#
        );
        assert_eq!(serde_json::from_str::<ApiError>(&json).unwrap(), error);
    }
}
