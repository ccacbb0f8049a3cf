//! Three front ends over one store, as a cluster of three shows itself: gossip names one leader, the other two refuse
//! what only a leader does. The leader moves, front ends go away in the middle of appends, and the official clients find
//! their way. Nothing acknowledged is lost and nothing is there twice. Stubs are what gossip answers and the refusals;
//! all else are the node's services.

mod front_end;
mod stub;
mod with_eventstore;
mod with_kurrentdb;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use event_store_node::{Node, serve};
use rand::rngs::StdRng;
use rand::seq::{IteratorRandom, SliceRandom};
use rand::{RngExt, SeedableRng};
use tokio::sync::{mpsc, watch};
use uuid::Uuid;

use crate::support::{config, event, eventstore_first, everything, number, numbers, start, within};
use front_end::FrontEnd;
use stub::{Cut, Stub};

const FRONT_ENDS: usize = 3;
const WRITERS: u64 = 8;
const CUTS_OF_A_KIND: usize = 4;
const MOVES: usize = 6;
const OTHERS_GO: usize = 3;
const SEED: u64 = 20_240;

/// What a writer does when its client says that the node is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Temper {
    /// It takes a new client.
    Hasty,
    /// It goes on with the one it has, until that says that it has no connection any more.
    Patient,
}

/// An event that a client said is written.
#[derive(Debug)]
pub struct Acknowledged {
    stream: String,
    writer: String,
    revision: u64,
    number: u64,
    id: Uuid,
    /// Of the last one of its append.
    position: Option<u64>,
}

/// What writers met with.
#[derive(Debug, Default)]
pub struct Seen {
    /// Tries that were refused because another one leads.
    not_leader: u64,
    /// Appends that were refused so, and then written through the same client.
    followed: u64,
    /// Tries with an outcome that nobody knew.
    unclear: u64,
    /// Clients that took the place of another one.
    clients: u64,
    /// Appends that were cut off and had an answer at a later try.
    resolved: HashMap<Cut, u64>,
}

/// How far the writers are.
pub struct Progress {
    appends: watch::Sender<u64>,
    failures: watch::Sender<u64>,
    stopped: AtomicBool,
}

impl Progress {
    fn new() -> Self {
        let (appends, failures) = (watch::Sender::new(0), watch::Sender::new(0));
        Self { appends, failures, stopped: AtomicBool::new(false) }
    }

    fn acknowledged(&self) {
        self.appends.send_modify(|count| *count += 1);
    }

    fn failed(&self) {
        self.failures.send_modify(|count| *count += 1);
    }

    fn stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }
}

/// Waits until something has happened so many times more.
async fn more(counter: &watch::Sender<u64>, times: u64) {
    let mut counter = counter.subscribe();
    let enough = *counter.borrow() + times;
    counter.wait_for(|count| *count >= enough).await.expect("a counter");
}

/// What happens to the front ends at one time.
#[derive(Debug, Clone, Copy)]
enum Turn {
    /// Another one leads.
    Move,
    /// The leader goes away with an append in this state, and another one leads.
    LeaderGoes(Cut),
    /// One that does not lead goes away.
    OtherGoes,
}

/// The front ends, and what happens to them.
struct Cluster {
    node: Node,
    front_ends: Vec<FrontEnd>,
    stub: Arc<Stub>,
    severed: mpsc::UnboundedReceiver<()>,
    progress: Arc<Progress>,
    random: StdRng,
}

impl Cluster {
    async fn start(node: Node) -> Self {
        let front_ends: Vec<_> = (0..FRONT_ENDS).map(|_| FrontEnd::new()).collect();
        let (stub, severed) = Stub::new(front_ends.iter().map(FrontEnd::address).collect());
        let (stub, progress) = (Arc::new(stub), Arc::new(Progress::new()));
        let random = StdRng::seed_from_u64(SEED);
        let mut cluster = Self { node, front_ends, stub, severed, progress, random };
        for number in 0..FRONT_ENDS {
            cluster.begin(number).await;
        }
        cluster
    }

