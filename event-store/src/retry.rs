//! Pauses between tries, and what an error of the client says about the try.

use std::time::Duration;

use eventstore::Error;

const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Pauses that double from 20 ms to 1 s.
pub(crate) struct Backoff(Duration);

impl Backoff {
    pub(crate) fn new() -> Self {
        Self(FIRST_PAUSE)
    }

    /// The next pause.
    pub(crate) fn pause(&mut self) -> Duration {
        let pause = self.0;
        self.0 = (self.0 * 2).min(LONGEST_PAUSE);
        pause
    }
}

/// What a failed try tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The node looked at the request and said no: the same request will be refused again.
    Refused,
    /// The request never went out, or went to a node that passes nothing on.
    NotSent,
    /// The request went out; whether it was carried out is not known.
    Unclear,
}

impl Failure {
    pub(crate) fn of(error: &Error) -> Self {
        match error {
            Error::WrongExpectedVersion { .. }
            | Error::AccessDenied
            | Error::ResourceDeleted
            | Error::ResourceNotFound
            | Error::UnsupportedFeature => Self::Refused,
            Error::Grpc { code, .. } if *code as i32 == INVALID_ARGUMENT => Self::Refused,
            // Both come before the request: the client asks for the node's features first, and says
            // `ConnectionClosed` when its connection task has ended.
            Error::GrpcConnectionError(_) | Error::ConnectionClosed | Error::NotLeaderException(_) => {
                Self::NotSent
            }
            // No connection was made to send it on (so says hyper; with another text it counts as unclear).
            Error::ServerError(text) if text.contains(CONNECT_FAILED) => Self::NotSent,
            _ => Self::Unclear,
        }
    }
}

const CONNECT_FAILED: &str = "client error (Connect)";

/// gRPC status INVALID_ARGUMENT (the crate's own tonic is not ours, so its enum cannot be named here).
const INVALID_ARGUMENT: i32 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_bound() {
        let mut backoff = Backoff::new();
        let pauses: Vec<_> = (0..8).map(|_| backoff.pause().as_millis()).collect();
        assert_eq!(pauses, [20, 40, 80, 160, 320, 640, 1000, 1000]);
    }

    #[test]
    fn only_a_refusal_of_the_node_itself_settles_a_try() {
        assert_eq!(Failure::of(&Error::AccessDenied), Failure::Refused);
        assert_eq!(Failure::of(&Error::ConnectionClosed), Failure::NotSent);
        for unclear in
            [Error::ServerError("gone".into()), Error::DeadlineExceeded, Error::InternalClientError]
        {
            assert_eq!(Failure::of(&unclear), Failure::Unclear, "{unclear}");
        }
    }
}
