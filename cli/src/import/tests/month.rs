//! The plan of the real month has exactly the figures that its README states, which a second small computation over
//! the bare lines finds as well.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::Path;

use domain::value::DocumentNumber;
use flate2::read::GzDecoder;
use system_tests::retail_file;

use crate::import::plan::{Document, Plan, Sale};
use crate::import::reader::{self, Contents, Strictness};
use crate::import::request::Kind;
use crate::import::run::planned;

fn contents(file: &Path) -> Contents {
    reader::read(file, Strictness::Stop).unwrap()
}

/// Sums by name.
type Sums = BTreeMap<String, i64>;

/// What the README counts; money in pence.
#[derive(Debug, Default, PartialEq)]
struct Figures {
    order_lines: usize,
    return_lines: usize,
    adjustments: usize,
    orders: usize,
    guest_orders: usize,
    returns: usize,
    buyers: usize,
    gross: i64,
    returned: i64,
    units: i64,
    units_by_product: Sums,
    revenue_by_product: Sums,
    gross_by_country: Sums,
    gross_by_day: Sums,
    gross_by_customer: Sums,
    opening: Sums,
    on_hand: Sums,
}

fn figures_of_plan(plan: &Plan) -> Figures {
    let mut figures = Figures::default();
    for product in &plan.products {
        figures.opening.insert(product.sku.to_string(), product.opening);
    }
    figures.on_hand = figures.opening.clone();
    for document in &plan.documents {
        match document {
            Document::Order(sale) => add_order(&mut figures, sale),
            Document::Return(sale) => {
                figures.returns += 1;
                for line in &sale.lines {
                    figures.return_lines += 1;
                    figures.returned += line.unit_price.minor * line.quantity.units();
                    *figures.on_hand.entry(line.sku.to_string()).or_default() += line.quantity.units();
                }
            }
            Document::Adjustment(adjustment) => {
                figures.adjustments += 1;
                *figures.on_hand.entry(adjustment.sku.to_string()).or_default() +=
                    adjustment.quantity.units();
            }
        }
    }
    figures.buyers = figures.gross_by_customer.len();
    figures
}

fn add_order(figures: &mut Figures, sale: &Sale) {
    figures.orders += 1;
    figures.guest_orders += usize::from(sale.customer.is_none());
    let day = sale.occurred_at.to_string()[..10].to_owned();
    for line in &sale.lines {
        let (sku, units) = (line.sku.to_string(), line.quantity.units());
        let amount = line.unit_price.minor * units;
        figures.order_lines += 1;
        figures.gross += amount;
        figures.units += units;
        *figures.on_hand.entry(sku.clone()).or_default() -= units;
        *figures.units_by_product.entry(sku.clone()).or_default() += units;
        *figures.revenue_by_product.entry(sku).or_default() += amount;
        *figures.gross_by_country.entry(sale.country.to_string()).or_default() += amount;
        *figures.gross_by_day.entry(day.clone()).or_default() += amount;
        if let Some(customer) = &sale.customer {
            *figures.gross_by_customer.entry(customer.to_string()).or_default() += amount;
        }
    }
}

