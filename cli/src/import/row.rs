//! One row of the file, checked: every value has its type, and what is wrong is named with line and column.

use std::fmt;

use contract::{Currency, Money};
use domain::value::{Country, CustomerNumber, Description, DocumentNumber, Quantity, QuantityChange, Sku};
use jiff::Timestamp;
use serde::Serialize;

/// The columns, as the header has to name them.
pub const COLUMNS: [&str; 8] = [
    "invoice_no",
    "stock_code",
    "description",
    "quantity",
    "invoice_date",
    "unit_price",
    "customer_id",
    "country",
];

/// What the amounts of the file are in.
pub const CURRENCY: Currency = Currency::GBP;

/// What the number of a return (credit note) begins with.
const RETURN_MARK: char = 'C';

/// How much of a wrong value an error repeats, in characters.
const SHOWN_MAX: usize = 40;

const DESCRIPTION: usize = 3;
const QUANTITY: usize = 4;
const DATE: usize = 5;
const PRICE: usize = 6;
const CUSTOMER: usize = 7;
const COUNTRY: usize = 8;

/// A row that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Malformed {
    /// The line of the file, from 1 (the header).
    pub line: u64,
    /// The column, from 1.
    pub column: usize,
    /// The document it belongs to, when that much can be read; its other rows are skipped too.
    pub document: Option<String>,
    /// What is wrong.
    pub problem: String,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)?;
        if let Some(name) = COLUMNS.get(self.column - 1) {
            write!(f, " ({name})")?;
        }
        write!(f, ": {}", self.problem)
    }
}

/// What a row is a part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Movement {
    /// So many units were sold: a line of an order.
    Sold(Quantity),
    /// So many units came back: a line of a return.
    Returned(Quantity),
    /// The count was off by so many units; no money moves.
    Adjusted(QuantityChange),
}

/// A row of the file.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The line of the file, from 1 (the header).
    pub line: u64,
    /// The invoice or credit note.
    pub document: DocumentNumber,
    /// The product.
    pub sku: Sku,
    /// What the row says of the product.
    pub description: Option<Description>,
    /// What happened, and to how many units.
    pub movement: Movement,
    /// When.
    pub occurred_at: Timestamp,
    /// The price of one unit, not below 0.
    pub unit_price: Money,
    /// Who; nobody for a guest.
    pub customer: Option<CustomerNumber>,
    /// Where the customer was served.
    pub country: Country,
}

impl Row {
    /// Reads the fields of one line.
    ///
    /// # Errors
    /// There are more or fewer than [`COLUMNS`], or a value cannot be.
    pub fn parse(line: u64, fields: &[&[u8]]) -> Result<Self, Malformed> {
        let fields = Fields { line, fields };
        if fields.fields.len() != COLUMNS.len() {
            let column = fields.fields.len().min(COLUMNS.len()) + 1;
            let problem = format!("{} columns where {} belong", fields.fields.len(), COLUMNS.len());
            return Err(fields.malformed(column, problem));
        }
        let document = fields.value(1, DocumentNumber::new)?;
        let unit_price = fields.price()?;
        let movement = fields.movement(&document, unit_price)?;
        Ok(Self {
            line,
            sku: fields.value(2, Sku::new)?,
            description: fields.optional(DESCRIPTION, Description::new)?,
            movement,
            occurred_at: fields.date()?,
            unit_price,
            customer: fields.optional(CUSTOMER, CustomerNumber::new)?,
            country: fields.value(COUNTRY, Country::new)?,
            document,
        })
    }

    /// The same row as one that contradicts what stands before it in its document.
    #[must_use]
    pub fn contradicts(&self, what: Contradiction) -> Malformed {
        let (column, problem) = match what {
            Contradiction::Customer => (CUSTOMER, "another customer than the rows before of this document"),
            Contradiction::Country => (COUNTRY, "another country than the rows before of this document"),
        };
        let document = Some(self.document.to_string());
        Malformed { line: self.line, column, document, problem: problem.to_owned() }
    }
}

