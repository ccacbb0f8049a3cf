//! A made-up shop: invoice lines from a seed, and by a small computation of its own what they come to.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};

/// A comma and quotes, so that fields have to be quoted.
const COUNTRIES: [&str; 7] = [
    "United Kingdom",
    "Korea, Republic of",
    "EIRE",
    "The \"Isle\" of Man",
    "Österreich",
    "France",
    "Unspecified",
];

/// Across the end of a year and a leap day, and to the second before and after midnight.
const MOMENTS: [&str; 8] = [
    "2011-12-30T10:00:00Z",
    "2011-12-31T23:59:59Z",
    "2012-01-01T00:00:00Z",
    "2012-01-15T12:30:00Z",
    "2012-02-28T23:59:59Z",
    "2012-02-29T00:00:00Z",
    "2012-02-29T18:00:00Z",
    "2012-03-01T08:00:00Z",
];

const PRODUCTS: usize = 40;
const CUSTOMERS: usize = 25;
const ORDERS: usize = 140;
const RETURNS: usize = 25;
const ADJUSTMENTS: usize = 20;

/// One row of the file.
#[derive(Debug, Clone)]
struct Row {
    invoice: String,
    sku: String,
    quantity: i64,
    moment: &'static str,
    unit_price_minor: i64,
    customer: Option<String>,
    country: &'static str,
}

/// A made-up file and what it comes to.
pub struct Invoices {
    rows: Vec<Row>,
}

impl Invoices {
    /// The shop of this seed.
    pub fn of_seed(seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let mut rows = Vec::new();
        for number in 0..ORDERS {
            let (mut moment, customer, country) = head(&mut random);
            for line in 0..random.random_range(1..12) {
                let row = Row {
                    invoice: format!("{}", 700_000 + number),
                    sku: sku(&mut random),
                    quantity: random.random_range(1..50),
                    moment,
                    unit_price_minor: random.random_range(1..5_000),
                    customer: customer.clone(),
                    country,
                };
                // Some lines stand there twice, or again at another price, or carry another moment than the first.
                if random.random_range(0..5) == 0 {
                    let unit_price_minor = row.unit_price_minor + random.random_range(0..2);
                    rows.push(Row { unit_price_minor, ..row.clone() });
                }
                rows.push(row);
                if line > 3 && random.random_range(0..10) == 0 {
                    moment = MOMENTS[random.random_range(0..MOMENTS.len())];
                }
            }
        }
        for number in 0..RETURNS {
            let (moment, customer, country) = head(&mut random);
            for _ in 0..random.random_range(1..4) {
                rows.push(Row {
                    invoice: format!("C{}", 800_000 + number),
                    sku: sku(&mut random),
                    quantity: -random.random_range(1..20),
                    moment,
                    unit_price_minor: random.random_range(0..5_000),
                    customer: customer.clone(),
                    country,
                });
            }
        }
        for number in 0..ADJUSTMENTS {
            let row = Row {
                invoice: format!("{}", 900_000 + number / 2),
                sku: sku(&mut random),
                quantity: [-30, -1, 5, 40][random.random_range(0..4)],
                moment: MOMENTS[random.random_range(0..MOMENTS.len())],
                unit_price_minor: 0,
                customer: None,
                country: COUNTRIES[0],
            };
            // The same correction twice on one invoice is two corrections.
            if number % 5 == 0 {
                rows.push(row.clone());
            }
            rows.push(row);
        }
        Self { rows }
    }

    /// The file.
    pub fn to_csv(&self) -> String {
        let mut text = String::from(
            "invoice_no,stock_code,description,quantity,invoice_date,unit_price,customer_id,country\n",
        );
        for row in &self.rows {
            let country = quoted(row.country);
            let (customer, price) =
                (row.customer.as_deref().unwrap_or_default(), decimal(row.unit_price_minor));
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "{},{},\"A thing, called {}\",{},{},{price},{customer},{country}",
                row.invoice, row.sku, row.sku, row.quantity, row.moment
            );
        }
        text
    }

    /// What the rows come to.
    pub fn book(&self) -> Book {
        let mut book = Book::default();
        let mut documents: BTreeMap<&str, Sale> = BTreeMap::new();
        for row in &self.rows {
            let stock = book.stock.entry(row.sku.clone()).or_default();
            let is_return = row.invoice.starts_with('C');
            if is_return || (row.quantity > 0 && row.unit_price_minor > 0) {
                let sale = documents.entry(&row.invoice).or_insert_with(|| Sale {
                    day: row.moment[..10].to_owned(),
                    country: row.country.to_owned(),
                    customer: row.customer.clone(),
                    lines: Vec::new(),
                });
                sale.lines.push((row.sku.clone(), row.quantity.abs(), row.unit_price_minor));
                // What was ordered was there before, so only what comes back is more.
                *stock += if is_return { row.quantity.abs() } else { 0 };
            } else {
                // What is taken away was there before too.
                *stock += row.quantity.max(0);
            }
        }
        for (invoice, sale) in documents {
            if invoice.starts_with('C') { book.returns.push(sale) } else { book.orders.push(sale) }
        }
        book
    }
}

fn head(random: &mut StdRng) -> (&'static str, Option<String>, &'static str) {
    let customer = random.random_range(0..CUSTOMERS + 5);
    (
        MOMENTS[random.random_range(0..MOMENTS.len())],
        (customer < CUSTOMERS).then(|| format!("{}", 10_000 + customer)),
        COUNTRIES[random.random_range(0..COUNTRIES.len())],
    )
}

