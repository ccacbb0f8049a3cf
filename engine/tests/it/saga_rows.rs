//! How events fold into a saga's row.

use std::collections::HashSet;

use contract::LogPosition;
use engine::{EntityView as _, Recorded, SagaView, Value, law};
use event_store::{EventId, Metadata, Revision, StreamId};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use uuid::Uuid;

use crate::transfers::{Event, TRANSFER, Transfers};

type Row = engine::SagaRow<crate::transfers::State, crate::transfers::Command>;

const ID: Uuid = Uuid::from_u128(7);

fn view() -> SagaView<Transfers> {
    SagaView::new(Transfers)
}

/// The event of this number in the log, the answer to a command.
fn recorded(number: u64, event: Event, command: Uuid) -> Recorded<Event> {
    let at = Timestamp::from_microsecond(1_800_000_000_000_000 + i64::try_from(number).unwrap()).unwrap();
    let mut metadata = Metadata::of_command(command, 1, at);
    metadata.correlation_id = Uuid::from_u128(99);
    metadata.traceparent = Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned());
    Recorded {
        event,
        event_type: "Transfer".to_owned(),
        stream: StreamId::new(TRANSFER, &ID),
        id: EventId(Uuid::from_u128(u128::from(number) + 1000)),
        revision: Revision(number),
        position: LogPosition(number),
        recorded_at: at,
        occurred_at: at,
        metadata,
    }
}

fn fold(row: Option<Row>, number: u64, event: Event, command: Uuid) -> Row {
    view().fold(&ID, row, &recorded(number, event, command)).unwrap().unwrap()
}

fn asked() -> Row {
    fold(None, 0, Event::Asked { cents: 5, remind_ms: 60_000 }, Uuid::nil())
}

/// Step, outbox, due, stuck and over, as they are stored.
fn columns(row: &Row) -> (String, Vec<serde_json::Value>, Option<Timestamp>, Option<String>, bool) {
    let mut stored = engine::Stored::new(view().store(row));
    let step = stored.take().unwrap();
    let _state: serde_json::Value = stored.document().unwrap();
    let outbox: serde_json::Value = stored.document().unwrap();
    let due = stored.take().unwrap();
    (step, outbox.as_array().unwrap().clone(), due, stored.take().unwrap(), stored.take().unwrap())
}

fn command_id(entry: &serde_json::Value) -> Uuid {
    entry["commandId"].as_str().unwrap().parse().unwrap()
}

#[test]
fn a_command_carries_what_it_comes_from_and_its_id_never_changes() {
    let (step, outbox, due, stuck, over) = columns(&asked());
    assert_eq!((step.as_str(), stuck, over), ("WITHDRAWING", None, false));
    let event = recorded(0, Event::Withdrawn, Uuid::nil());
    assert_eq!(due, Some(event.recorded_at), "at once");
    let common = |id: &str, command: serde_json::Value| {
        serde_json::json!({
            "commandId": id,
            "causedBy": event.id.0,
            "correlationId": Uuid::from_u128(99),
            "traceparent": event.metadata.traceparent,
            "recordedAt": event.recorded_at,
            "command": command,
        })
    };
    assert_eq!(
        outbox[0],
        common("6e69afe0-eeee-5ef4-94ae-e60a9926984d", serde_json::json!({"Withdraw": {"cents": 5}}))
    );
    let mut remind = common("19c8422e-d78d-55c4-a0b9-604dc5373bc9", serde_json::json!("Remind"));
    remind["notBefore"] = serde_json::json!(event.recorded_at + SignedDuration::from_secs(60));
    assert_eq!(outbox[1], remind);
}

#[test]
fn an_answer_strikes_its_command_out_and_the_row_is_due_with_the_next() {
    let row = asked();
    let (_, outbox, _, _, _) = columns(&row);
    let nothing = fold(Some(row.clone()), 1, Event::Refused { code: None }, Uuid::from_u128(1));
    assert!(nothing == row, "an answer to something else changes nothing");
    let row = fold(Some(row), 1, Event::Refused { code: None }, command_id(&outbox[0]));
    let (_, left, due, stuck, over) = columns(&row);
    assert_eq!((left.as_slice(), stuck, over), (&outbox[1..], None, false));
    assert_eq!(
        due,
        Some(recorded(0, Event::Withdrawn, Uuid::nil()).recorded_at + SignedDuration::from_secs(60))
    );
}