/// What the rows of one order or return have to agree on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contradiction {
    /// Who it is for.
    Customer,
    /// Where it goes.
    Country,
}

/// The fields of a line, not yet looked at.
struct Fields<'a> {
    line: u64,
    fields: &'a [&'a [u8]],
}

impl Fields<'_> {
    fn malformed(&self, column: usize, problem: impl Into<String>) -> Malformed {
        Malformed { line: self.line, column, document: document_of(self.fields), problem: problem.into() }
    }

    fn text(&self, column: usize) -> Result<&str, Malformed> {
        std::str::from_utf8(self.fields[column - 1]).map_err(|_| self.malformed(column, "not valid UTF-8"))
    }

    fn value<T>(
        &self,
        column: usize,
        new: fn(&str) -> Result<T, domain::value::InvalidValue>,
    ) -> Result<T, Malformed> {
        let text = self.text(column)?;
        new(text).map_err(|error| self.malformed(column, format!("{}: {error}", shown(text))))
    }

    fn optional<T>(
        &self,
        column: usize,
        new: fn(&str) -> Result<T, domain::value::InvalidValue>,
    ) -> Result<Option<T>, Malformed> {
        if self.text(column)?.trim().is_empty() { Ok(None) } else { self.value(column, new).map(Some) }
    }

    fn date(&self) -> Result<Timestamp, Malformed> {
        let text = self.text(DATE)?;
        text.parse()
            .map_err(|_| self.malformed(DATE, format!("{} is not an RFC 3339 date and time", shown(text))))
    }

    fn price(&self) -> Result<Money, Malformed> {
        let text = self.text(PRICE)?;
        let price = Money::from_decimal(text, CURRENCY)
            .map_err(|_| self.malformed(PRICE, format!("{} is not an amount of {CURRENCY}", shown(text))))?;
        if price.minor < 0 {
            return Err(self.malformed(PRICE, format!("{} is below 0", shown(text))));
        }
        Ok(price)
    }

    /// The data's own rule: the mark makes a return; without it, units and money make an order; all else adjusts.
    fn movement(&self, document: &DocumentNumber, unit_price: Money) -> Result<Movement, Malformed> {
        let text = self.text(QUANTITY)?;
        let units: i64 = text
            .parse()
            .map_err(|_| self.malformed(QUANTITY, format!("{} is not a whole number", shown(text))))?;
        let refused = |error| self.malformed(QUANTITY, format!("{}: {error}", shown(text)));
        if document.as_str().starts_with(RETURN_MARK) {
            if units > 0 {
                return Err(self.malformed(QUANTITY, "a return has quantities below 0"));
            }
            return Quantity::new(units.saturating_neg()).map(Movement::Returned).map_err(refused);
        }
        if units > 0 && unit_price.minor > 0 {
            return Quantity::new(units).map(Movement::Sold).map_err(refused);
        }
        QuantityChange::new(units).map(Movement::Adjusted).map_err(refused)
    }
}

/// The document that a line belongs to, also when the rest of the line is wrong.
#[must_use]
pub fn document_of(fields: &[&[u8]]) -> Option<String> {
    let text = std::str::from_utf8(fields.first()?).ok()?;
    DocumentNumber::new(text).ok().map(|document| document.to_string())
}

