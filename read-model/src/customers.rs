//! Projection `customers`: who is registered.

use jiff::Timestamp;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::column::names;
use crate::{Past, Projection, View};

/// The projection.
pub const CUSTOMERS: Projection =
    Projection { name: "customers", folds: &[1], views: &[CUSTOMER], later: &[] };

/// Registered users.
pub const CUSTOMER: View = View {
    name: "customers",
    key: &["user_id"],
    data: &["customer_number", "country", "name", "email", "status", "registered_at", "revision"],
    past: Past::Rows,
};

names! {
    /// Whether a customer may order.
    CustomerStatus {
        /// May.
        Active = "ACTIVE",
        /// May not any more.
        Deactivated = "DEACTIVATED",
    }
}

/// A row of [`CUSTOMER`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomerRow {
    /// Which user.
    pub user_id: Uuid,
    /// The number by which the shop knows them.
    pub customer_number: Option<String>,
    /// Where they live, as given at registration.
    pub country: String,
    /// Personal: none when not given or erased.
    pub name: Option<String>,
    /// Personal: none when not given or erased.
    pub email: Option<String>,
    /// Whether they may order.
    pub status: CustomerStatus,
    /// When they registered.
    pub registered_at: Timestamp,
    /// Of the user's stream.
    pub revision: i64,
    /// The event that changed the row last.
    pub updated_position: i64,
}

impl CustomerRow {
    /// Reads a row selected with [`View::column_list`] of [`CUSTOMER`].
    ///
    /// # Errors
    /// A column has another type, or holds a name that this binary does not know.
    pub fn read(row: &Row) -> Result<Self, tokio_postgres::Error> {
        Ok(Self {
            user_id: row.try_get("user_id")?,
            customer_number: row.try_get("customer_number")?,
            country: row.try_get("country")?,
            name: row.try_get("name")?,
            email: row.try_get("email")?,
            status: row.try_get("status")?,
            registered_at: row.try_get("registered_at")?,
            revision: row.try_get("revision")?,
            updated_position: row.try_get(View::POSITION)?,
        })
    }
}