fn sku(random: &mut StdRng) -> String {
    // Codes that differ only in case are two products.
    let number = random.random_range(0..PRODUCTS);
    if number % 2 == 0 { format!("P{}a", number / 2) } else { format!("P{}A", number / 2) }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

/// An amount as GraphQL gives it.
pub fn decimal(minor: i64) -> String {
    let sign = if minor < 0 { "-" } else { "" };
    format!("{sign}{}.{:02}", minor.abs() / 100, minor.abs() % 100)
}

/// An order that counts, or a return.
#[derive(Debug, Clone)]
pub struct Sale {
    /// Of the document's first line, in UTC.
    pub day: String,
    /// Where it went.
    pub country: String,
    /// Nobody for a guest.
    pub customer: Option<String>,
    /// Product, units, price of one in minor units.
    pub lines: Vec<(String, i64, i64)>,
}

impl Sale {
    /// What the lines come to, minor units.
    pub fn amount(&self) -> i64 {
        self.lines.iter().map(|(_, units, price)| units * price).sum()
    }

    fn units(&self) -> i64 {
        self.lines.iter().map(|(_, units, _)| units).sum()
    }
}

/// What a shop has sold, and what is left.
#[derive(Debug, Clone, Default)]
pub struct Book {
    /// The orders that count.
    pub orders: Vec<Sale>,
    /// The returns.
    pub returns: Vec<Sale>,
    /// Units on hand when all is delivered.
    pub stock: BTreeMap<String, i64>,
}

/// Orders or units, and minor units of money, by a name.
type Sums<'b> = BTreeMap<&'b str, (i64, i64)>;

impl Book {
    /// What the orders come to, minor units.
    pub fn gross(&self) -> i64 {
        self.orders.iter().map(Sale::amount).sum()
    }

    /// What GraphQL has to say of the days between these two, both included.
    pub fn figures(&self, from: &str, to: &str) -> Value {
        let within = |sale: &&Sale| (from..=to).contains(&sale.day.as_str());
        let orders: Vec<_> = self.orders.iter().filter(within).collect();
        let returns: Vec<_> = self.returns.iter().filter(within).collect();
        let (mut countries, mut customers, mut products) = (Sums::new(), Sums::new(), Sums::new());
        for order in &orders {
            add(&mut countries, &order.country, 1, order.amount());
            if let Some(customer) = &order.customer {
                add(&mut customers, customer, 1, order.amount());
            }
            for (sku, units, price) in &order.lines {
                add(&mut products, sku, *units, units * price);
            }
        }
        let (gross, returned) = (amount(&orders), amount(&returns));
        json!({
            "salesSummary": {
                "orders": orders.len(),
                "guestOrders": orders.iter().filter(|order| order.customer.is_none()).count(),
                "returns": returns.len(),
                "unitsSold": orders.iter().map(|order| order.units()).sum::<i64>(),
                "gross": money(gross),
                "returned": money(returned),
                "net": { "amount": decimal(gross - returned), "currency": "GBP" },
            },
            "salesByDay": by_day(&orders, &returns),
            "salesByCountry": rows(&countries, "country", "orders", "gross", |(_, amount)| amount),
            "byUnits": rows(&products, "sku", "units", "revenue", |(units, _)| units),
            "byRevenue": rows(&products, "sku", "units", "revenue", |(_, amount)| amount),
            "topCustomers": rows(&customers, "customerNumber", "orders", "gross", |(_, amount)| amount),
        })
    }
}

fn add<'b>(sums: &mut Sums<'b>, name: &'b str, count: i64, amount: i64) {
    let sum = sums.entry(name).or_default();
    *sum = (sum.0 + count, sum.1 + amount);
}

fn amount(sales: &[&Sale]) -> i64 {
    sales.iter().map(|sale| sale.amount()).sum()
}

fn money(minor: i64) -> Value {
    json!({ "amount": decimal(minor) })
}

fn by_day(orders: &[&Sale], returns: &[&Sale]) -> Value {
    let days: BTreeSet<_> = orders.iter().chain(returns).map(|sale| sale.day.as_str()).collect();
    let of = |sales: &[&Sale], day: &str| -> Vec<Sale> {
        sales.iter().filter(|sale| sale.day == day).map(|sale| (*sale).clone()).collect()
    };
    let sum = |sales: &[Sale]| sales.iter().map(Sale::amount).sum::<i64>();
    days.into_iter()
        .map(|day| {
            let (sold, back) = (of(orders, day), of(returns, day));
            let (gross, returned) = (sum(&sold), sum(&back));
            json!({ "day": day, "orders": sold.len(), "gross": money(gross), "returned": money(returned),
                    "net": money(gross - returned) })
        })
        .collect()
}

/// The largest first, of equals the first by name.
fn rows(sums: &Sums<'_>, name: &str, count: &str, value: &str, by: impl Fn((i64, i64)) -> i64) -> Value {
    let mut sums: Vec<_> = sums.iter().collect();
    sums.sort_by_key(|(name, sum)| (-by(**sum), **name));
    sums.into_iter()
        .take(100)
        .map(|(of, (number, minor))| json!({ name: of, count: number, value: money(*minor) }))
        .collect()
}
