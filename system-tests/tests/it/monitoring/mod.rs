//! Metrics, dashboards, rules and alerts, through the programs that use them.

mod cases;
mod catalogue;
mod contract;
mod faults;
mod live;
mod rules;
mod services;
