//! Projection `shop`: orders, payments, shipments, returns, and the sales summaries over them.

mod line;
mod names;
mod order;
mod payment;
mod returns;
mod shipment;
mod views;

pub use line::LineRow;
pub use names::{OrderStatus, PaymentStatus, ShipmentStatus};
pub use order::OrderRow;
pub use payment::PaymentRow;
pub use returns::ReturnRow;
pub use shipment::ShipmentRow;
pub use views::{
    ORDER_LINES, ORDERS, PAYMENTS, RETURN_LINES, RETURNS, SALES_BY_COUNTRY, SALES_BY_CUSTOMER, SALES_BY_DAY,
    SALES_BY_PRODUCT, SHIPMENTS, SHOP,
};
