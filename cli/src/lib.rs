//! The headwater command.
