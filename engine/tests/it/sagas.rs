//! What becomes of a saga's commands while nothing crashes.

use std::collections::HashSet;
use std::sync::Arc;

use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::fixture::{Database, Log};
use crate::transfers::{
    Answer, Bank, Command, Event, TRANSFER, TransferDecoder, Transfers, ask, eventually, happens, projection,
    start, until,
};

const WITHDRAW: Command = Command::Withdraw { cents: 100 };
const DEPOSIT: Command = Command::Deposit { cents: 100 };
const GIVE_BACK: Command = Command::GiveBack { cents: 100 };

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_flow_to_the_end_also_those_asked_for_before_the_start() {
    let (log, database) = (Log::start().await, Database::new().await);
    let bank = Bank::new(&log, |_, _| Answer::Done);
    let early = ask(&log).await;
    let mut engine = start(&log, &database, &bank);
    engine.ready().await;
    let mut transfers = vec![early];
    for _ in 0..100 {
        transfers.push(ask(&log).await);
    }
    for transfer in transfers {
        until(&database, transfer, |row| row.over && row.pending == 0 && row.stuck_reason.is_none()).await;
        assert_eq!(bank.calls_of(transfer), [WITHDRAW, DEPOSIT]);
    }
    bank.assert_each_once();
    let events = log.decoded(&TransferDecoder::default(), &[TRANSFER]).await;
    database.assert_is_naive_fold(&projection(&bank), &events).await;
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_with_a_reaction_compensates() {
    let (log, database) = (Log::start().await, Database::new().await);
    let bank = Bank::new(&log, |outgoing, _| match outgoing.command {
        Command::Deposit { .. } => Answer::Refuse(Some("ACCOUNT_CLOSED")),
        _ => Answer::Done,
    });
    let engine = start(&log, &database, &bank);
    let transfer = ask(&log).await;
    let row = until(&database, transfer, |row| row.over).await;
    assert_eq!(row.stuck_reason, None);
    assert_eq!(bank.calls_of(transfer), [WITHDRAW, DEPOSIT, GIVE_BACK]);
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_without_a_reaction_is_stuck_alone_until_a_later_event_frees_it() {
    let (log, database) = (Log::start().await, Database::new().await);
    let poor = ask(&log).await;
    let bank = Bank::new(&log, move |outgoing, _| {
        if outgoing.saga_id == poor { Answer::Refuse(Some("NO_MONEY")) } else { Answer::Done }
    });
    let engine = start(&log, &database, &bank);
    let row = until(&database, poor, |row| row.stuck_reason.is_some()).await;
    assert_eq!(row.stuck_reason.as_deref(), Some("NO_MONEY: the bank will not"));
    let other = ask(&log).await;
    until(&database, other, |row| row.over).await;

    let stuck = engine::stuck(&database.pool, engine::Saga::table(&Transfers), 1, 10).await.unwrap();
    assert_eq!(stuck.iter().map(|stuck| stuck.saga_id).collect::<Vec<_>>(), [poor]);
    assert_eq!(
        (stuck[0].step.as_str(), stuck[0].reason.as_str()),
        ("WITHDRAWING", "NO_MONEY: the bank will not")
    );
    assert!(stuck[0].updated_position > contract::LogPosition::START);
    let none = engine::stuck(&database.pool, engine::Saga::table(&Transfers), 1, 0).await.unwrap();
    assert_eq!(none, []);

    happens(&log, poor, Event::Settled).await;
    let row = until(&database, poor, |row| row.over).await;
    assert_eq!(row.stuck_reason, None);
    assert_eq!(bank.calls_of(poor), [WITHDRAW]);
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deadline_fires_not_before_its_time_and_a_withdrawn_one_never() {
    let (log, database) = (Log::start().await, Database::new().await);
    let patient = Arc::new(Semaphore::new(0));
    let (quick, slow) = (Uuid::new_v4(), Uuid::new_v4());
    let gate = Arc::clone(&patient);
    let bank = Bank::new(&log, move |outgoing, _| {
        let waits = outgoing.saga_id == slow && outgoing.command != Command::Remind;
        if waits { Answer::AtGate(Arc::clone(&gate)) } else { Answer::Done }
    });
    let engine = start(&log, &database, &bank);
    for transfer in [quick, slow] {
        happens(&log, transfer, Event::Asked { cents: 100, remind_ms: 1000 }).await;
    }
    let asked = log.decoded(&TransferDecoder::default(), &[TRANSFER]).await;
    let asked: Vec<Timestamp> = asked
        .iter()
        .filter(|event| matches!(event.event, Event::Asked { .. }))
        .map(|event| event.recorded_at)
        .collect();
    until(&database, quick, |row| row.over && row.pending == 0).await;
    assert!(eventually(async || bank.calls_of(slow).contains(&Command::Remind)).await);
    let reminders: Vec<_> = bank.calls().into_iter().filter(|call| call.command == Command::Remind).collect();
    assert_eq!(reminders.len(), 1, "the other was withdrawn, and its time has come before: {reminders:?}");
    assert!(reminders[0].at >= asked[1] + SignedDuration::from_secs(1), "{asked:?} {reminders:?}");
    patient.add_permits(2);
    until(&database, slow, |row| row.over && row.pending == 0).await;
    bank.assert_each_once();
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_fails_is_sent_again_under_the_same_id_and_the_others_go_on() {
    let (log, database) = (Log::start().await, Database::new().await);
    let unlucky = ask(&log).await;
    let bank = Bank::new(&log, move |outgoing, nth| match (outgoing.saga_id == unlucky, nth) {
        (true, 0) => Answer::Fail,
        (true, 1) => Answer::Panic,
        (true, 2) => Answer::NotYet,
        _ => Answer::Done,
    });
    let engine = start(&log, &database, &bank);
    let mut others = Vec::new();
    for _ in 0..20 {
        others.push(ask(&log).await);
    }
    for other in others {
        until(&database, other, |row| row.over).await;
    }
    until(&database, unlucky, |row| row.over).await;
    let calls = bank.calls();
    let ids = |command| {
        let of = calls.iter().filter(move |call| call.transfer == unlucky && call.command == command);
        of.map(|call| call.id).collect::<Vec<_>>()
    };
    for ids in [ids(WITHDRAW), ids(DEPOSIT)] {
        assert_eq!(ids, [ids[0]; 4]);
    }
    let times: Vec<_> = calls.iter().filter(|c| c.transfer == unlucky).map(|c| c.at).collect();
    for (tries, pair) in times[..4].windows(2).enumerate() {
        let pause = pair[1].duration_since(pair[0]);
        assert!(pause >= SignedDuration::from_millis(95 << tries), "{times:?}");
    }
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_had_nothing_to_change_is_only_struck_out() {
    let (log, database) = (Log::start().await, Database::new().await);
    let bank = Bank::new(&log, |_, _| Answer::Refuse(None));
    let engine = start(&log, &database, &bank);
    let transfer = ask(&log).await;
    // The reminder stays.
    let row = until(&database, transfer, |row| row.pending == 1).await;
    assert_eq!((row.step.as_str(), row.stuck_reason, row.over), ("WITHDRAWING", None, false));
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_saga_with_many_commands_under_way_leaves_room_for_the_others() {
    let (log, database) = (Log::start().await, Database::new().await);
    let gate = Arc::new(Semaphore::new(0));
    let crowd: Vec<Uuid> = (0..3).map(|_| Uuid::new_v4()).collect();
    let (closed, held) = (Arc::clone(&gate), crowd.clone());
    let bank = Bank::new(&log, move |outgoing, _| {
        if held.contains(&outgoing.saga_id) { Answer::AtGate(Arc::clone(&closed)) } else { Answer::Done }
    });
    let engine = start(&log, &database, &bank);
    for transfer in &crowd {
        for _ in 0..60 {
            happens(&log, *transfer, Event::Asked { cents: 100, remind_ms: 3_600_000 }).await;
        }
        assert!(eventually(async || bank.calls_of(*transfer).len() >= 20).await);
    }
    let other = ask(&log).await;
    until(&database, other, |row| row.over).await;
    for transfer in &crowd {
        assert!(bank.calls_of(*transfer).len() < 60, "all of them at once");
    }
    gate.add_permits(1000);
    for transfer in crowd {
        assert!(eventually(async || bank.calls_of(transfer).len() > 60).await);
    }
    bank.assert_each_once();
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_full_of_open_work_is_read_page_by_page_and_all_of_it_is_sent() {
    let (log, database) = (Log::start().await, Database::new().await);
    let mut transfers = HashSet::new();
    for _ in 0..100 {
        transfers.extend(join_all((0..20).map(|_| ask(&log))).await);
    }
    let bank = Bank::new(&log, |_, _| Answer::NotYet);
    let engine = start(&log, &database, &bank);
    let sent = async || bank.calls().iter().map(|call| call.transfer).collect::<HashSet<_>>() == transfers;
    assert!(eventually(sent).await, "of {} only {}", transfers.len(), bank.calls().len());
    engine.stop().await;
}
