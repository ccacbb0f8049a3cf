//! What the disk itself can do, and how much of it is used.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::time::{Duration, Instant};

const FILE_BYTES: usize = 64 * 1024 * 1024;
const BLOCK_BYTES: usize = 4096;
const TMPFS_MAGIC: i64 = 0x0102_1994;

/// Syncing costs nothing on a file system in memory, so nothing can be measured there.
pub fn refuse_memory(dir: &Path) {
    let kind = rustix::fs::statfs(dir).expect("a file system").f_type;
    assert!(kind != TMPFS_MAGIC, "{} is in memory (tmpfs): give another folder with --dir", dir.display());
}

/// Overwrites of a preallocated file, each synced.
pub fn syncs_per_second(dir: &Path, time: Duration) -> f64 {
    let path = dir.join("fdatasync");
    fs::write(&path, vec![0u8; FILE_BYTES]).expect("a file");
    let file = File::options().write(true).open(&path).expect("a file");
    file.sync_all().expect("synced");
    let block = vec![7u8; BLOCK_BYTES];
    let began = Instant::now();
    let mut syncs = 0u32;
    while began.elapsed() < time {
        let offset = syncs as usize * BLOCK_BYTES % FILE_BYTES;
        file.write_all_at(&block, offset as u64).expect("written");
        file.sync_data().expect("synced");
        syncs += 1;
    }
    let rate = f64::from(syncs) / began.elapsed().as_secs_f64();
    fs::remove_file(&path).expect("removed");
    rate
}

/// Bytes that the files of a folder take on disk.
pub fn used_bytes(dir: &Path) -> u64 {
    let entries = fs::read_dir(dir).expect("a folder").map(|entry| entry.expect("an entry"));
    entries
        .map(|entry| {
            let metadata = entry.metadata().expect("metadata");
            if metadata.is_dir() { used_bytes(&entry.path()) } else { metadata.blocks() * 512 }
        })
        .sum()
}
