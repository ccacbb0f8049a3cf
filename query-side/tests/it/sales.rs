//! Sales between two days.

use serde_json::{Value, json};

use crate::support::Service;

/// Three days of sales, with ties in everything that is ranked.
const SALES: &str = "
    INSERT INTO sales_by_day_v1 VALUES
        ('2010-12-01', 3, 1, 30, 10000, 0, 0, 1), ('2010-12-02', 0, 0, 0, 0, 2, 10001, 1),
        ('2010-12-04', 2, 2, 5, 505, 1, 5, 1);
    INSERT INTO sales_by_country_v1 VALUES
        ('2010-12-01', 'United Kingdom', 2, 9000, 1), ('2010-12-01', 'EIRE', 1, 1000, 1),
        ('2010-12-04', 'EIRE', 1, 200, 1), ('2010-12-04', 'Belgium', 1, 1200, 1), ('2010-12-04', 'eire', 1, 1200, 1);
    INSERT INTO sales_by_product_v1 VALUES
        ('2010-12-01', 'a0000000-0000-0000-0000-000000000001', 'B', 20, 4000, 1),
        ('2010-12-01', 'a0000000-0000-0000-0000-000000000002', 'A', 10, 6000, 1),
        ('2010-12-04', 'a0000000-0000-0000-0000-000000000002', 'A', 10, 500, 1),
        ('2010-12-04', 'a0000000-0000-0000-0000-000000000003', 'm', 3, 4000, 1),
        ('2010-12-04', 'a0000000-0000-0000-0000-000000000004', 'M', 3, 10000, 1);
    INSERT INTO products_v1 VALUES ('a0000000-0000-0000-0000-000000000001', 'B', 'Bee', NULL, 300, 'GBP', 'LISTED',
        5, 0, '2010-11-01T08:00:00Z', 0, NULL, 1);
    INSERT INTO sales_by_customer_v1 VALUES
        ('2010-12-01', '9', 1, 1000, 1), ('2010-12-01', '10', 1, 700, 1), ('2010-12-04', '10', 1, 300, 1),
        ('2010-12-04', '5', 2, 5000, 1);
";

const SUMMARY: &str =
    "orders guestOrders returns unitsSold gross { amount currency } returned { amount } net { amount }";

async fn with_sales() -> Service {
    let service = Service::start().await;
    service.sql(SALES).await;
    service
}

async fn ask(service: &Service, field: &str, arguments: &str, fields: &str) -> Value {
    service.ask(&format!("{{ {field}({arguments}) {{ {fields} }} }}")).await.data()[field].clone()
}

#[tokio::test]
async fn a_summary_adds_up_the_days_with_both_ends() {
    let service = with_sales().await;
    let sum = async |from: &str, to: &str| {
        ask(&service, "salesSummary", &format!("from: \"{from}\", to: \"{to}\""), SUMMARY).await
    };
    assert_eq!(
        sum("2010-12-01", "2010-12-04").await,
        json!({"orders": 5, "guestOrders": 3, "returns": 3, "unitsSold": 35,
               "gross": {"amount": "105.05", "currency": "GBP"}, "returned": {"amount": "100.06"},
               "net": {"amount": "4.99"}})
    );
    assert_eq!(sum("2010-12-01", "2010-12-02").await["net"]["amount"], "-0.01");
    assert_eq!(sum("2010-12-04", "2010-12-04").await["gross"]["amount"], "5.05");
    let none = json!({"orders": 0, "guestOrders": 0, "returns": 0, "unitsSold": 0,
                      "gross": {"amount": "0.00", "currency": "GBP"}, "returned": {"amount": "0.00"},
                      "net": {"amount": "0.00"}});
    assert_eq!(sum("2010-12-03", "2010-12-03").await, none);
    assert_eq!(sum("0001-01-01", "0001-12-31").await, none);
}

