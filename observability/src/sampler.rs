//! Which spans are exported, and which are only remembered here.

use opentelemetry::trace::{Link, SpanKind, TraceContextExt as _, TraceId};
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
    /// Whether the process remembers every span for a while.
    pub(crate) is_remembered: bool,
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
        if self.is_remembered && result.decision == SamplingDecision::Drop {
            result.decision = SamplingDecision::RecordOnly;
        }
        result
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
            let sampled = Sampled { exported: Some(sampler), is_remembered: false };
            let expected = if samples { SamplingDecision::RecordAndSample } else { SamplingDecision::Drop };
            assert_eq!(decision(&sampled, u128::MAX), expected, "{name:?}");
        }
        for (name, argument) in [(Some("jaeger_remote"), None), (Some("traceidratio"), Some("1.5"))] {
            let (sampler, trouble) = read(name, argument);
            assert!(trouble.is_some(), "{name:?}");
            let sampled = Sampled { exported: Some(sampler), is_remembered: false };
            assert_eq!(decision(&sampled, u128::MAX), SamplingDecision::RecordAndSample);
        }
    }

    #[test]
    fn what_is_not_exported_is_recorded_where_it_is_remembered() {
        for exported in [None, Some(Sampler::AlwaysOff)] {
            let sampled = Sampled { exported, is_remembered: true };
            assert_eq!(decision(&sampled, 1), SamplingDecision::RecordOnly);
        }
        let sampled = Sampled { exported: Some(Sampler::AlwaysOn), is_remembered: true };
        assert_eq!(decision(&sampled, 1), SamplingDecision::RecordAndSample);
    }
}
