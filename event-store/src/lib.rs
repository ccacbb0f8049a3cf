//! The port to the log: typed ids, envelope, append, read and subscribe over the official client.
