//! How many events a second are read.

use std::time::{Duration, Instant};

use eventstore::{AppendToStreamOptions, Client, Error, ReadAllOptions, ReadStreamOptions, StreamPosition};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use tokio::task::JoinSet;

use super::target::{Target, event, failed};
use crate::failure::Failure;

/// Streams that are read one by one, and the events of each.
const STREAMS: usize = 1_000;
const STREAM_EVENTS: usize = 50;

/// How many read at once.
const READERS: usize = 16;

/// How many streams are written at once beforehand.
const WRITERS: usize = 16;

/// Reads everything from the first event on; gives how many there are and how many came a second.
///
/// # Errors
/// The node does not give them.
pub async fn everything(target: &Target) -> Result<(u64, f64), Failure> {
    let options = ReadAllOptions::default().forwards().position(StreamPosition::Start).max_count(usize::MAX);
    let begun = Instant::now();
    let mut events = target.client.read_all(&options).await.map_err(|error| failed(&error))?;
    let mut count = 0_u64;
    while events.next().await.map_err(|error| failed(&error))?.is_some() {
        count += 1;
    }
    Ok((count, count as f64 / begun.elapsed().as_secs_f64()))
}

/// Writes streams of 50 events and lets 16 read them whole, one after the other, for so long; gives how many streams
/// were read a second.
///
/// # Errors
/// The node does not take or give them.
pub async fn streams(target: &Target, lasting: Duration) -> Result<f64, Failure> {
    stream::iter(0..STREAMS)
        .map(|number| write(&target.client, number))
        .buffer_unordered(WRITERS)
        .try_collect::<()>()
        .await
        .map_err(|error| failed(&error))?;
    let (begun, mut readers) = (Instant::now(), JoinSet::new());
    for reader in 0..READERS {
        let client = target.client.clone();
        readers.spawn(async move {
            let mut read = 0_u64;
            while begun.elapsed() < lasting {
                let number = (reader * STREAMS / READERS + read as usize) % STREAMS;
                read_whole(&client, number).await?;
                read += 1;
            }
            Ok::<_, Error>(read)
        });
    }
    let mut read = 0;
    while let Some(ended) = readers.join_next().await {
        read += ended.map_err(|error| Failure::of(&error))?.map_err(|error| failed(&error))?;
    }
    Ok(read as f64 / begun.elapsed().as_secs_f64())
}

fn name(number: usize) -> String {
    format!("read-{number}")
}

async fn write(client: &Client, number: usize) -> Result<(), Error> {
    let events: Vec<_> = (0..STREAM_EVENTS).map(|_| event()).collect();
    client.append_to_stream(name(number), &AppendToStreamOptions::default(), events).await.map(drop)
}

async fn read_whole(client: &Client, number: usize) -> Result<(), Error> {
    let options = ReadStreamOptions::default().max_count(STREAM_EVENTS);
    let mut events = client.read_stream(name(number), &options).await?;
    let mut count = 0;
    while events.next().await?.is_some() {
        count += 1;
    }
    if count == STREAM_EVENTS { Ok(()) } else { Err(Error::ResourceNotFound) }
}
