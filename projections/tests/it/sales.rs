//! What was sold: an example whose figures were worked out by hand, and SQL that works the sums out from the rows.

use domain::order::{self, Buyer, CancelReason};
use domain::{payment, product, returns, shipment, stock, user};

use crate::shop::{Shop, ZONE};
use crate::wishes::{
    Wish, country, customer, minor, order_id, payment_id, place, receive, registered, shipment_id, sku,
};

const GUEST: Buyer = Buyer::Guest { name: None, email: None };

/// Each summary, and its rows as SQL works them out from those of the entity views. `{zone}` is the shop's.
const SUMS: [(&str, &str); 4] = [
    (
        "day, orders, guest_orders, units, gross, returns, returned FROM sales_by_day_v1",
        "day, sum(orders), sum(guests), sum(units), sum(gross), sum(returns), sum(returned) FROM (
             SELECT (placed_at AT TIME ZONE '{zone}')::date AS day, 1 AS orders,
                 (customer_number IS NULL)::int AS guests, units, gross_minor AS gross, 0 AS returns, 0 AS returned
             FROM orders_v1 WHERE status <> 'CANCELLED'
             UNION ALL
             SELECT (received_at AT TIME ZONE '{zone}')::date, 0, 0, 0, 0, 1, returned_minor FROM returns_v1
         ) AS documents GROUP BY day",
    ),
    (
        "day, country, orders, gross FROM sales_by_country_v1",
        "(placed_at AT TIME ZONE '{zone}')::date, country, count(*), sum(gross_minor)
         FROM orders_v1 WHERE status <> 'CANCELLED' GROUP BY 1, 2",
    ),
    (
        "day, customer_number, orders, gross FROM sales_by_customer_v1",
        "(placed_at AT TIME ZONE '{zone}')::date, customer_number, count(*), sum(gross_minor)
         FROM orders_v1 WHERE status <> 'CANCELLED' AND customer_number IS NOT NULL GROUP BY 1, 2",
    ),
    (
        "day, product_id, sku, units, revenue FROM sales_by_product_v1",
        r#"(placed_at AT TIME ZONE '{zone}')::date, "productId", sku, sum(quantity), sum(quantity * "unitPriceMinor")
         FROM orders_v1 JOIN order_lines_v1 USING (order_id), LATERAL jsonb_to_recordset(lines)
             AS line ("productId" uuid, sku text, quantity bigint, "unitPriceMinor" bigint)
         WHERE status <> 'CANCELLED' GROUP BY 1, 2, 3"#,
    ),
];

/// Documents that do not agree with their lines.
const CONTRADICTIONS: &str = r#"
    SELECT order_id FROM orders_v1 o FULL JOIN order_lines_v1 l USING (order_id),
        LATERAL (SELECT count(*), sum(quantity), sum(quantity * "unitPriceMinor")
            FROM jsonb_to_recordset(l.lines) AS line (quantity bigint, "unitPriceMinor" bigint)
        ) AS sums (line_count, units, amount)
    WHERE (o.line_count, o.units, o.gross_minor, o.sale_day, o.status = 'CANCELLED')
        IS DISTINCT FROM (sums.line_count, sums.units, sums.amount, l.sale_day, l.cancelled)
    UNION ALL
    SELECT return_id FROM returns_v1 r FULL JOIN return_lines_v1 l USING (return_id),
        LATERAL (SELECT count(*), sum(quantity), sum(quantity * "unitPriceMinor")
            FROM jsonb_to_recordset(l.lines) AS line (quantity bigint, "unitPriceMinor" bigint)
        ) AS sums (line_count, units, amount)
    WHERE (r.line_count, r.units, r.returned_minor) IS DISTINCT FROM (sums.line_count, sums.units, sums.amount)"#;

/// The summaries are what their rows sum up to, and documents agree with their lines.
pub async fn assert_sums_are_of_the_rows(shop: &Shop) {
    let client = shop.pool.get().await.unwrap();
    for (stored, expected) in SUMS {
        let expected = expected.replace("{zone}", ZONE);
        let different = format!(
            "SELECT count(*) FROM ((SELECT {stored} EXCEPT ALL SELECT {expected})
             UNION ALL (SELECT {expected} EXCEPT ALL SELECT {stored})) AS different"
        );
        let different: i64 = client.query_one(&different, &[]).await.unwrap().get(0);
        assert_eq!(different, 0, "{stored}");
    }
    assert_eq!(client.query(CONTRADICTIONS, &[]).await.unwrap().len(), 0);
}

