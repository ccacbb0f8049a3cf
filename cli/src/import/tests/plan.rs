//! What rows mean, on small files; and what holds for any.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{file, read};
use crate::import::plan::{Document, Plan};
use crate::import::request::{Kind, bring_in, list, receive_opening, register};
use crate::import::run::planned;

fn plan(rows: &[&str]) -> Plan {
    let contents = read(&file(rows)).unwrap();
    assert_eq!(contents.malformed, []);
    Plan::from_rows(contents.rows)
}

#[test]
fn a_product_is_called_what_the_first_order_line_with_a_text_calls_it() {
    let plan = plan(&[
        "1,A,check,-3,2010-12-01T08:00:00Z,0.00,,Eire",
        "C2,A,RETURNED,-1,2010-12-01T08:01:00Z,9.99,,Eire",
        "3,A,,1,2010-12-01T08:02:00Z,1.50,,Eire",
        "4,A,CUP,2,2010-12-01T08:03:00Z,2.50,,Eire",
        "5,A,MUG,2,2010-12-01T08:04:00Z,3.50,,Eire",
        "6,B,?,4,2010-12-01T08:05:00Z,0.00,,Eire",
        "7,a,,4,2010-12-01T08:05:00Z,0.00,,Eire",
    ]);
    let products: Vec<_> = plan
        .products
        .iter()
        .map(|p| (p.sku.as_str(), p.name.as_str(), p.list_price.to_decimal(), p.opening))
        .collect();
    let expected = [
        ("A", "CUP", "1.50".to_owned(), 8),
        ("B", "?", "0.00".to_owned(), 0),
        ("a", "a", "0.00".to_owned(), 0),
    ];
    assert_eq!(products, expected);
    assert_eq!(planned(&plan).kinds[&Kind::OpeningStock].planned, 1);
}

#[test]
fn a_customer_comes_from_the_country_of_the_first_row_and_an_order_from_its_own() {
    let plan = plan(&[
        "1,A,,0012,2010-12-02T08:00:00Z,1.00,12370,Cyprus",
        "2,A,,1,2010-12-01T08:00:00Z,1.00,12370,Austria",
    ]);
    let customers: Vec<_> = plan.customers.iter().map(|c| (c.number.as_str(), c.country.as_str())).collect();
    assert_eq!(customers, [("12370", "Cyprus")]);
    let bodies: Vec<_> = plan.documents.iter().map(|document| bring_in(document).body).collect();
    assert_eq!((&bodies[0]["number"], &bodies[0]["country"]), (&"2".into(), &"Austria".into()));
    assert_eq!((&bodies[1]["number"], &bodies[1]["country"]), (&"1".into(), &"Cyprus".into()));
}

#[test]
fn requests_carry_the_rows_and_nothing_else() {
    let plan = plan(&[
        "1,A,CUP,2,2010-12-01T08:26:00Z,2.55,17850,Eire",
        "1,A,CUP,2,2010-12-01T08:27:00Z,2.55,17850,Eire",
        "1,A,damaged,-1,2010-12-01T08:28:00Z,0.00,,Eire",
        "1,A,,-1,2010-12-01T08:28:00Z,0.00,,Eire",
        "C2,A B,,-3,2010-12-02T08:26:00Z,0.00,,Eire",
    ]);
    let requests: Vec<_> = plan.documents.iter().map(bring_in).collect();
    let keys: Vec<_> = requests.iter().map(|request| request.key.as_deref().unwrap()).collect();
    assert_eq!(keys, ["retail/1", "retail/1/A/1", "retail/1/A/2", "retail/C2"]);
    let line = serde_json::json!({ "sku": "A", "quantity": 2, "description": "CUP",
        "unitPrice": { "amount": "2.55", "currency": "GBP" } });
    assert_eq!(
        requests[0].body,
        serde_json::json!({ "number": "1", "customerNumber": "17850", "country": "Eire", "currency": "GBP",
            "occurredAt": "2010-12-01T08:26:00Z", "lines": [line, line] })
    );
    assert_eq!(
        requests[1].body,
        serde_json::json!({ "quantity": -1, "reason": "invoice 1: damaged", "occurredAt": "2010-12-01T08:28:00Z" })
    );
    assert_eq!(requests[2].body["reason"], "invoice 1");
    assert_eq!(
        requests[3].body,
        serde_json::json!({ "number": "C2", "country": "Eire", "currency": "GBP",
            "occurredAt": "2010-12-02T08:26:00Z",
            "lines": [{ "sku": "A B", "quantity": 3, "unitPrice": { "amount": "0.00", "currency": "GBP" } }] })
    );
    assert_eq!(
        register(&plan.customers[0]).body,
        serde_json::json!({ "customerNumber": "17850", "country": "Eire" })
    );
    assert_eq!(
        list(&plan.products[0]).body,
        serde_json::json!({ "sku": "A", "name": "CUP", "price": { "amount": "2.55", "currency": "GBP" } })
    );
    let opening = receive_opening(&plan.products[0], "d1ge57").unwrap();
    assert_eq!(
        (opening.key.as_deref(), &opening.body["quantity"]),
        (Some("retail/opening/d1ge57/A"), &6.into())
    );
    assert_eq!(receive_opening(&plan.products[1], "d1ge57"), None);
    assert_eq!(opening.path.len(), "/v1/stock//receive".len() + 36);
}

/// A row of a small world: few documents, codes and moments, so that everything repeats.
fn row() -> impl Strategy<Value = String> {
    let document = prop::sample::select(vec!["1", "2", "3", "C4", "C5"]);
    (document, 0..3_u8, 1..5_i64, any::<bool>(), 0..3_u8, 1..4_u8).prop_map(
        |(document, code, units, less, price, day)| {
            let units = if less || document.starts_with('C') { -units } else { units };
            format!("{document},P{code},,{units},2010-12-0{day}T08:00:00Z,{price}.25,,Eire")
                .replace(",0.25,", ",0.00,")
        },
    )
}

proptest! {
    #[test]
    fn every_row_is_in_the_plan_once_and_the_stock_never_runs_out(rows in prop::collection::vec(row(), 0..40)) {
        let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
        let plan = plan(&rows);
        prop_assert!(plan.documents.is_sorted_by_key(Document::occurred_at));
        let (mut lines, mut least) = (0, BTreeMap::new());
        let mut keys = std::collections::HashSet::new();
        for document in &plan.documents {
            prop_assert!(keys.insert(bring_in(document).key));
            match document {
                Document::Order(sale) => {
                    lines += sale.lines.len();
                    for line in &sale.lines {
                        *least.entry(&line.sku).or_insert(0) -= line.quantity.units();
                    }
                }
                Document::Return(sale) => lines += sale.lines.len(),
                Document::Adjustment(adjustment) => {
                    lines += 1;
                    *least.entry(&adjustment.sku).or_insert(0) += adjustment.quantity.units().min(0);
                }
            }
        }
        prop_assert_eq!(lines, rows.len());
        // Even if everything that leaves did so before anything came, the opening covers it exactly.
        for product in &plan.products {
            prop_assert_eq!(product.opening + least.get(&product.sku).copied().unwrap_or(0), 0);
        }
    }
}