/// A value for an error: quoted, and not longer than a person reads.
fn shown(text: &str) -> String {
    if text.chars().nth(SHOWN_MAX).is_none() {
        return format!("{text:?}");
    }
    format!("{:?}…", text.chars().take(SHOWN_MAX).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: [&str; 8] = [
        "536365",
        "85123A",
        "HEART, \"WHITE\"",
        "6",
        "2010-12-01T08:26:00Z",
        "2.55",
        "17850",
        "United Kingdom",
    ];

    fn parse(fields: &[&str]) -> Result<Row, Malformed> {
        let fields: Vec<&[u8]> = fields.iter().map(|field| field.as_bytes()).collect();
        Row::parse(7, &fields)
    }

    fn with(column: usize, value: &'static str) -> [&'static str; 8] {
        let mut fields = GOOD;
        fields[column - 1] = value;
        fields
    }

    #[test]
    fn a_row_is_read_with_exact_decimals() {
        let row = parse(&GOOD).unwrap();
        assert_eq!(row.unit_price, Money::new(255, CURRENCY));
        assert_eq!(row.movement, Movement::Sold(Quantity::new(6).unwrap()));
        assert_eq!(row.occurred_at.to_string(), "2010-12-01T08:26:00Z");
        assert_eq!(row.customer.unwrap().as_str(), "17850");
        assert_eq!(parse(&with(CUSTOMER, "")).unwrap().customer, None);
        assert_eq!(parse(&with(DESCRIPTION, "")).unwrap().description, None);
    }

    #[test]
    fn mark_quantity_and_price_say_what_a_row_is() {
        let movement = |invoice, quantity, price| {
            let mut fields = GOOD;
            (fields[0], fields[3], fields[5]) = (invoice, quantity, price);
            parse(&fields).map(|row| row.movement)
        };
        let adjusted = |units| Ok(Movement::Adjusted(QuantityChange::new(units).unwrap()));
        assert_eq!(movement("C1", "-3", "2.55"), Ok(Movement::Returned(Quantity::new(3).unwrap())));
        assert_eq!(movement("C1", "-3", "0.00"), Ok(Movement::Returned(Quantity::new(3).unwrap())));
        assert_eq!(movement("1", "3", "0.00"), adjusted(3));
        assert_eq!(movement("1", "-3", "0.00"), adjusted(-3));
        assert_eq!(movement("1", "-3", "2.55"), adjusted(-3));
    }

    #[test]
    fn every_wrong_value_is_named_with_line_and_column() {
        for (column, value) in [
            (1, ""),
            (2, " 85123A"),
            (2, ""),
            (QUANTITY, "six"),
            (QUANTITY, "1.5"),
            (QUANTITY, "0"),
            (QUANTITY, "3000000000"),
            (QUANTITY, ""),
            (DATE, "2010-12-32T08:26:00Z"),
            (DATE, "1.12.2010"),
            (PRICE, "-2.55"),
            (PRICE, "2.555"),
            (PRICE, "£2"),
            (PRICE, ""),
            (COUNTRY, ""),
        ] {
            let error = parse(&with(column, value)).unwrap_err();
            assert_eq!((error.line, error.column), (7, column), "{error}");
            assert!(
                error.to_string().starts_with(&format!("line 7, column {column} ({})", COLUMNS[column - 1]))
            );
        }
        let mut returned = with(QUANTITY, "5");
        returned[0] = "C1";
        assert_eq!(parse(&returned).unwrap_err().column, QUANTITY);
    }

    #[test]
    fn a_wrong_number_of_columns_still_names_the_document() {
        let short = parse(&GOOD[..7]).unwrap_err();
        assert_eq!((short.column, short.document.as_deref()), (8, Some("536365")));
        let long = parse(&[&GOOD[..], &["more"]].concat()).unwrap_err();
        assert_eq!(long.column, 9);
        assert_eq!(long.to_string(), "line 7, column 9: 9 columns where 8 belong");
    }

    #[test]
    fn bytes_that_are_no_text_are_named() {
        let mut fields: Vec<&[u8]> = GOOD.iter().map(|field| field.as_bytes()).collect();
        fields[2] = b"\xa340";
        let error = Row::parse(7, &fields).unwrap_err();
        assert_eq!((error.column, error.document.as_deref()), (DESCRIPTION, Some("536365")));
    }

    #[test]
    fn a_long_value_is_cut_in_the_error() {
        let error = parse(&with(QUANTITY, "111111111111111111111111111111111111111111111111")).unwrap_err();
        assert!(error.problem.chars().count() < 80, "{}", error.problem);
    }
}
