//! Which spans are exported, and which are only remembered here.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use opentelemetry::trace::{Link, SpanContext, SpanKind, TraceContextExt as _, TraceId};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{Sampler, SamplingDecision, SamplingResult, ShouldSample};

const NAME: &str = "OTEL_TRACES_SAMPLER";
const ARGUMENT: &str = "OTEL_TRACES_SAMPLER_ARG";

/// What the environment asks for, and what is wrong with it: a value that cannot be read is told of and passed over, as
/// the specification wants.
pub(crate) fn of_environment() -> (Sampler, Option<String>) {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    read(set(NAME).as_deref(), set(ARGUMENT).as_deref())
}

fn read(name: Option<&str>, argument: Option<&str>) -> (Sampler, Option<String>) {
    let by_parent = |sampler| Sampler::ParentBased(Box::new(sampler));
    let ratio = |argument: Option<&str>| match argument.map(str::parse::<f64>) {
        Some(Ok(ratio)) if (0.0..=1.0).contains(&ratio) => (ratio, None),
        None => (1.0, None),
        Some(_) => (1.0, Some(format!("{ARGUMENT} must be a number from 0 to 1; every trace is sampled"))),
    };
    match name.unwrap_or("parentbased_always_on") {
        "always_on" => (Sampler::AlwaysOn, None),
        "always_off" => (Sampler::AlwaysOff, None),
        "traceidratio" => {
            let (ratio, trouble) = ratio(argument);
            (Sampler::TraceIdRatioBased(ratio), trouble)
        }
        "parentbased_always_on" => (by_parent(Sampler::AlwaysOn), None),
        "parentbased_always_off" => (by_parent(Sampler::AlwaysOff), None),
        "parentbased_traceidratio" => {
            let (ratio, trouble) = ratio(argument);
            (by_parent(Sampler::TraceIdRatioBased(ratio)), trouble)
        }
        other => {
            let trouble =
                format!("{NAME} names no sampler that is known here: {other:?}; every trace is sampled");
            (by_parent(Sampler::AlwaysOn), Some(trouble))
        }
    }
}

/// Samples as the exporter is to; what is not sampled is recorded all the same where this process remembers it.
#[derive(Debug, Clone)]
pub(crate) struct Sampled {
    /// Of what is exported; none when nothing is.
    pub(crate) exported: Option<Sampler>,
    /// Of what the process remembers for a while; none when it does not.
    pub(crate) remembered: Option<Arc<Pace>>,
}

impl ShouldSample for Sampled {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace_id: TraceId,
        name: &str,
        kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        let mut result = match &self.exported {
            Some(sampler) => sampler.should_sample(parent, trace_id, name, kind, attributes, links),
            None => SamplingResult {
                decision: SamplingDecision::Drop,
                attributes: Vec::new(),
                trace_state: parent
                    .map(|parent| parent.span().span_context().trace_state().clone())
                    .unwrap_or_default(),
            },
        };
        if result.decision == SamplingDecision::Drop
            && let Some(pace) = &self.remembered
            && is_remembered(pace, parent, trace_id, kind)
        {
            result.decision = SamplingDecision::RecordOnly;
        }
        result
    }
}

/// A span within the process goes with the one that it is part of, so that no trace is remembered in parts. Batches of
/// projections are few, and a request that is remembered is shown with them.
fn is_remembered(pace: &Pace, parent: Option<&Context>, trace_id: TraceId, kind: &SpanKind) -> bool {
    let parent = parent.map(|parent| parent.span());
    let is_local = |context: &SpanContext| context.is_valid() && !context.is_remote();
    match parent.filter(|parent| is_local(parent.span_context())) {
        Some(parent) => parent.is_recording(),
        None => *kind == SpanKind::Consumer || pace.takes(trace_id, pace.began.elapsed().as_secs()),
    }
}

/// So many traces that begin here are remembered each second, about. To remember more costs more than anybody looks at.
const PER_SECOND: u64 = 100;

/// Which traces are remembered: all while few begin, and of many one in 2, 4, 8 and so on.
#[derive(Debug)]
pub(crate) struct Pace {
    began: Instant,
    second: AtomicU64,
    begun: AtomicU64,
    /// Those are taken whose id has none of these bits.
    mask: AtomicU64,
}