/// The same from the bare lines, with none of the import's code.
fn figures_of_lines(file: &Path) -> Figures {
    let mut text = String::new();
    GzDecoder::new(std::fs::File::open(file).unwrap()).read_to_string(&mut text).unwrap();
    let (mut figures, mut orders, mut guests, mut returns) =
        (Figures::default(), BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for line in text.lines().skip(1) {
        // A quoted field changes whether commas count at each quote.
        let mut quoted = false;
        let fields: Vec<&str> = line
            .split(|c: char| {
                quoted ^= c == '"';
                c == ',' && !quoted
            })
            .collect();
        let [invoice, code, _, units, date, price, customer, country] = fields[..] else {
            unreachable!("{line}")
        };
        let (units, pence): (i64, i64) = (units.parse().unwrap(), price.replace('.', "").parse().unwrap());
        let add =
            |sums: &mut Sums, name: &str, value: i64| *sums.entry(name.to_owned()).or_default() += value;
        add(&mut figures.opening, code, 0);
        if invoice.starts_with('C') {
            returns.insert(invoice);
            figures.return_lines += 1;
            figures.returned -= units * pence;
            add(&mut figures.on_hand, code, -units);
        } else if units > 0 && pence > 0 {
            orders.insert(invoice);
            figures.order_lines += 1;
            figures.gross += units * pence;
            figures.units += units;
            add(&mut figures.opening, code, units);
            add(&mut figures.on_hand, code, 0);
            add(&mut figures.units_by_product, code, units);
            add(&mut figures.revenue_by_product, code, units * pence);
            add(&mut figures.gross_by_country, country, units * pence);
            add(&mut figures.gross_by_day, &date[..10], units * pence);
            if customer.is_empty() {
                guests.insert(invoice);
            } else {
                add(&mut figures.gross_by_customer, customer, units * pence);
            }
        } else {
            figures.adjustments += 1;
            add(&mut figures.opening, code, (-units).max(0));
            add(&mut figures.on_hand, code, units.max(0));
        }
    }
    (figures.orders, figures.guest_orders, figures.returns) = (orders.len(), guests.len(), returns.len());
    figures.buyers = figures.gross_by_customer.len();
    figures
}

/// The largest, and of equals the first by name.
fn top(sums: &Sums, count: usize) -> Vec<(&str, i64)> {
    let mut all: Vec<_> = sums.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    all.sort_by_key(|&(name, value)| (std::cmp::Reverse(value), name));
    all.truncate(count);
    all
}

#[test]
fn the_plan_of_the_month_has_the_figures_of_its_readme() {
    let Some(file) = retail_file() else { return };
    let contents = contents(&file);
    assert_eq!((contents.rows_read, contents.malformed_rows), (42_481, 0));
    let plan = Plan::from_rows(contents.rows);
    let figures = figures_of_plan(&plan);
    assert_eq!((figures.order_lines, figures.return_lines, figures.adjustments), (41_480, 728, 273));
    assert_eq!((figures.orders, figures.guest_orders, figures.returns), (1_559, 159, 326));
    assert_eq!((plan.customers.len(), figures.buyers), (948, 885));
    assert_eq!((plan.products.len(), figures.units_by_product.len()), (2_822, 2_788));
    assert_eq!((figures.gross, figures.returned), (82_374_614, 7_478_912));
    assert_eq!(figures.gross - figures.returned, 74_895_702);
    assert_eq!(figures.units, 359_239);
    assert_eq!(
        top(&figures.units_by_product, 5),
        [("84077", 5_195), ("21212", 4_106), ("85123A", 3_752), ("22834", 3_502), ("22197", 2_738)]
    );
    assert_eq!(
        top(&figures.revenue_by_product, 5),
        [
            ("22423", 2_786_996),
            ("DOT", 2_467_119),
            ("AMAZONFEE", 1_354_133),
            ("85123A", 1_043_536),
            ("84029E", 929_173)
        ]
    );
    assert_eq!(
        top(&figures.gross_by_country, 5),
        [
            ("United Kingdom", 74_826_898),
            ("Germany", 1_524_114),
            ("EIRE", 1_003_326),
            ("France", 961_631),
            ("Netherlands", 878_448)
        ]
    );
    assert_eq!((figures.gross_by_country["Austria"], figures.gross_by_country["Cyprus"]), (27_720, 159_082));
    assert_eq!(figures.gross_by_day.len(), 20);
    assert_eq!(
        top(&figures.gross_by_day, 3),
        [("2010-12-07", 9_961_820), ("2010-12-10", 5_918_292), ("2010-12-01", 5_896_079)]
    );
    assert_eq!(
        top(&figures.gross_by_customer, 3),
        [("18102", 2_783_461), ("15061", 1_995_066), ("16029", 1_311_252)]
    );
    let stock = |sku: &str| (figures.opening[sku], figures.on_hand[sku]);
    for (sku, opening, on_hand) in [
        ("85123A", 3_752, 529),
        ("22423", 2_106, 98),
        ("84077", 5_195, 0),
        ("22197", 2_738, 7),
        ("21275", 32, 5),
        ("20893", 145, 36),
    ] {
        assert_eq!(stock(sku), (opening, on_hand), "{sku}");
    }
    assert_eq!(
        (figures.opening.values().sum::<i64>(), figures.on_hand.values().sum::<i64>()),
        (363_285, 19_119)
    );
}

#[test]
fn the_plan_of_the_month_agrees_with_its_bare_lines_in_everything() {
    let Some(file) = retail_file() else { return };
    assert_eq!(figures_of_plan(&Plan::from_rows(contents(&file).rows)), figures_of_lines(&file));
}

#[test]
fn the_traps_of_the_month_are_in_the_plan() {
    let Some(file) = retail_file() else { return };
    let plan = Plan::from_rows(contents(&file).rows);
    let sales = |is_order: bool| {
        plan.documents.iter().filter_map(move |document| match document {
            Document::Order(sale) if is_order => Some(sale),
            Document::Return(sale) if !is_order => Some(sale),
            _ => None,
        })
    };
    assert_eq!(sales(true).map(|sale| sale.lines.len()).max(), Some(675));
    let repeats = |sale: &&Sale| {
        sale.lines.iter().map(|line| &line.sku).collect::<BTreeSet<_>>().len() < sale.lines.len()
    };
    assert_eq!(sales(true).filter(repeats).count(), 238);
    // The README's 38 returns without a customer are lines; they stand on 18 credit notes.
    let nobodys: Vec<_> = sales(false).filter(|sale| sale.customer.is_none()).collect();
    assert_eq!((nobodys.len(), nobodys.iter().map(|sale| sale.lines.len()).sum::<usize>()), (18, 38));
    let orders: BTreeSet<_> = sales(true).map(|sale| &sale.number).collect();
    let (mut both, mut repeated) = (BTreeSet::<&DocumentNumber>::new(), 0);
    for document in &plan.documents {
        if let Document::Adjustment(adjustment) = document {
            both.extend(orders.get(&adjustment.number).copied());
            repeated += usize::from(adjustment.occurrence > 1);
        }
    }
    assert_eq!((both.len(), repeated), (9, 3));
    let nameless = plan.products.iter().filter(|product| product.name.as_str() == product.sku.as_str());
    assert_eq!(nameless.count(), 21);
    let kinds = planned(&plan).kinds;
    assert_eq!(kinds[&Kind::Adjustments].planned, 273);
    assert_eq!(
        kinds[&Kind::OpeningStock].planned,
        plan.products.iter().filter(|p| p.opening > 0).count() as u64
    );
}
