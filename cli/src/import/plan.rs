//! What a file means: customers, products with their opening stock, and the documents in date order. Pure.

use std::collections::{BTreeMap, HashMap};

use contract::Money;
use domain::value::{
    Country, CustomerNumber, Description, DocumentNumber, ProductName, Quantity, QuantityChange, Sku,
};
use jiff::Timestamp;

use super::row::{CURRENCY, Movement, Row};

/// Everything that a file asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// By number.
    pub customers: Vec<Customer>,
    /// By stock code.
    pub products: Vec<Product>,
    /// By date, and of one moment as in the file.
    pub documents: Vec<Document>,
}

/// A customer that any row names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Customer {
    /// What the shop calls the customer.
    pub number: CustomerNumber,
    /// The country of the first row that names the customer.
    pub country: Country,
}

/// A product that any row names.
#[derive(Debug, Clone, PartialEq)]
pub struct Product {
    /// What the shop calls it.
    pub sku: Sku,
    /// The first text on a line of an order, else on any row, else the stock code.
    pub name: ProductName,
    /// The price on the first line of an order, else 0.
    pub list_price: Money,
    /// What must be there before the file begins so that all of it can be delivered: the units ordered and those
    /// that adjustments take away.
    pub opening: i64,
}

/// What happened, at its moment.
#[derive(Debug, Clone, PartialEq)]
pub enum Document {
    /// Goods were sold.
    Order(Sale),
    /// Goods came back.
    Return(Sale),
    /// A count was set right.
    Adjustment(Adjustment),
}

/// An order or a return.
#[derive(Debug, Clone, PartialEq)]
pub struct Sale {
    /// The invoice or credit note.
    pub number: DocumentNumber,
    /// Who; nobody for a guest.
    pub customer: Option<CustomerNumber>,
    /// Where.
    pub country: Country,
    /// When, by its first line.
    pub occurred_at: Timestamp,
    /// In the order of the file, never none.
    pub lines: Vec<Line>,
}

/// A line of an order or a return.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// The product.
    pub sku: Sku,
    /// How many units, sold or come back.
    pub quantity: Quantity,
    /// What one unit cost.
    pub unit_price: Money,
    /// What the line calls the product.
    pub description: Option<Description>,
}

/// A correction of a product's stock.
#[derive(Debug, Clone, PartialEq)]
pub struct Adjustment {
    /// The invoice it stands on.
    pub number: DocumentNumber,
    /// The product.
    pub sku: Sku,
    /// Which one of its invoice and product, from 1.
    pub occurrence: u32,
    /// How many units more or fewer.
    pub quantity: QuantityChange,
    /// What the row says.
    pub note: Option<Description>,
    /// When.
    pub occurred_at: Timestamp,
}

impl Document {
    /// When it happened.
    #[must_use]
    pub const fn occurred_at(&self) -> Timestamp {
        match self {
            Self::Order(sale) | Self::Return(sale) => sale.occurred_at,
            Self::Adjustment(adjustment) => adjustment.occurred_at,
        }
    }
}

impl Plan {
    /// Works out what the rows, in the order of the file, mean.
    #[must_use]
    pub fn from_rows(rows: Vec<Row>) -> Self {
        let customers = customers(&rows);
        let products = products(&rows);
        Self { customers, products, documents: documents(rows) }
    }
}

fn customers(rows: &[Row]) -> Vec<Customer> {
    let mut countries = BTreeMap::new();
    for row in rows {
        if let Some(number) = &row.customer {
            countries.entry(number).or_insert(&row.country);
        }
    }
    countries
        .into_iter()
        .map(|(number, country)| Customer { number: number.clone(), country: country.clone() })
        .collect()
}

/// What is known of a product so far.
#[derive(Default)]
struct Draft {
    sold_as: Option<ProductName>,
    called: Option<ProductName>,
    list_price: Option<Money>,
    opening: i64,
}

fn products(rows: &[Row]) -> Vec<Product> {
    let mut drafts: BTreeMap<&Sku, Draft> = BTreeMap::new();
    for row in rows {
        let draft = drafts.entry(&row.sku).or_default();
        // A text that no name can be, such as one with line breaks, is passed over.
        let name = || row.description.as_ref().and_then(|text| ProductName::new(text.as_str()).ok());
        draft.called = draft.called.take().or_else(name);
        // A quantity is far below what would overflow the sum of any file that fits in memory.
        match row.movement {
            Movement::Sold(quantity) => {
                draft.sold_as = draft.sold_as.take().or_else(name);
                draft.list_price = draft.list_price.or(Some(row.unit_price));
                draft.opening += quantity.units();
            }
            Movement::Adjusted(change) => draft.opening += (-change.units()).max(0),
            Movement::Returned(_) => {}
        }
    }
    drafts
        .into_iter()
        .map(|(sku, draft)| Product {
            sku: sku.clone(),
            name: draft.sold_as.or(draft.called).unwrap_or_else(|| code_as_name(sku)),
            list_price: draft.list_price.unwrap_or(Money::new(0, CURRENCY)),
            opening: draft.opening,
        })
        .collect()
}

fn code_as_name(sku: &Sku) -> ProductName {
    ProductName::new(sku.as_str()).expect("a stock code is a shorter line than a name may be")
}

fn documents(rows: Vec<Row>) -> Vec<Document> {
    let mut documents: Vec<Document> = Vec::new();
    let mut sales: HashMap<DocumentNumber, usize> = HashMap::new();
    let mut occurrences: HashMap<(DocumentNumber, Sku), u32> = HashMap::new();
    for row in rows {
        let (quantity, kind): (_, fn(Sale) -> Document) = match row.movement {
            Movement::Sold(quantity) => (quantity, Document::Order),
            Movement::Returned(quantity) => (quantity, Document::Return),
            Movement::Adjusted(quantity) => {
                let occurrence = occurrences.entry((row.document.clone(), row.sku.clone())).or_default();
                *occurrence += 1;
                documents.push(Document::Adjustment(Adjustment {
                    number: row.document,
                    sku: row.sku,
                    occurrence: *occurrence,
                    quantity,
                    note: row.description,
                    occurred_at: row.occurred_at,
                }));
                continue;
            }
        };
        let line = Line { sku: row.sku, quantity, unit_price: row.unit_price, description: row.description };
        // The number's mark keeps orders and returns apart, so one map serves both.
        if let Some(Document::Order(sale) | Document::Return(sale)) =
            sales.get(&row.document).and_then(|&index| documents.get_mut(index))
        {
            sale.lines.push(line);
            continue;
        }
        sales.insert(row.document.clone(), documents.len());
        documents.push(kind(Sale {
            number: row.document,
            customer: row.customer,
            country: row.country,
            occurred_at: row.occurred_at,
            lines: vec![line],
        }));
    }
    // Stable: what happened at the same moment stays as in the file.
    documents.sort_by_key(Document::occurred_at);
    documents
}