#[test]
fn a_saga_is_over_when_nothing_is_left_in_its_outbox() {
    let row = fold(Some(asked()), 1, Event::Withdrawn, Uuid::nil());
    let row = fold(Some(row), 2, Event::GivenBack, Uuid::nil());
    let (step, outbox, due, _, over) = columns(&row);
    assert_eq!((step.as_str(), outbox.len(), due, over), ("OVER", 0, None, true), "the rest was withdrawn");
    let (row, outbox) = (asked(), columns(&asked()).1);
    let row = fold(Some(row), 1, Event::Refused { code: Some("NO".into()) }, command_id(&outbox[1]));
    assert!(!columns(&row).4);
}

#[test]
fn a_refusal_nobody_reacts_to_is_stuck_until_the_state_changes() {
    let refused = || Event::Refused { code: Some("NO_MONEY".to_owned()) };
    let row = fold(Some(asked()), 1, refused(), Uuid::nil());
    let reason = |row: &Row| columns(row).3;
    assert_eq!(reason(&row).as_deref(), Some("NO_MONEY: the bank will not"));
    let row = fold(Some(row), 2, Event::Reminded, Uuid::nil());
    assert!(reason(&row).is_some(), "nothing has changed");
    let row = fold(Some(row), 3, Event::Withdrawn, Uuid::nil());
    assert_eq!(reason(&row), None);
    let row = fold(Some(row), 4, refused(), Uuid::nil());
    assert_eq!((columns(&row).0.as_str(), reason(&row)), ("GIVING_BACK", None), "this one has a reaction");
}

#[test]
fn what_the_state_knows_of_trouble_stays_whatever_else_happens() {
    let row = fold(Some(asked()), 1, Event::Disputed, Uuid::nil());
    let row = fold(Some(row), 2, Event::Withdrawn, Uuid::nil());
    let row = fold(Some(row), 3, Event::Refused { code: Some("NO".into()) }, Uuid::nil());
    assert_eq!(columns(&row).3.as_deref(), Some("disputed"));
    let row = fold(Some(row), 4, Event::Settled, Uuid::nil());
    assert_eq!(columns(&row).3, None);
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        (any::<i64>(), any::<i64>()).prop_map(|(cents, remind_ms)| Event::Asked { cents, remind_ms }),
        Just(Event::Withdrawn),
        Just(Event::Deposited),
        Just(Event::GivenBack),
        Just(Event::Reminded),
        Just(Event::Settled),
        Just(Event::Disputed),
        proptest::option::of("[A-Z]{1,8}").prop_map(|code| Event::Refused { code }),
    ]
}

proptest! {
    #[test]
    fn a_row_survives_storage_and_no_two_commands_share_an_id(
        events in proptest::collection::vec((event(), any::<proptest::sample::Index>()), 1..20),
    ) {
        let mut row = asked();
        let mut known = HashSet::new();
        for (number, (event, answers)) in (1..).zip(events) {
            let outbox = columns(&row).1;
            let answered = if outbox.is_empty() { Uuid::nil() } else { command_id(answers.get(&outbox)) };
            known.extend(outbox.iter().map(command_id));
            row = fold(Some(row), number, event, answered);
            law::survives_storage(&view(), &ID, &row).map_err(TestCaseError::fail)?;
            for entry in columns(&row).1 {
                prop_assert!(command_id(&entry) != answered);
                let caused_now = entry["causedBy"] == serde_json::json!(Uuid::from_u128(number as u128 + 1000));
                prop_assert_eq!(known.contains(&command_id(&entry)), !caused_now);
            }
        }
        prop_assert_eq!(view().store_key(&ID), vec![Value::Uuid(ID)]);
    }
}
