//! Group commit over an engine that has none: one thread takes everything that waits, commits it once, and answers.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use crate::candidate::Event;

const MAX_WAITING: usize = 4096;
const MAX_GROUP_EVENTS: usize = 8192;

/// An engine that commits a group of events at once, durably.
pub trait Commit: Send + Sync + 'static {
    fn next_position(&self) -> u64;
    fn commit(&self, first_position: u64, events: &[Event]);
    fn length(&self, stream: &str) -> u64;
}

type Waiting = (Vec<Event>, oneshot::Sender<()>);

/// The front of the committing thread.
#[derive(Clone)]
pub struct Committer {
    queue: mpsc::Sender<Waiting>,
    engine: Arc<dyn Commit>,
}

impl Committer {
    pub fn start(engine: impl Commit) -> Self {
        let engine: Arc<dyn Commit> = Arc::new(engine);
        let (queue, waiting) = mpsc::channel(MAX_WAITING);
        let committing = Arc::clone(&engine);
        std::thread::spawn(move || serve(&*committing, waiting));
        Self { queue, engine }
    }

    pub async fn append(&self, events: Vec<Event>) {
        let (answer, answered) = oneshot::channel();
        self.queue.send((events, answer)).await.expect("the thread lives");
        answered.await.expect("committed");
    }

    pub fn length(&self, stream: &str) -> u64 {
        self.engine.length(stream)
    }
}

fn serve(engine: &dyn Commit, mut queue: mpsc::Receiver<Waiting>) {
    let mut position = engine.next_position();
    while let Some(first) = queue.blocking_recv() {
        let mut events = first.0;
        let mut answers = vec![first.1];
        while events.len() < MAX_GROUP_EVENTS
            && let Ok((more, answer)) = queue.try_recv()
        {
            events.extend(more);
            answers.push(answer);
        }
        engine.commit(position, &events);
        position += events.len() as u64;
        for answer in answers {
            let _ = answer.send(());
        }
    }
}
