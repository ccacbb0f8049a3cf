//! Ids of aggregates. What has a natural key takes its id from the key, so that "no stream yet" is the uniqueness
//! check; everything else takes it from the command.

use uuid::Uuid;

use crate::value::{CustomerNumber, DocumentNumber, Sku};

/// The namespace of every id that comes from a natural key. It never changes: ids in the log depend on it.
const NAMESPACE: Uuid = Uuid::from_u128(0x5f0c_b1d5_6e0f_4b5c_9d7a_3c1e_8a42_97f6);

id!(
    /// A product, and the stock of it.
    ProductId
);
id!(
    /// A registered customer.
    UserId
);
id!(
    /// An order.
    OrderId
);
id!(
    /// A payment of an order.
    PaymentId
);
id!(
    /// A shipment of an order.
    ShipmentId
);
id!(
    /// A return of goods.
    ReturnId
);
id!(
    /// Whose personal data it is: a registered customer, or the order of a guest.
    PersonId
);

impl ProductId {
    /// The id of the product with this stock-keeping unit.
    #[must_use]
    pub fn from_sku(sku: &Sku) -> Self {
        Self(from_key("product", sku.as_str()))
    }
}

impl UserId {
    /// The id of the customer with this number.
    #[must_use]
    pub fn from_number(number: &CustomerNumber) -> Self {
        Self(from_key("user", number.as_str()))
    }
}

impl OrderId {
    /// The id of the order with this number of its own, such as an invoice's.
    #[must_use]
    pub fn from_number(number: &DocumentNumber) -> Self {
        Self(from_key("order", number.as_str()))
    }
}

impl ReturnId {
    /// The id of the return with this number of its own, such as a credit note's.
    #[must_use]
    pub fn from_number(number: &DocumentNumber) -> Self {
        Self(from_key("return", number.as_str()))
    }
}

impl PaymentId {
    /// The payment that the order itself asks for.
    #[must_use]
    pub fn of_order(order: OrderId) -> Self {
        Self(Uuid::new_v5(&order.0, b"payment"))
    }
}

impl ShipmentId {
    /// The shipment that the order itself asks for.
    #[must_use]
    pub fn of_order(order: OrderId) -> Self {
        Self(Uuid::new_v5(&order.0, b"shipment"))
    }
}

impl From<UserId> for PersonId {
    fn from(user: UserId) -> Self {
        Self(user.0)
    }
}

impl From<OrderId> for PersonId {
    fn from(order: OrderId) -> Self {
        Self(order.0)
    }
}

/// UUIDv5 of the kind and the key: kinds cannot meet, no key contains what separates them from it.
fn from_key(kind: &str, key: &str) -> Uuid {
    Uuid::new_v5(&NAMESPACE, format!("{kind}:{key}").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_natural_keys_never_change() {
        let sku = Sku::new("85123A").unwrap();
        assert_eq!(ProductId::from_sku(&sku).to_string(), "8bba6a01-af0d-54c7-a096-93f2997a139b");
        let number = CustomerNumber::new("17850").unwrap();
        assert_eq!(UserId::from_number(&number).to_string(), "5452a3cb-1303-546f-89f2-1a9d4730a804");
        let document = DocumentNumber::new("536365").unwrap();
        assert_eq!(OrderId::from_number(&document).to_string(), "b77c4c00-ad32-5edc-8899-3f80cff94b0b");
        assert_eq!(ReturnId::from_number(&document).to_string(), "dbad2ace-e481-5efd-81c7-1a5e8b8ba275");
    }

    #[test]
    fn ids_of_what_belongs_to_an_order_never_change() {
        let order = OrderId::from_number(&DocumentNumber::new("536365").unwrap());
        assert_eq!(PaymentId::of_order(order).to_string(), "1665dffb-7cd1-55a3-8900-075b09a8d842");
        assert_eq!(ShipmentId::of_order(order).to_string(), "ffe6a7d0-6a72-5d03-9722-6d8718c0a242");
    }

    #[test]
    fn keys_are_case_sensitive() {
        let id = |sku| ProductId::from_sku(&Sku::new(sku).unwrap());
        assert_ne!(id("m"), id("M"));
    }

    #[test]
    fn an_id_reads_back_from_its_text() {
        let id = OrderId(Uuid::from_u128(7));
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!("order".parse::<OrderId>().is_err());
    }
}
