//! One test binary: the house, and the whole path.

mod documents;
mod house;
mod spine;
