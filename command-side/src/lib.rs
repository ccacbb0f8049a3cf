//! REST: route, command, decision, append.
