//! The rules through their public door: what was, what is asked, what comes of it.

mod golden;
mod product;
mod stock;
mod support;
mod user;
