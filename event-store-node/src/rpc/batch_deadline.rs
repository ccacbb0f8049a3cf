//! How long an append of a batch may take: what the client gives, never more than the node's own limit. Clients send
//! very strange values (56 years, ten million years, a moment in the past), so nothing here may overflow.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::proto::streams::batch_append_req::options::DeadlineOption;

/// The time that is left; zero when there is none.
pub(super) fn deadline(given: Option<&DeadlineOption>, limit: Duration) -> Duration {
    let left = match given {
        None => limit,
        Some(DeadlineOption::Deadline(span)) => duration(span.seconds, span.nanos),
        Some(DeadlineOption::Deadline21100(moment)) => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            duration(moment.seconds, moment.nanos).saturating_sub(now)
        }
    };
    left.min(limit)
}

/// Negative counts as zero.
fn duration(seconds: i64, nanos: i32) -> Duration {
    let seconds = u64::try_from(seconds).unwrap_or_default();
    Duration::from_secs(seconds)
        .saturating_add(Duration::from_nanos(u64::try_from(nanos).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strange_deadlines_are_held_within_the_limit() {
        let limit = Duration::from_secs(5);
        let relative = |seconds, nanos| DeadlineOption::Deadline(prost_types::Duration { seconds, nanos });
        let absolute =
            |seconds, nanos| DeadlineOption::Deadline21100(prost_types::Timestamp { seconds, nanos });
        assert_eq!(deadline(None, limit), limit);
        assert_eq!(deadline(Some(&relative(315_576_000_000, 0)), limit), limit);
        assert_eq!(deadline(Some(&relative(i64::MAX, i32::MAX)), limit), limit);
        assert_eq!(deadline(Some(&relative(0, 1_000_000)), limit), Duration::from_millis(1));
        assert_eq!(deadline(Some(&relative(-1, -1)), limit), Duration::ZERO);
        assert_eq!(deadline(Some(&absolute(1, 0)), limit), Duration::ZERO);
        assert_eq!(deadline(Some(&absolute(i64::MAX, 0)), limit), limit);
    }
}
