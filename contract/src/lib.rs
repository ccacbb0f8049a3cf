//! What REST and GraphQL share: the error table, money, positions, public ids, and of the projections their status row,
//! notification channel and the tables of what rows were. A leaf: it depends on no other crate of the workspace, does no
//! I/O and knows no rule of the shop.

pub mod error;
pub mod history;
pub mod money;
pub mod position;
pub mod public_id;
pub mod status;

pub use error::{ApiError, ErrorCode};
pub use money::{Currency, Money, MoneyError};
pub use position::{LogIdentity, LogPosition, Position};
pub use public_id::{PublicId, PublicIdError};
