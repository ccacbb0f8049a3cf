//! The tables of the projection; what their columns mean stands in the migration.

use crate::{Past, Projection, View};

/// The projection.
pub const SHOP: Projection = Projection {
    name: "shop",
    folds: &[1],
    views: &[
        ORDERS,
        ORDER_LINES,
        PAYMENTS,
        SHIPMENTS,
        RETURNS,
        RETURN_LINES,
        SALES_BY_DAY,
        SALES_BY_COUNTRY,
        SALES_BY_PRODUCT,
        SALES_BY_CUSTOMER,
    ],
    later: &[],
};

/// Orders, without their lines.
pub const ORDERS: View = View {
    name: "orders",
    key: &["order_id"],
    data: &[
        "number",
        "customer_id",
        "customer_number",
        "country",
        "currency",
        "status",
        "cancel_reason",
        "placed_at",
        "sale_day",
        "gross_minor",
        "units",
        "line_count",
        "revision",
    ],
    past: Past::Rows,
};

/// The lines of orders, one row an order.
pub const ORDER_LINES: View = View {
    name: "order_lines",
    key: &["order_id"],
    data: &["lines", "sale_day", "cancelled"],
    past: Past::Rows,
};

/// Payments of orders.
pub const PAYMENTS: View = View {
    name: "payments",
    key: &["payment_id"],
    data: &[
        "order_id",
        "amount_minor",
        "currency",
        "status",
        "reference",
        "decline_reason",
        "refunded_minor",
        "requested_at",
        "revision",
    ],
    past: Past::Rows,
};

/// Shipments of orders.
pub const SHIPMENTS: View = View {
    name: "shipments",
    key: &["shipment_id"],
    data: &[
        "order_id",
        "status",
        "reference",
        "failure_reason",
        "requested_at",
        "dispatched_at",
        "delivered_at",
        "revision",
    ],
    past: Past::Rows,
};

/// Returns, without their lines.
pub const RETURNS: View = View {
    name: "returns",
    key: &["return_id"],
    data: &[
        "number",
        "order_id",
        "customer_id",
        "customer_number",
        "country",
        "currency",
        "restocked",
        "refunded",
        "received_at",
        "return_day",
        "returned_minor",
        "units",
        "line_count",
        "revision",
    ],
    past: Past::Rows,
};

/// The lines of returns, one row a return.
pub const RETURN_LINES: View =
    View { name: "return_lines", key: &["return_id"], data: &["lines"], past: Past::Rows };

/// Sales and returns of a day.
pub const SALES_BY_DAY: View = View {
    name: "sales_by_day",
    key: &["day"],
    data: &["orders", "guest_orders", "units", "gross", "returns", "returned"],
    past: Past::Sums,
};

/// Sales of a day to a country.
pub const SALES_BY_COUNTRY: View =
    View { name: "sales_by_country", key: &["day", "country"], data: &["orders", "gross"], past: Past::Sums };

/// Sales of a product on a day.
pub const SALES_BY_PRODUCT: View = View {
    name: "sales_by_product",
    key: &["day", "product_id", "sku"],
    data: &["units", "revenue"],
    past: Past::Sums,
};

/// Sales to a registered customer on a day.
pub const SALES_BY_CUSTOMER: View = View {
    name: "sales_by_customer",
    key: &["day", "customer_number"],
    data: &["orders", "gross"],
    past: Past::Sums,
};
