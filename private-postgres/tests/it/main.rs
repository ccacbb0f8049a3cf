//! The private server through its public door. What concerns the end of a process runs in a process of its own: this
//! very binary again, told by environment variables what to do ([`helper`]).

mod errors;
mod helper;
mod lifetime;
mod test_databases;