#[tokio::test]
async fn days_without_sales_and_returns_are_left_out() {
    let service = with_sales().await;
    let fields = "day orders gross { amount currency } returned { amount } net { amount }";
    let days = ask(&service, "salesByDay", "from: \"2010-12-01\", to: \"2010-12-03\"", fields).await;
    assert_eq!(
        days,
        json!([
            {"day": "2010-12-01", "orders": 3, "gross": {"amount": "100.00", "currency": "GBP"},
             "returned": {"amount": "0.00"}, "net": {"amount": "100.00"}},
            {"day": "2010-12-02", "orders": 0, "gross": {"amount": "0.00", "currency": "GBP"},
             "returned": {"amount": "100.01"}, "net": {"amount": "-100.01"}},
        ])
    );
    assert_eq!(
        ask(&service, "salesByDay", "from: \"2011-01-01\", to: \"2011-01-31\"", fields).await,
        json!([])
    );
}

#[tokio::test]
async fn the_best_come_first_and_equal_ones_by_name() {
    let service = with_sales().await;
    let month = "from: \"2010-12-01\", to: \"2010-12-31\"";
    let rows = |value: &Value, keys: [&str; 3]| -> Vec<Value> {
        let row = |item: &Value| keys.map(|key| item[key].get("amount").unwrap_or(&item[key]).clone());
        value.as_array().unwrap().iter().map(|item| json!(row(item))).collect()
    };

    let fields = "country orders gross { amount currency }";
    let countries = ask(&service, "salesByCountry", month, fields).await;
    assert_eq!(
        rows(&countries, ["country", "orders", "gross"]),
        [
            json!(["United Kingdom", 2, "90.00"]),
            json!(["Belgium", 1, "12.00"]),
            json!(["EIRE", 2, "12.00"]),
            json!(["eire", 1, "12.00"]),
        ]
    );
    assert_eq!(countries[0]["gross"]["currency"], "GBP");
    let two = ask(&service, "salesByCountry", &format!("{month}, first: 2"), fields).await;
    assert_eq!(two, json!([countries[0], countries[1]]));

    let customers = ask(&service, "topCustomers", month, "customerNumber orders gross { amount }").await;
    assert_eq!(
        rows(&customers, ["customerNumber", "orders", "gross"]),
        [json!(["5", 2, "50.00"]), json!(["10", 2, "10.00"]), json!(["9", 1, "10.00"])]
    );

    let products = async |by: &str, more: &str| {
        let arguments = format!("{month}, by: {by}{more}");
        ask(&service, "topProducts", &arguments, "sku name units revenue { amount currency }").await
    };
    let by_units = products("UNITS", "").await;
    assert_eq!(
        rows(&by_units, ["sku", "units", "revenue"]),
        [
            json!(["A", 20, "65.00"]),
            json!(["B", 20, "40.00"]),
            json!(["M", 3, "100.00"]),
            json!(["m", 3, "40.00"])
        ]
    );
    assert_eq!((&by_units[1]["name"], &by_units[0]["name"]), (&json!("Bee"), &json!(null)));
    assert_eq!(by_units[0]["revenue"]["currency"], "GBP");
    let by_revenue = products("REVENUE", ", first: 3").await;
    assert_eq!(
        rows(&by_revenue, ["sku", "units", "revenue"]),
        [json!(["M", 3, "100.00"]), json!(["A", 20, "65.00"]), json!(["B", 20, "40.00"])]
    );
    for field in ["salesByCountry", "topCustomers"] {
        let none = ask(&service, field, "from: \"2011-01-01\", to: \"2011-01-31\"", "orders").await;
        assert_eq!(none, json!([]), "{field}");
    }
}

#[tokio::test]
async fn sums_are_in_the_currency_of_the_shop() {
    let service = Service::start_with(|config| config.currency = "JPY".parse().unwrap()).await;
    service.folded("shop", 100).await;
    service.sql(SALES).await;
    let all = "from: \"2010-12-01\", to: \"2010-12-31\"";
    let sum = ask(&service, "salesSummary", all, "gross { amount currency }").await;
    assert_eq!(sum["gross"], json!({"amount": "10505", "currency": "JPY"}));
}