/// The rows of a query, each as Postgres writes it.
async fn rows(shop: &Shop, query: &str) -> Vec<String> {
    let query = format!("SELECT row::text FROM ({query}) AS row");
    let rows = shop.pool.get().await.unwrap().query(&query, &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_figures_of_a_small_shop_are_those_worked_out_by_hand() {
    let mut shop = Shop::open().await;
    let (france, eire) = (country("France"), country("EIRE"));
    let cancel = |reason| order::Command::Cancel { reason, note: None };
    // The first two days of December 2010 in New York begin and end at 5:00 UTC.
    for (at, wish) in [
        // One product at two prices.
        (
            "2010-12-01T05:00:00Z",
            Wish::Order(
                1,
                place(1, Buyer::Customer(registered(1)), eire.clone(), &[(0, 2, 100), (0, 3, 90)]),
            ),
        ),
        ("2010-12-01T12:00:00Z", Wish::Order(2, place(2, GUEST, france.clone(), &[(1, 1, 500)]))),
        ("2010-12-02T04:59:59Z", Wish::Order(3, place(3, GUEST, france.clone(), &[(0, 1, 100), (1, 1, 0)]))),
        ("2010-12-02T05:00:00Z", Wish::Return(1, receive(1, Some(registered(1)), &[(0, 1, 90)]))),
        (
            "2010-12-02T06:00:00Z",
            Wish::Order(4, place(4, Buyer::Customer(registered(1)), france, &[(2, 9, 999)])),
        ),
        (
            "2010-12-02T07:00:00Z",
            Wish::Order(5, place(5, Buyer::Customer(registered(2)), eire, &[(1, 2, 500)])),
        ),
        // On another day: it is the day of the order that loses.
        ("2010-12-03T12:00:00Z", Wish::Order(4, cancel(CancelReason::OutOfStock))),
        ("2010-12-03T12:00:00Z", Wish::Return(2, receive(2, None, &[(3, 4, 25)]))),
        ("2010-12-04T12:00:00Z", Wish::Return(2, returns::Command::MarkRestocked)),
    ] {
        shop.wish_at(wish, at.parse().unwrap()).await;
    }
    let folding = shop.fold(shop.vault.clone()).await;
    shop.until_head().await;

    let by_day =
        "day, orders, guest_orders, units, gross, returns, returned FROM sales_by_day_v1 ORDER BY day";
    assert_eq!(
        rows(&shop, &format!("SELECT {by_day}")).await,
        ["(2010-12-01,3,2,8,1070,0,0)", "(2010-12-02,1,0,2,1000,1,90)", "(2010-12-03,0,0,0,0,1,100)"]
    );
    let by_country = "SELECT day, country, orders, gross FROM sales_by_country_v1 ORDER BY day, country";
    assert_eq!(
        rows(&shop, by_country).await,
        ["(2010-12-01,EIRE,1,470)", "(2010-12-01,France,2,600)", "(2010-12-02,EIRE,1,1000)"]
    );
    let by_customer = "SELECT day, customer_number, orders, gross FROM sales_by_customer_v1 ORDER BY day";
    assert_eq!(rows(&shop, by_customer).await, ["(2010-12-01,17001,1,470)", "(2010-12-02,17002,1,1000)"]);
    let by_product = "SELECT day, sku, units, revenue FROM sales_by_product_v1 ORDER BY day, sku";
    assert_eq!(
        rows(&shop, by_product).await,
        ["(2010-12-01,SKU0,6,570)", "(2010-12-01,SKU1,2,500)", "(2010-12-02,SKU1,2,1000)"]
    );
    let orders =
        "SELECT number, customer_number, status, cancel_reason, sale_day, gross_minor, units, line_count
        FROM orders_v1 ORDER BY placed_at";
    assert_eq!(
        rows(&shop, orders).await,
        [
            "(536301,17001,PLACED,,2010-12-01,470,5,2)",
            "(,,PLACED,,2010-12-01,500,1,1)",
            "(536303,,PLACED,,2010-12-01,100,2,2)",
            "(,17001,CANCELLED,OUT_OF_STOCK,2010-12-02,8991,9,1)",
            "(536305,17002,PLACED,,2010-12-02,1000,2,1)",
        ]
    );
    let returns =
        "SELECT number, customer_number, restocked, refunded, return_day, returned_minor, units, line_count
        FROM returns_v1 ORDER BY received_at";
    assert_eq!(
        rows(&shop, returns).await,
        ["(536301,17001,f,f,2010-12-02,90,1,1)", "(,,t,f,2010-12-03,100,4,1)"]
    );
    assert_sums_are_of_the_rows(&shop).await;
    folding.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_projection_reaches_the_position_of_whatever_command() {
    let mut shop = Shop::open().await;
    let folding = shop.fold(shop.vault.clone()).await;
    shop.until_head().await;
    let (order_id, payment_id, shipment_id) = (order_id(1), payment_id(1), shipment_id(1));
    let quantity = domain::value::Quantity::new(1).unwrap();
    let register = user::Command::Register {
        customer_number: customer(1),
        country: country("France"),
        name: None,
        email: None,
    };
    for wish in [
        Wish::Product(
            1,
            product::Command::List { sku: sku(1), name: None, description: None, price: minor(1) },
        ),
        Wish::Stock(1, stock::Action::Receive { quantity }),
        Wish::User(1, register),
        Wish::Order(1, place(1, GUEST, country("France"), &[(1, 1, 1)])),
        Wish::Payment(1, payment::Command::Request { payment_id, order_id, amount: minor(1), token: None }),
        Wish::Shipment(1, shipment::Command::Request { shipment_id, order_id, token: None }),
        Wish::Return(1, receive(1, None, &[(1, 1, 1)])),
    ] {
        let before = shop.store.head().await.unwrap();
        shop.wish(wish).await;
        assert!(shop.store.head().await.unwrap() > before);
        shop.until_head().await;
    }
    folding.stop().await;
}
