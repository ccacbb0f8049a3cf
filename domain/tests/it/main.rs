//! The rules through their public door: what was, what is asked, what comes of it.

mod golden;
mod order;
mod payment;
mod product;
mod returns;
mod shipment;
mod stock;
mod support;
mod user;
