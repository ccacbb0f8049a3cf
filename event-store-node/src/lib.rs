//! The embedded node: EventStoreDB's gRPC protocol over an embedded log.
