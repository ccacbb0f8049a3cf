//! Projection `shop`: orders, payments, shipments, returns, and the sales summaries over them.

mod names;
mod views;

pub use names::{OrderStatus, PaymentStatus, ShipmentStatus};
pub use views::{
    ORDER_LINES, ORDERS, PAYMENTS, RETURN_LINES, RETURNS, SALES_BY_COUNTRY, SALES_BY_CUSTOMER, SALES_BY_DAY,
    SALES_BY_PRODUCT, SHIPMENTS, SHOP,
};
