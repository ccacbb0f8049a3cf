//! Stretches of time in rules, as Prometheus writes them, which a test may shorten all at once.

/// By how much every window of the rules is shorter than in earnest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Windows {
    divisor: u64,
}

impl Windows {
    /// As they are in earnest.
    pub const REAL: Self = Self { divisor: 1 };

    /// Shorter by this factor, so that a test sees in a minute what takes an hour. None is shorter than a second.
    #[must_use]
    pub const fn shorter_by(divisor: u64) -> Self {
        Self { divisor: if divisor == 0 { 1 } else { divisor } }
    }

    /// One such as `5m`, in the same form.
    #[must_use]
    pub fn of(self, window: &str) -> String {
        match seconds(window) {
            Some(seconds) if self.divisor > 1 => written((seconds / self.divisor).max(1)),
            _ => window.to_owned(),
        }
    }

    /// An expression with every range in brackets and every offset made shorter. Numbers to compare with stay: what is
    /// too old is too old in a test as well.
    #[must_use]
    pub fn in_expression(self, expression: &str) -> String {
        let mut out = String::with_capacity(expression.len());
        let mut rest = expression;
        while let Some((at, opening)) = ["[", "offset "]
            .iter()
            .filter_map(|opening| rest.find(opening).map(|at| (at, opening.len())))
            .min_by_key(|(at, _)| *at)
        {
            let (before, window) = rest.split_at(at + opening);
            let end = window.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(window.len());
            out.push_str(before);
            out.push_str(&self.of(&window[..end]));
            rest = &window[end..];
        }
        out.push_str(rest);
        out
    }
}

/// How many seconds a window has; none when it is not a whole number of one unit.
#[must_use]
pub fn seconds(window: &str) -> Option<u64> {
    let unit = window.chars().last()?;
    let number: u64 = window.strip_suffix(unit)?.parse().ok()?;
    let factor = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return None,
    };
    number.checked_mul(factor)
}

fn written(seconds: u64) -> String {
    match [(86_400, 'd'), (3_600, 'h'), (60, 'm')]
        .into_iter()
        .find(|(factor, _)| seconds.is_multiple_of(*factor))
    {
        Some((factor, unit)) => format!("{}{unit}", seconds / factor),
        None => format!("{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_and_offsets_become_shorter_and_nothing_else() {
        let expression = "rate(a{b=\"5m\"}[1h]) > 300 and c offset 5m < max_over_time(d[3d])";
        assert_eq!(Windows::REAL.in_expression(expression), expression);
        assert_eq!(
            Windows::shorter_by(60).in_expression(expression),
            "rate(a{b=\"5m\"}[1m]) > 300 and c offset 5s < max_over_time(d[72m])"
        );
    }

    #[test]
    fn no_window_vanishes() {
        assert_eq!(Windows::shorter_by(60).of("30s"), "1s");
        assert_eq!(Windows::shorter_by(60).of("0s"), "1s");
        assert_eq!(Windows::shorter_by(0).of("30s"), "30s");
    }
}
