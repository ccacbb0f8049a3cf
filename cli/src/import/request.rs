//! The requests that a plan comes to. Each may be sent again at any time, by this run or another, without doing
//! anything twice: products and customers are known by their natural keys, all else by an `Idempotency-Key` that
//! comes from the file alone.

use contract::{ErrorCode, Money};
use domain::ids::ProductId;
use domain::value::{Description, Reason};
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::plan::{Adjustment, Customer, Document, Product, Sale};
use super::row::CURRENCY;

/// The most characters of an `Idempotency-Key` that the API takes.
const KEY_CHARACTERS_MAX: usize = 200;

/// What stays as it is in a key; all else is percent-encoded, so parts cannot run into each other.
const KEY_ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// What a request brings in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// A customer.
    Customers,
    /// A product.
    Products,
    /// What is there of a product before the file begins.
    OpeningStock,
    /// An order.
    Orders,
    /// A return.
    Returns,
    /// A correction of a product's stock.
    Adjustments,
}

impl Kind {
    /// Every kind, in the order in which they are sent.
    pub const ALL: [Self; 6] =
        [Self::Customers, Self::Products, Self::OpeningStock, Self::Orders, Self::Returns, Self::Adjustments];

    /// What a person calls it.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Customers => "customers",
            Self::Products => "products",
            Self::OpeningStock => "opening stock",
            Self::Orders => "orders",
            Self::Returns => "returns",
            Self::Adjustments => "adjustments",
        }
    }

    /// The refusals that say that it is there already, from whomever.
    #[must_use]
    pub const fn exists(self) -> &'static [ErrorCode] {
        match self {
            Self::Customers => &[ErrorCode::UserAlreadyRegistered],
            Self::Products => &[ErrorCode::ProductAlreadyListed, ErrorCode::ProductDelisted],
            Self::OpeningStock | Self::Orders | Self::Returns | Self::Adjustments => &[],
        }
    }
}

/// A request, ready to be sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// What it brings in.
    pub kind: Kind,
    /// Which one, for a person.
    pub subject: String,
    /// Below the service's address.
    pub path: String,
    /// The `Idempotency-Key`, unless a natural key does its work.
    pub key: Option<String>,
    /// The JSON body.
    pub body: Value,
}

/// Registers a customer.
#[must_use]
pub fn register(customer: &Customer) -> Request {
    Request {
        kind: Kind::Customers,
        subject: format!("customer {}", customer.number),
        path: "/v1/users".to_owned(),
        key: None,
        body: json!({ "customerNumber": customer.number, "country": customer.country }),
    }
}

/// Takes a product into the catalogue.
#[must_use]
pub fn list(product: &Product) -> Request {
    Request {
        kind: Kind::Products,
        subject: format!("product {}", product.sku),
        path: "/v1/products".to_owned(),
        key: None,
        body: json!({ "sku": product.sku, "name": product.name, "price": product.list_price }),
    }
}

/// Receives a product's opening stock; none when there is nothing to receive.
#[must_use]
pub fn receive_opening(product: &Product, digest: &str) -> Option<Request> {
    (product.opening > 0).then(|| Request {
        kind: Kind::OpeningStock,
        subject: format!("opening stock of {}", product.sku),
        path: format!("/v1/stock/{}/receive", ProductId::from_sku(&product.sku)),
        key: Some(key(&["opening", digest, product.sku.as_str()])),
        body: json!({ "quantity": product.opening }),
    })
}

/// Sends a document.
#[must_use]
pub fn bring_in(document: &Document) -> Request {
    match document {
        Document::Order(sale) => sold(Kind::Orders, "order", "/v1/orders", sale),
        Document::Return(sale) => sold(Kind::Returns, "return", "/v1/returns", sale),
        Document::Adjustment(adjustment) => adjust(adjustment),
    }
}

/// The body of an order or a return.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SaleBody<'a> {
    number: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    customer_number: Option<&'a str>,
    country: &'a str,
    currency: &'a str,
    lines: Vec<LineBody<'a>>,
    occurred_at: Timestamp,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LineBody<'a> {
    sku: &'a str,
    quantity: i64,
    unit_price: Money,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
}

fn sold(kind: Kind, noun: &str, path: &str, sale: &Sale) -> Request {
    let body = SaleBody {
        number: sale.number.as_str(),
        customer_number: sale.customer.as_ref().map(|number| number.as_str()),
        country: sale.country.as_str(),
        currency: CURRENCY.code(),
        lines: sale
            .lines
            .iter()
            .map(|line| LineBody {
                sku: line.sku.as_str(),
                quantity: line.quantity.units(),
                unit_price: line.unit_price,
                description: line.description.as_ref().map(Description::as_str),
            })
            .collect(),
        occurred_at: sale.occurred_at,
    };
    Request {
        kind,
        subject: format!("{noun} {}", sale.number),
        path: path.to_owned(),
        key: Some(key(&[sale.number.as_str()])),
        body: serde_json::to_value(body).expect("texts and numbers are JSON"),
    }
}

fn adjust(adjustment: &Adjustment) -> Request {
    let Adjustment { number, sku, occurrence, .. } = adjustment;
    Request {
        kind: Kind::Adjustments,
        subject: format!("adjustment {occurrence} of {sku} on {number}"),
        path: format!("/v1/stock/{}/adjust", ProductId::from_sku(sku)),
        key: Some(key(&[number.as_str(), sku.as_str(), &occurrence.to_string()])),
        body: json!({
            "quantity": adjustment.quantity,
            "reason": reason(adjustment),
            "occurredAt": adjustment.occurred_at,
        }),
    }
}

/// The invoice, and what the row says as far as a reason may hold it.
fn reason(adjustment: &Adjustment) -> String {
    let invoice = format!("invoice {}", adjustment.number);
    let noted = adjustment.note.as_ref().map(|note| format!("{invoice}: {note}"));
    noted.filter(|text| Reason::new(text).is_ok()).unwrap_or(invoice)
}

/// `retail/` and the parts; too long a key gives way to its digest.
fn key(parts: &[&str]) -> String {
    let parts = parts.iter().map(|part| utf8_percent_encode(part, KEY_ESCAPED).to_string());
    let key = format!("retail/{}", parts.collect::<Vec<_>>().join("/"));
    if key.len() <= KEY_CHARACTERS_MAX {
        key
    } else {
        format!("retail//{}", hex::encode(Sha256::digest(key)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_names_its_parts_and_fits() {
        assert_eq!(key(&["536365"]), "retail/536365");
        assert_eq!(key(&["536365", "BANK CHARGES", "2"]), "retail/536365/BANK%20CHARGES/2");
        assert_ne!(key(&["a/b", "c"]), key(&["a", "b/c"]));
        assert_ne!(key(&["m"]), key(&["M"]));
        let long = |code: &str| key(&["opening", &"0".repeat(64), &code.repeat(20)]);
        assert!(long("ж").len() <= KEY_CHARACTERS_MAX && long("ж") != long("ш"));
        assert!(long("ж").bytes().all(|byte| byte.is_ascii_graphic()));
    }
}
