//! Whatever crashes: what the log has answered is not sent again, and what it has not is.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tokio::sync::Semaphore;
use tokio::time::sleep;
use uuid::Uuid;

use crate::fixture::{Database, Log, Running, set_up};
use crate::transfers::{
    Answer, Bank, Command, Event, TRANSFER, TransferDecoder, append, ask, eventually, happens, projection,
    start, until,
};

const WITHDRAW: Command = Command::Withdraw { cents: 100 };
const DEPOSIT: Command = Command::Deposit { cents: 100 };

async fn assert_rows_are_one_fold(log: &Log, database: &Database, bank: &Arc<Bank>) {
    let decoder = TransferDecoder::default();
    decoder.has_key.store(true, Ordering::SeqCst);
    database.assert_is_naive_fold(&projection(bank), &log.decoded(&decoder, &[TRANSFER]).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_between_answer_and_fold_sends_nothing_twice() {
    let (log, database) = (Log::start().await, Database::new().await);
    let gate = Arc::new(Semaphore::new(0));
    let closed = Arc::clone(&gate);
    let before = Bank::new(&log, move |_, _| Answer::AtGate(Arc::clone(&closed)));
    let engine = start(&log, &database, &before);
    let transfers = [ask(&log).await, ask(&log).await, ask(&log).await];
    assert!(eventually(async || before.calls().len() == transfers.len()).await);

    // The answers come into the log while the fold cannot write.
    let mut client = database.pool.get().await.unwrap();
    let holding = client.transaction().await.unwrap();
    let hold = "SELECT 1 FROM projection_version WHERE name = 'transfer' FOR UPDATE";
    holding.batch_execute(hold).await.unwrap();
    gate.add_permits(2);
    assert!(
        eventually(async || log.decoded(&TransferDecoder::default(), &[TRANSFER]).await.len() == 5).await
    );
    engine.crash().await;
    holding.rollback().await.unwrap();
    drop(client);

    // Its own bank: a command of the crashed engine may outlive the crash for a moment, and take what is for this one.
    let bank = Bank::new(&log, |_, _| Answer::Done);
    let again = start(&log, &database, &bank);
    for transfer in transfers {
        until(&database, transfer, |row| row.over && row.pending == 0).await;
    }
    let answered = transfers.iter().filter(|t| bank.calls_of(**t) == [DEPOSIT]).count();
    let open = transfers.iter().filter(|t| bank.calls_of(**t) == [WITHDRAW, DEPOSIT]).count();
    assert_eq!((answered, open), (2, 1), "only what had no answer goes again: {:?}", bank.calls());
    let mut ids: Vec<Uuid> = before.calls().iter().chain(&bank.calls()).map(|call| call.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 2 * transfers.len(), "and under the same id");
    assert_rows_are_one_fold(&log, &database, &bank).await;
    again.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fold_from_nothing_sends_only_what_the_log_has_not_answered() {
    let (log, database) = (Log::start().await, Database::new().await);
    let open = ask(&log).await;
    let bank = Bank::new(&log, move |outgoing, nth| {
        if outgoing.saga_id == open && outgoing.command == WITHDRAW && nth == 0 {
            Answer::AtGate(Arc::new(Semaphore::new(0)))
        } else {
            Answer::Done
        }
    });
    let engine = start(&log, &database, &bank);
    let mut transfers = Vec::new();
    for _ in 0..30 {
        transfers.push(ask(&log).await);
    }
    for transfer in &transfers {
        until(&database, *transfer, |row| row.over).await;
    }
    assert_eq!(bank.calls_of(open), [WITHDRAW]);
    engine.crash().await;

    engine::reset(&database.pool).await.unwrap();
    set_up(&database.pool).await;
    let again = start(&log, &database, &bank);
    until(&database, open, |row| row.over).await;
    assert_eq!(bank.calls_of(open), [WITHDRAW, WITHDRAW, DEPOSIT]);
    let ids: Vec<Uuid> =
        bank.calls().iter().filter(|call| call.transfer == open).map(|call| call.id).collect();
    assert_eq!(ids[0], ids[1], "under the same id");
    let late = ask(&log).await;
    until(&database, late, |row| row.over).await;
    for transfer in &transfers {
        until(&database, *transfer, |row| row.over).await;
        assert_eq!(bank.calls_of(*transfer), [WITHDRAW, DEPOSIT]);
    }
    again.stop().await;
    assert_rows_are_one_fold(&log, &database, &bank).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_sent_before_the_head_seen_at_the_start_is_folded() {
    let (log, database) = (Log::start().await, Database::new().await);
    let silent = Bank::new(&log, |_, _| Answer::AtGate(Arc::new(Semaphore::new(0))));
    let engine = start(&log, &database, &silent);
    let (answered, open) = (ask(&log).await, ask(&log).await);
    assert!(eventually(async || silent.calls().len() == 2).await);
    engine.crash().await;

    // The answer stands behind an event that the fold waits for.
    let before = happens(&log, open, Event::Sealed).await;
    let command = silent.calls().iter().find(|call| call.transfer == answered).unwrap().id;
    append(&log.store, answered, &Event::Withdrawn, command).await;
    let decoder = Arc::new(TransferDecoder::default());
    let bank = Bank::new(&log, |_, _| Answer::Done);
    let engine = Running::with(&log, &database, vec![projection(&bank)], Arc::clone(&decoder) as _);
    let row = database.until("transfer", |row| row.reason.is_some()).await;
    assert!(row.position < before && row.reason.unwrap().contains("there is no key"));
    sleep(Duration::from_millis(300)).await;
    assert!(bank.calls().is_empty(), "{:?}", bank.calls());

    decoder.has_key.store(true, Ordering::SeqCst);
    for transfer in [answered, open] {
        until(&database, transfer, |row| row.over && row.pending == 0).await;
    }
    assert_eq!(bank.calls_of(answered), [DEPOSIT]);
    assert_eq!(bank.calls_of(open), [WITHDRAW, DEPOSIT]);
    let again = bank.calls().into_iter().find(|call| call.transfer == open).unwrap().id;
    assert!(silent.calls().iter().any(|call| call.id == again), "under the same id");
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_engines_only_the_one_that_folds_sends_and_the_other_takes_over() {
    let (log, database) = (Log::start().await, Database::new().await);
    let (first_bank, second_bank) =
        (Bank::new(&log, |_, _| Answer::Done), Bank::new(&log, |_, _| Answer::Done));
    let mut first = start(&log, &database, &first_bank);
    first.ready().await;
    let mut second = start(&log, &database, &second_bank);
    second.ready().await;
    for _ in 0..20 {
        let transfer = ask(&log).await;
        until(&database, transfer, |row| row.over).await;
    }
    assert_eq!((first_bank.calls().len(), second_bank.calls().len()), (40, 0));
    first.crash().await;
    let transfer = ask(&log).await;
    until(&database, transfer, |row| row.over).await;
    assert_eq!(second_bank.calls_of(transfer), [WITHDRAW, DEPOSIT]);
    assert_eq!(first_bank.calls().len(), 40);
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_lets_what_is_under_way_end_and_sends_nothing_more() {
    let (log, database) = (Log::start().await, Database::new().await);
    let gate = Arc::new(Semaphore::new(0));
    let closed = Arc::clone(&gate);
    let bank = Bank::new(&log, move |_, _| Answer::AtGate(Arc::clone(&closed)));
    let engine = start(&log, &database, &bank);
    let transfer = ask(&log).await;
    assert!(eventually(async || bank.calls().len() == 1).await);
    let stopping = tokio::spawn(engine.stop());
    sleep(Duration::from_millis(100)).await;
    assert!(!stopping.is_finished(), "it waits for the command");
    gate.add_permits(1);
    stopping.await.unwrap();
    let events = log.decoded(&TransferDecoder::default(), &[TRANSFER]).await;
    assert_eq!(events.last().unwrap().event, Event::Withdrawn);

    gate.add_permits(1);
    let again = start(&log, &database, &bank);
    until(&database, transfer, |row| row.over).await;
    assert_eq!(bank.calls_of(transfer), [WITHDRAW, DEPOSIT]);
    again.stop().await;
}

#[derive(Debug, Clone)]
enum Step {
    Ask(u8),
    /// Another engine, at most two at once.
    Start,
    Pause(Duration),
    Crash,
    Stop,
    /// Every connection is cut.
    CutConnections,
    /// The process is killed and the database lost.
    Lose,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (1_u8..20).prop_map(Step::Ask),
        3 => Just(Step::Start),
        4 => (0_u64..60).prop_map(|ms| Step::Pause(Duration::from_millis(ms))),
        2 => Just(Step::Crash),
        1 => Just(Step::Stop),
        1 => Just(Step::CutConnections),
        1 => Just(Step::Lose),
    ]
}

/// Some fail at first, and some deposits are refused for good.
fn moody(outgoing: &engine::Outgoing<Command>, nth: usize) -> Answer {
    match (outgoing.command, outgoing.command_id.as_u128() % 8) {
        (_, 0) if nth == 0 => Answer::Fail,
        (_, 1) if nth == 0 => Answer::Panic,
        (_, 2) if nth < 2 => Answer::NotYet,
        (Command::Deposit { .. }, 3 | 4) => Answer::Refuse(Some("ACCOUNT_CLOSED")),
        _ => Answer::Done,
    }
}

async fn play(steps: Vec<Step>) {
    let (log, database) = (Log::start().await, Database::new().await);
    let bank = Bank::new(&log, moody);
    let (mut transfers, mut engines) = (vec![ask(&log).await], Vec::<Running>::new());
    for step in steps {
        match step {
            Step::Ask(times) => {
                for _ in 0..times {
                    transfers.push(ask(&log).await);
                }
            }
            Step::Start if engines.len() < 2 => engines.push(start(&log, &database, &bank)),
            Step::Pause(pause) => sleep(pause).await,
            Step::Crash if !engines.is_empty() => engines.remove(0).crash().await,
            Step::Stop if !engines.is_empty() => engines.remove(0).stop().await,
            Step::CutConnections => database.cut_connections().await,
            Step::Lose => {
                for engine in engines.drain(..) {
                    engine.crash().await;
                }
                engine::reset(&database.pool).await.unwrap();
                set_up(&database.pool).await;
            }
            Step::Start | Step::Crash | Step::Stop => {}
        }
    }
    engines.push(start(&log, &database, &bank));
    for transfer in transfers {
        until(&database, transfer, |row| row.over && row.pending == 0 && row.stuck_reason.is_none()).await;
    }
    assert_rows_are_one_fold(&log, &database, &bank).await;
    for engine in engines {
        engine.stop().await;
    }
}

#[test]
fn any_interleaving_of_crashes_and_losses_ends_with_all_work_over() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let config = Config { cases: 8, max_shrink_iters: 20, failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
        .run(&proptest::collection::vec(step(), 4..24), |steps| {
            // A failed assertion is a panic, which the runner takes as a failed case.
            runtime.block_on(play(steps));
            Ok(())
        })
        .unwrap();
}
