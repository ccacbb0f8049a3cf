//! A disk in memory that knows what was written and what was synced, and loses the difference when it crashes.

use std::any::Any;
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use event_store_node::storage::{Disk, DiskFile};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// A write may reach the disk in pieces of this size, in any order.
pub const SECTOR_BYTES: usize = 512;

#[derive(Debug, Default)]
struct Content {
    written: Vec<u8>,
    synced: Vec<u8>,
    /// Sectors that were written and not yet synced.
    dirty: Vec<usize>,
}

#[derive(Debug, Default)]
struct Switches {
    syncs: AtomicU64,
    fails: AtomicBool,
    is_full: AtomicBool,
    held: Mutex<bool>,
    released: Condvar,
}

/// The disk. Names are durable at once: what is tested here is the content of files.
#[derive(Debug, Default, Clone)]
pub struct MemoryDisk {
    files: Arc<Mutex<HashMap<PathBuf, Arc<Mutex<Content>>>>>,
    switches: Arc<Switches>,
}

#[derive(Debug)]
struct MemoryFile {
    content: Arc<Mutex<Content>>,
    switches: Arc<Switches>,
    counts: bool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl MemoryDisk {
    /// A disk with files on it, all of them synced.
    pub fn holding(files: impl Iterator<Item = (PathBuf, Vec<u8>)>) -> Self {
        let synced = |bytes: Vec<u8>| Content { written: bytes.clone(), synced: bytes, dirty: Vec::new() };
        let files = files.map(|(path, bytes)| (path, Arc::new(Mutex::new(synced(bytes)))));
        Self { files: Arc::new(Mutex::new(files.collect())), ..Self::default() }
    }

    /// Flips one bit of a file.
    pub fn flip(&self, path: &Path, offset: usize, bit: u8) {
        let content = lock(&self.files).get(path).map(Arc::clone).expect("a file");
        lock(&content).written[offset] ^= 1 << bit;
    }

    /// How often a segment of the log was synced.
    pub fn log_syncs(&self) -> u64 {
        self.switches.syncs.load(Ordering::SeqCst)
    }

    /// Makes every further sync of the log fail.
    pub fn fail_syncs(&self) {
        self.switches.fails.store(true, Ordering::SeqCst);
    }

    /// Leaves no room for another file.
    pub fn fill(&self) {
        self.switches.is_full.store(true, Ordering::SeqCst);
    }

    /// Makes syncs of the log wait.
    pub fn hold_syncs(&self) {
        *lock(&self.switches.held) = true;
    }

    /// Lets them go on.
    pub fn release_syncs(&self) {
        *lock(&self.switches.held) = false;
        self.switches.released.notify_all();
    }

    /// What a loss of power at this moment leaves: everything synced, and of the rest whatever the seed says.
    pub fn crash(&self, seed: u64) -> MemoryDisk {
        let mut random = StdRng::seed_from_u64(seed);
        let survivor = MemoryDisk::default();
        for (path, content) in lock(&self.files).iter() {
            let content = lock(content);
            let mut left = content.synced.clone();
            left.resize(content.written.len(), 0);
            for sector in &content.dirty {
                let from = (sector * SECTOR_BYTES).min(left.len());
                let to = (from + SECTOR_BYTES).min(left.len());
                if random.random_bool(0.5) {
                    left[from..to].copy_from_slice(&content.written[from..to]);
                }
            }
            let content = Content { written: left.clone(), synced: left, dirty: Vec::new() };
            lock(&survivor.files).insert(path.clone(), Arc::new(Mutex::new(content)));
        }
        survivor
    }

    fn file(&self, path: &Path, content: Arc<Mutex<Content>>) -> Arc<dyn DiskFile> {
        let counts = path.extension().is_some_and(|extension| extension == "log" || extension == "new");
        Arc::new(MemoryFile { content, switches: Arc::clone(&self.switches), counts })
    }
}

impl Disk for MemoryDisk {
    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let content = lock(&self.files).get(path).map(Arc::clone).ok_or(io::ErrorKind::NotFound)?;
        Ok(self.file(path, content))
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        if self.switches.is_full.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let content = Arc::<Mutex<Content>>::default();
        lock(&self.files).insert(path.to_owned(), Arc::clone(&content));
        Ok(self.file(path, content))
    }

    fn create_dir(&self, _dir: &Path) -> io::Result<()> {
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let names = lock(&self.files);
        let inside =
            names.keys().filter(|path| path.parent() == Some(dir)).filter_map(|path| path.file_name());
        Ok(inside.map(|name| name.to_string_lossy().into_owned()).collect())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut files = lock(&self.files);
        let content = files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        files.insert(to.to_owned(), content);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        lock(&self.files).remove(path).map(|_| ()).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn sync_dir(&self, _dir: &Path) -> io::Result<()> {
        Ok(())
    }

    fn lock(&self, _path: &Path) -> io::Result<Box<dyn Any + Send + Sync>> {
        Ok(Box::new(()))
    }
}

impl DiskFile for MemoryFile {
    fn size(&self) -> io::Result<u64> {
        Ok(lock(&self.content).written.len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let content = lock(&self.content);
        let from = (offset as usize).min(content.written.len());
        let length = buffer.len().min(content.written.len() - from);
        buffer[..length].copy_from_slice(&content.written[from..from + length]);
        Ok(length)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut content = lock(&self.content);
        let (from, to) = (offset as usize, offset as usize + bytes.len());
        if content.written.len() < to {
            content.written.resize(to, 0);
        }
        content.written[from..to].copy_from_slice(bytes);
        content.dirty.extend(from / SECTOR_BYTES..to.div_ceil(SECTOR_BYTES));
        Ok(())
    }

    fn set_size(&self, size: u64) -> io::Result<()> {
        let mut content = lock(&self.content);
        content.written.resize(size as usize, 0);
        content.synced.resize(size as usize, 0);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        if self.counts {
            let mut held = lock(&self.switches.held);
            while *held {
                held = self.switches.released.wait(held).unwrap_or_else(PoisonError::into_inner);
            }
            if self.switches.fails.load(Ordering::SeqCst) {
                return Err(io::Error::other("the disk is broken"));
            }
            self.switches.syncs.fetch_add(1, Ordering::SeqCst);
        }
        let mut content = lock(&self.content);
        let Content { written, synced, dirty } = &mut *content;
        synced.resize(written.len(), 0);
        for sector in dirty.drain(..) {
            let from = (sector * SECTOR_BYTES).min(written.len());
            let to = (from + SECTOR_BYTES).min(written.len());
            synced[from..to].copy_from_slice(&written[from..to]);
        }
        Ok(())
    }
}