    async fn begin(&mut self, number: usize) {
        self.front_ends[number].start(self.node.routes(), Arc::clone(&self.stub), number).await;
    }

    fn hosts(&self) -> String {
        let hosts: Vec<_> = self.front_ends.iter().map(|front_end| front_end.address().to_string()).collect();
        hosts.join(",")
    }

    /// One that serves and does not lead.
    fn other(&mut self) -> usize {
        let leader = self.stub.leader();
        let others = (0..FRONT_ENDS).filter(|number| *number != leader && self.front_ends[*number].serves());
        others.choose(&mut self.random).expect("another one")
    }

    async fn appends(&mut self, range: std::ops::Range<u64>) {
        let times = self.random.random_range(range);
        more(&self.progress.appends, times).await;
    }

    async fn play(&mut self, turn: Turn) {
        self.appends(5..60).await;
        match turn {
            Turn::Move => {
                let next = self.other();
                self.stub.lead(next);
            }
            Turn::OtherGoes => {
                let other = self.other();
                self.front_ends[other].kill();
                self.appends(5..40).await;
                self.begin(other).await;
            }
            Turn::LeaderGoes(cut) => self.leader_goes(cut).await,
        }
    }

    async fn leader_goes(&mut self, cut: Cut) {
        let (leader, next) = (self.stub.leader(), self.other());
        self.stub.arm(leader, cut, self.random.random_range(0..8));
        self.severed.recv().await.expect("an append is cut off");
        // Others learn of it before it goes, at once, or when some client has looked for it in vain.
        match self.random.random_range(0..3) {
            0 => {
                self.stub.lead(next);
                self.appends(1..10).await;
                self.front_ends[leader].kill();
            }
            1 => {
                self.front_ends[leader].kill();
                self.stub.lead(next);
            }
            _ => {
                self.front_ends[leader].kill();
                more(&self.progress.failures, 2 * WRITERS).await;
                self.stub.lead(next);
            }
        }
        self.appends(5..40).await;
        self.begin(leader).await;
    }
}

fn turns() -> Vec<Turn> {
    let mut turns = Vec::new();
    for cut in [Cut::Before, Cut::Meanwhile, Cut::After, Cut::Late] {
        turns.extend([Turn::LeaderGoes(cut); CUTS_OF_A_KIND]);
    }
    turns.extend([Turn::Move; MOVES]);
    turns.extend([Turn::OtherGoes; OTHERS_GO]);
    turns.shuffle(&mut StdRng::seed_from_u64(SEED));
    turns
}

/// Everything that is there, against everything that was acknowledged, which is all that was sent.
async fn compare(hosts: &str, acknowledged: &[Acknowledged]) {
    let settings = format!("esdb://{hosts}?tls=false").parse().expect("a connection string");
    let client = eventstore::Client::new(settings).expect("a client");
    let mut by_id: HashMap<Uuid, &Acknowledged> =
        acknowledged.iter().map(|acknowledged| (acknowledged.id, acknowledged)).collect();
    assert_eq!(by_id.len(), acknowledged.len());
    let stored = everything(&client).await;
    let mut places = HashMap::new();
    for event in stored.iter().map(|event| event.get_original_event()) {
        let place = format!("{}@{}", event.revision, event.stream_id);
        if let Some(first) = places.insert(event.id, place.clone()) {
            panic!("the event {first} is there once more: {place}");
        }
    }
    let mut streams: HashMap<String, u64> = HashMap::new();
    let mut last: HashMap<(&str, &str), u64> = HashMap::new();
    for event in stored.iter().map(|event| event.get_original_event()) {
        if event.stream_id.starts_with('$') {
            continue;
        }
        let place = &places[&event.id];
        let sent = by_id.remove(&event.id).unwrap_or_else(|| panic!("{place} was not sent so"));
        assert_eq!(format!("{}@{}", sent.revision, sent.stream), *place, "it is where the answer said");
        assert_eq!((&sent.writer, sent.number), (&event.event_type, number(&event.data)), "{place}");
        assert!(sent.position.is_none_or(|position| position == event.position.commit), "{place}");
        let next = streams.entry(event.stream_id.clone()).or_default();
        assert_eq!(event.revision, *next, "{place}");
        *next += 1;
        let before = last.insert((&sent.writer, &sent.stream), sent.number);
        assert!(before < Some(sent.number), "{place} came after {before:?}");
    }
    assert!(by_id.is_empty(), "acknowledged and lost: {:?}", by_id.values());
    assert_eq!(streams.len() as u64, 2 * WRITERS + 1);
}

