//! Logs, traces, metrics, the admin server and readiness.