impl Pace {
    pub(crate) fn new() -> Self {
        let zero = || AtomicU64::new(0);
        Self { began: Instant::now(), second: zero(), begun: zero(), mask: zero() }
    }

    /// Whether a trace that begins in this second is taken.
    fn takes(&self, trace_id: TraceId, now: u64) -> bool {
        let begun = self.begun.fetch_add(1, Ordering::Relaxed);
        let last = self.second.load(Ordering::Relaxed);
        let is_first = now != last
            && self.second.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if is_first {
            self.begun.store(1, Ordering::Relaxed);
            let a_second = begun / now.saturating_sub(last).max(1);
            self.mask.store((a_second / PER_SECOND).next_power_of_two() - 1, Ordering::Relaxed);
        }
        let mask = self.mask.load(Ordering::Relaxed);
        // What comes all at once is not waited for until the second is over.
        if begun > 2 * PER_SECOND * (mask + 1) {
            self.mask.store(2 * mask + 1, Ordering::Relaxed);
        }
        u128::from_be_bytes(trace_id.to_bytes()) & u128::from(mask) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decision(sampled: &Sampled, trace_id: u128) -> SamplingDecision {
        let trace_id = TraceId::from(trace_id);
        sampled.should_sample(None, trace_id, "a", &SpanKind::Server, &[], &[]).decision
    }

    #[test]
    fn the_names_of_the_specification_are_read_and_anything_else_is_told_of() {
        for (name, argument, samples) in [
            (None, None, true),
            (Some("always_on"), None, true),
            (Some("always_off"), None, false),
            (Some("traceidratio"), Some("0"), false),
            (Some("traceidratio"), None, true),
            (Some("parentbased_always_on"), None, true),
            (Some("parentbased_always_off"), None, false),
            (Some("parentbased_traceidratio"), Some("0.0"), false),
        ] {
            let (sampler, trouble) = read(name, argument);
            assert_eq!(trouble, None, "{name:?}");
            let sampled = Sampled { exported: Some(sampler), remembered: None };
            let expected = if samples { SamplingDecision::RecordAndSample } else { SamplingDecision::Drop };
            assert_eq!(decision(&sampled, u128::MAX), expected, "{name:?}");
        }
        for (name, argument) in [(Some("jaeger_remote"), None), (Some("traceidratio"), Some("1.5"))] {
            let (sampler, trouble) = read(name, argument);
            assert!(trouble.is_some(), "{name:?}");
            let sampled = Sampled { exported: Some(sampler), remembered: None };
            assert_eq!(decision(&sampled, u128::MAX), SamplingDecision::RecordAndSample);
        }
    }

    #[test]
    fn what_is_not_exported_is_recorded_where_it_is_remembered() {
        for exported in [None, Some(Sampler::AlwaysOff)] {
            let sampled = Sampled { exported, remembered: Some(Arc::new(Pace::new())) };
            assert_eq!(decision(&sampled, 1), SamplingDecision::RecordOnly);
        }
        let remembered = Some(Arc::new(Pace::new()));
        let sampled = Sampled { exported: Some(Sampler::AlwaysOn), remembered };
        assert_eq!(decision(&sampled, 1), SamplingDecision::RecordAndSample);
    }

    /// How many of so many traces a second are taken in one second after another.
    fn taken(pace: &Pace, seconds: std::ops::Range<u64>, a_second: u64) -> Vec<u64> {
        let id = |second: u64, nth: u64| TraceId::from(u128::from(spread(second * 1_000_003 + nth)));
        let in_one = |second| (0..a_second).filter(|nth| pace.takes(id(second, *nth), second)).count() as u64;
        seconds.map(in_one).collect()
    }

    /// Spreads numbers as ids are spread (splitmix64).
    fn spread(number: u64) -> u64 {
        let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    #[test]
    fn few_traces_are_all_remembered_and_of_many_a_share() {
        let pace = Pace::new();
        assert_eq!(taken(&pace, 0..20, 90), [90; 20]);
        let many = taken(&pace, 20..40, 5_000);
        assert!(many[0] < 1_500, "a flood is met at once: {many:?}");
        assert!(many[1..].iter().all(|taken| (20..=300).contains(taken)), "{many:?}");
        let again = taken(&pace, 40..60, 90);
        assert_eq!(again[1..], [90; 19], "and afterwards all are remembered again");
    }
}
