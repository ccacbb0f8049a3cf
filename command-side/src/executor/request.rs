//! What the executor is asked to do.

use bytes::Bytes;
use domain::ids::PersonId;
use event_store::Revision;
use jiff::Timestamp;
use uuid::Uuid;

/// The namespace of command ids that come from an idempotency key. It never changes: retries depend on it.
const NAMESPACE: Uuid = Uuid::from_u128(0x2c8f_7d14_93b6_4a0e_8f25_6b9e_d0c1_7a58);

/// The id of a command: the same for the same command when it is sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CommandId(pub Uuid);

impl CommandId {
    /// The id of a command that carries an idempotency key. A key counts within its scope: the operation and the
    /// aggregate (for a create without a natural key, the actor, so nothing while there are none).
    #[must_use]
    pub fn keyed(operation: &str, scope: &str, key: &str) -> Self {
        // Neither operation nor scope holds a line break, so no two of the three can be taken for another.
        Self(Uuid::new_v5(&NAMESPACE, format!("{operation}\n{scope}\n{key}").as_bytes()))
    }

    /// The id of a command that nobody can send again.
    #[must_use]
    pub fn fresh() -> Self {
        Self(Uuid::now_v7())
    }
}

/// What a request's sender wants the aggregate's revision to be (`If-Match`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IfMatch {
    /// Any, but the aggregate has to exist.
    Exists,
    /// One of these.
    OneOf(Vec<Revision>),
}

impl IfMatch {
    /// Whether a stream at this revision is what was asked for.
    #[must_use]
    pub fn holds(&self, revision: Option<Revision>) -> bool {
        match (self, revision) {
            (_, None) => false,
            (Self::Exists, Some(_)) => true,
            (Self::OneOf(wanted), Some(revision)) => wanted.contains(&revision),
        }
    }
}

/// The request in a form that is the same for the same request, from which its fingerprint is made.
#[derive(Debug, Clone)]
pub struct Fingerprinted {
    /// Whose personal data it holds.
    pub person: Option<PersonId>,
    /// The form.
    pub request: Bytes,
}

/// Where a command comes from, for the metadata of its events.
#[derive(Debug, Clone)]
pub struct Origin {
    /// The piece of work it belongs to.
    pub correlation_id: Uuid,
    /// What caused it: the command itself, or for a saga's command the event it reacts to.
    pub causation_id: Uuid,
    /// Who sent it, an opaque id.
    pub actor: Option<String>,
}

impl Origin {
    /// Of a command that stands for itself.
    #[must_use]
    pub fn itself(command: CommandId) -> Self {
        Self { correlation_id: command.0, causation_id: command.0, actor: None }
    }
}

/// One command for one aggregate.
#[derive(Debug, Clone)]
pub struct CommandRequest<C> {
    /// Which aggregate; with the decider's category it names the stream.
    pub aggregate: Uuid,
    /// What is to be done.
    pub command: C,
    /// The command's id.
    pub command_id: CommandId,
    /// Where it comes from.
    pub origin: Origin,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// By which a retry is told from another request under the same key; `None` when nobody chose the id by a key.
    pub fingerprinted: Option<Fingerprinted>,
    /// The revision that is asked for.
    pub if_match: Option<IfMatch>,
}

impl<C> CommandRequest<C> {
    /// The same request for another form of the command.
    pub(super) fn map<T>(self, form: impl FnOnce(C) -> T) -> CommandRequest<T> {
        let Self { aggregate, command, command_id, origin, occurred_at, fingerprinted, if_match } = self;
        let command = form(command);
        CommandRequest { aggregate, command, command_id, origin, occurred_at, fingerprinted, if_match }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_counts_within_its_operation_and_scope() {
        let id = CommandId::keyed("list-product", "a", "k");
        assert_eq!(id, CommandId::keyed("list-product", "a", "k"));
        for other in [("delist-product", "a", "k"), ("list-product", "b", "k"), ("list-product", "a", "l")] {
            assert_ne!(id, CommandId::keyed(other.0, other.1, other.2));
        }
        assert_eq!(id.0.to_string(), "ec242b2a-84db-5622-a002-87a6d9e015c9");
    }

    #[test]
    fn if_match_needs_the_aggregate_to_exist() {
        let seven = IfMatch::OneOf(vec![Revision(7), Revision(9)]);
        assert!(seven.holds(Some(Revision(7))) && seven.holds(Some(Revision(9))));
        assert!(!seven.holds(Some(Revision(8))) && !seven.holds(None));
        assert!(IfMatch::Exists.holds(Some(Revision(0))) && !IfMatch::Exists.holds(None));
        assert!(!IfMatch::OneOf(vec![]).holds(Some(Revision(0))));
    }
}