#[tokio::test]
async fn a_sum_that_cannot_be_counted_says_so_and_the_rest_of_the_answer_stands() {
    let service = with_sales().await;
    service
        .sql(&format!(
            "UPDATE sales_by_day_v1 SET gross = {0} WHERE orders > 0; UPDATE sales_by_country_v1 SET gross = {0};
             UPDATE sales_by_day_v1 SET gross = -2, returned = {0} WHERE day = '2010-12-02'",
            i64::MAX
        ))
        .await;
    let month = "from: \"2010-12-01\", to: \"2010-12-31\"";
    for field in ["salesSummary", "salesByCountry"] {
        let answer = service.ask(&format!("{{ {field}({month}) {{ gross {{ amount }} }} }}")).await;
        assert_eq!(answer.code(), "AMOUNT_OVERFLOW", "{field}");
    }
    let net = service.ask(&format!("{{ salesByDay({month}) {{ net {{ amount }} }} }}")).await;
    assert_eq!(net.code(), "AMOUNT_OVERFLOW");
    let one = ask(&service, "salesSummary", "from: \"2010-12-01\", to: \"2010-12-01\"", SUMMARY).await;
    assert_eq!(one["gross"]["amount"], "92233720368547758.07");
}

#[tokio::test]
async fn days_that_cannot_be_are_refused_by_every_question() {
    let service = with_sales().await;
    for field in ["salesSummary", "salesByDay", "salesByCountry", "topProducts", "topCustomers"] {
        let by = if field == "topProducts" { ", by: UNITS" } else { "" };
        let orders = if field == "topProducts" { "sku" } else { "orders" };
        let query = format!(
            "query ($from: Date!, $to: Date!) {{ {field}(from: $from, to: $to{by}) {{ {orders} }} }}"
        );
        let ask =
            async |from: Value, to: &str| service.ask_with(&query, json!({"from": from, "to": to})).await;
        for from in ["2010-13-01", "2010-02-29", "20101201", "2010-12-1", "2010-12-01T00:00:00Z", "", "today"]
        {
            let answer = ask(json!(from), "2010-12-31").await;
            assert_eq!(answer.code(), "INVALID_INPUT", "{field} {from:?}");
            let message = answer.body["errors"][0]["message"].as_str().unwrap();
            assert!(message.contains("is not a day such as 2010-12-01"), "{message}");
        }
        assert_eq!(ask(json!(20_101_201), "2010-12-31").await.code(), "INVALID_INPUT");
        let backwards = ask(json!("2010-12-02"), "2010-12-01").await;
        assert_eq!(backwards.code(), "INVALID_INPUT", "{field}");
        assert_eq!(backwards.details(), &json!({"argument": "from"}));
        ask(json!("2000-12-24"), "2010-12-31").await.data();
        let long = ask(json!("2000-12-23"), "2010-12-31").await;
        assert_eq!(long.code(), "INVALID_INPUT", "{field}");
        assert_eq!(long.details(), &json!({"argument": "to", "limit": 3_660}));
        assert_eq!(ask(json!("0001-01-01"), "9999-12-31").await.code(), "INVALID_INPUT", "{field}");
    }
}

#[tokio::test]
async fn lists_have_1_to_100_items() {
    let service = with_sales().await;
    service
        .sql(
            "INSERT INTO sales_by_country_v1 SELECT '2011-01-01', 'Country ' || i, 1, i, 1 FROM generate_series(1, 120) i;
             INSERT INTO sales_by_customer_v1 SELECT '2011-01-01', i::text, 1, i, 1 FROM generate_series(1, 120) i;
             INSERT INTO sales_by_product_v1 SELECT '2011-01-01', gen_random_uuid(), i::text, 1, i, 1
             FROM generate_series(1, 120) i",
        )
        .await;
    let days = "from: \"2011-01-01\", to: \"2011-01-01\"";
    for (field, more) in [("salesByCountry", ""), ("topProducts", ", by: REVENUE"), ("topCustomers", "")] {
        for (first, count) in [("", 20), (", first: 1", 1), (", first: 100", 100)] {
            let items = ask(&service, field, &format!("{days}{more}{first}"), "__typename").await;
            assert_eq!(items.as_array().unwrap().len(), count, "{field}");
        }
        for first in ["0", "101", "-1"] {
            let query = format!("{{ {field}({days}{more}, first: {first}) {{ __typename }} }}");
            assert_eq!(service.ask(&query).await.code(), "PAGE_SIZE_OUT_OF_RANGE", "{field} {first}");
        }
    }
    let unknown = service.ask(&format!("{{ topProducts({days}, by: NAME) {{ sku }} }}")).await;
    assert_eq!((unknown.status, unknown.code()), (400, "INVALID_QUERY"));
}
