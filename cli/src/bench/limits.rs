//! What the disk and the database can do at best, measured in the same run as what is compared with it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::SinkExt as _;
use private_postgres::{Config, PrivatePostgres};

use super::report::{Figure, Unit};
use crate::failure::Failure;

const SYNC_FOR: Duration = Duration::from_secs(2);
const FILE_BYTES: usize = 64 * 1024 * 1024;
const BLOCK_BYTES: usize = 4096;

const COPY_ROWS: usize = 300_000;
/// Rows that are sent in one piece.
const COPY_PIECE: usize = 5_000;

/// What disk and database can do, one after the other.
///
/// # Errors
/// The disk or the database cannot be used.
pub async fn of_disk_and_database(place: &Path) -> Result<Vec<Figure>, Failure> {
    let disk = of_disk(place).await?;
    let copied = copy_rows_per_second(place).await?;
    let copied = Figure::new("copyRowsPerSecond", "COPY into a keyed table, rows", Unit::PerSecond, copied);
    Ok(vec![disk, copied])
}

/// How often a second the disk can be told to keep 4 KiB: overwrites of a preallocated file, each synced.
///
/// # Errors
/// The disk cannot be used.
pub async fn of_disk(place: &Path) -> Result<Figure, Failure> {
    let file = place.join("fdatasync");
    let syncs = tokio::task::spawn_blocking(move || syncs_per_second(&file));
    let value = syncs.await.map_err(|error| Failure::of(&error))?.map_err(|error| Failure::of(&error))?;
    Ok(Figure::new("fdatasyncPerSecond", "fdatasync of 4 KiB overwrites", Unit::PerSecond, value))
}

fn syncs_per_second(path: &Path) -> io::Result<f64> {
    std::fs::write(path, vec![0; FILE_BYTES])?;
    let file = File::options().write(true).open(path)?;
    file.sync_all()?;
    let block = [7; BLOCK_BYTES];
    let (begun, mut syncs) = (Instant::now(), 0_u32);
    while begun.elapsed() < SYNC_FOR {
        let offset = syncs as usize * BLOCK_BYTES % FILE_BYTES;
        file.write_all_at(&block, offset as u64)?;
        file.sync_data()?;
        syncs += 1;
    }
    let rate = f64::from(syncs) / begun.elapsed().as_secs_f64();
    std::fs::remove_file(path)?;
    Ok(rate)
}

/// Against a server of its own, with the settings that `up` gives to its.
async fn copy_rows_per_second(place: &Path) -> Result<f64, Failure> {
    let server = PrivatePostgres::start(Config::new(place.join("copy"))).await;
    let server = server.map_err(|error| Failure::of(&error))?;
    let rate = copy(&server.url()).await;
    server.stop().await.map_err(|error| Failure::of(&error))?;
    rate.map_err(|error| Failure::of(&error))
}

async fn copy(url: &str) -> Result<f64, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await?;
    let connection = tokio::spawn(connection);
    client
        .batch_execute(
            "CREATE TABLE rows (id bigint PRIMARY KEY, number text, status text, placed_at timestamptz, \
             amount bigint, units bigint, updated_position bigint)",
        )
        .await?;
    let pieces: Vec<Bytes> = (0..COPY_ROWS / COPY_PIECE).map(piece).collect();
    let begun = Instant::now();
    let mut sink = Box::pin(client.copy_in("COPY rows FROM STDIN").await?);
    for piece in pieces {
        sink.send(piece).await?;
    }
    let rows = sink.as_mut().finish().await?;
    let rate = rows as f64 / begun.elapsed().as_secs_f64();
    drop(client);
    // The connection ends with its client; what it has to say then is of no use to anyone.
    let _ = connection.await;
    Ok(rate)
}

fn piece(number: usize) -> Bytes {
    let rows = number * COPY_PIECE..(number + 1) * COPY_PIECE;
    let line = |id| format!("{id}\tinvoice-{id}\tDELIVERED\t2010-12-01T08:26:00Z\t{}\t{id}\t{id}\n", id * 7);
    rows.map(line).collect::<String>().into()
}