/// The test is worth something only when all of this happened.
fn met_with_enough(refused: u64, seen: &[Seen]) {
    let sum = |of: fn(&Seen) -> u64| seen.iter().map(of).sum::<u64>();
    for cut in [Cut::Before, Cut::After, Cut::Late] {
        let resolved: u64 = seen.iter().filter_map(|seen| seen.resolved.get(&cut)).sum();
        assert_eq!(resolved, CUTS_OF_A_KIND as u64, "appends cut off {cut:?} and answered at a later try");
    }
    for client in 0..2 {
        let followed: u64 = seen.iter().skip(client).step_by(2).map(|seen| seen.followed).sum();
        assert!(followed >= MOVES as u64, "clients went where the refusal sent them: {seen:?}");
    }
    assert!(refused >= sum(|seen| seen.not_leader), "only the stub refuses so: {refused}, {seen:?}");
    assert!(sum(|seen| seen.unclear) > 0 && sum(|seen| seen.clients) > 0, "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_or_doubled_when_the_leader_moves_and_front_ends_go_away() {
    eventstore_first().await;
    let dir = tempfile::tempdir().expect("a folder");
    let node = Node::start(config(dir.path())).await.expect("a node");
    let mut cluster = within(Cluster::start(node)).await;
    let hosts = cluster.hosts();
    let writers = (0..WRITERS).map(|number| {
        // Of each four, two are of one client and two of one temper.
        let temper = if number % 4 < 2 { Temper::Hasty } else { Temper::Patient };
        let (stub, progress) = (Arc::clone(&cluster.stub), Arc::clone(&cluster.progress));
        if number % 2 == 0 {
            tokio::spawn(with_eventstore::writer::Writer::new(number, &hosts, temper, stub, progress).run())
        } else {
            tokio::spawn(with_kurrentdb::writer::Writer::new(number, &hosts, temper, stub, progress).run())
        }
    });
    let writers: Vec<_> = writers.collect();
    for turn in turns() {
        within(cluster.play(turn)).await;
    }
    cluster.progress.stopped.store(true, Ordering::Relaxed);
    let (mut acknowledged, mut seen) = (Vec::new(), Vec::new());
    for writer in within(futures::future::join_all(writers)).await {
        let (written, met) = writer.expect("a writer");
        acknowledged.extend(written);
        seen.push(met);
    }
    within(compare(&hosts, &acknowledged)).await;
    met_with_enough(cluster.stub.refused(), &seen);
    cluster.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_further_address_serves_the_same_log_as_long_as_the_node_runs() {
    let running = start().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = tokio::spawn(serve(running.node.routes(), listener, async {
        let _ = stopped.await;
    }));
    let settings = format!("esdb://{address}?tls=false").parse().expect("a connection string");
    let client = eventstore::Client::new(settings).expect("a client");
    within(client.append_to_stream("a-1", &Default::default(), event(0))).await.expect("written");
    within(running.client.append_to_stream("a-1", &Default::default(), event(1))).await.expect("written");
    assert_eq!(numbers(&client, "a-1").await, [(0, 0), (1, 1)]);
    assert_eq!(numbers(&running.client, "a-1").await, [(0, 0), (1, 1)]);
    running.node.shutdown().await;
    let refused = within(client.append_to_stream("a-1", &Default::default(), event(2))).await;
    assert!(matches!(refused, Err(eventstore::Error::ServerError(_))), "{refused:?}");
    drop(client);
    stop.send(()).expect("it serves");
    within(server).await.expect("ended").expect("without a fault");
}
