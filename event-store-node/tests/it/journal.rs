//! A disk in memory that keeps every change made to it in order. From the journal any moment can be had again as a loss
//! of power would leave it.

use std::any::Any;
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use event_store_node::storage::{Disk, DiskFile};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::disk::{MemoryDisk, SECTOR_BYTES};

/// One change, or a mark.
#[derive(Debug, Clone)]
pub enum Entry {
    Create(PathBuf, usize),
    Write(usize, u64, Vec<u8>),
    SetSize(usize, u64),
    Sync(usize),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
    SyncDir(PathBuf),
    /// So many changes of streams were answered.
    Told(usize),
}

/// What goes wrong from some entry on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing can be made longer.
    FullDisk,
    /// Nothing can be synced.
    BrokenSync,
}

#[derive(Debug, Default)]
struct State {
    journal: Vec<Entry>,
    names: HashMap<PathBuf, usize>,
    files: Vec<Vec<u8>>,
    fault: Option<(usize, Fault)>,
}

#[derive(Debug, Clone, Default)]
pub struct JournalDisk(Arc<Mutex<State>>);

#[derive(Debug)]
struct JournalFile(JournalDisk, usize);

impl JournalDisk {
    /// A disk on which something goes wrong from an entry on.
    pub fn failing(at: usize, fault: Fault) -> Self {
        Self(Arc::new(Mutex::new(State { fault: Some((at, fault)), ..State::default() })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn tell(&self, changes: usize) {
        self.state().journal.push(Entry::Told(changes));
    }

    pub fn journal(&self) -> Vec<Entry> {
        self.state().journal.clone()
    }
}

impl State {
    fn refuse(&self, fault: Fault, kind: io::ErrorKind) -> io::Result<()> {
        let is_due = self.fault.is_some_and(|(at, due)| due == fault && self.journal.len() >= at);
        if is_due { Err(kind.into()) } else { Ok(()) }
    }
}

impl Disk for JournalDisk {
    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let id = self.state().names.get(path).copied().ok_or(io::ErrorKind::NotFound)?;
        Ok(Arc::new(JournalFile(self.clone(), id)))
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.state();
        state.refuse(Fault::FullDisk, io::ErrorKind::StorageFull)?;
        let id = state.files.len();
        state.files.push(Vec::new());
        state.names.insert(path.to_owned(), id);
        state.journal.push(Entry::Create(path.to_owned(), id));
        Ok(Arc::new(JournalFile(self.clone(), id)))
    }

    fn create_dir(&self, _dir: &Path) -> io::Result<()> {
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let state = self.state();
        let inside = state.names.keys().filter(|path| path.parent() == Some(dir));
        Ok(inside
            .filter_map(|path| path.file_name())
            .map(|name| name.to_string_lossy().into_owned())
            .collect())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        let id = state.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        state.names.insert(to.to_owned(), id);
        state.journal.push(Entry::Rename(from.to_owned(), to.to_owned()));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.names.remove(path).ok_or(io::ErrorKind::NotFound)?;
        state.journal.push(Entry::Remove(path.to_owned()));
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.refuse(Fault::BrokenSync, io::ErrorKind::Other)?;
        state.journal.push(Entry::SyncDir(dir.to_owned()));
        Ok(())
    }

    fn lock(&self, _path: &Path) -> io::Result<Box<dyn Any + Send + Sync>> {
        Ok(Box::new(()))
    }
}

impl DiskFile for JournalFile {
    fn size(&self) -> io::Result<u64> {
        Ok(self.0.state().files[self.1].len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let state = self.0.state();
        let file = state.files[self.1].get(offset as usize..).unwrap_or_default();
        let length = buffer.len().min(file.len());
        buffer[..length].copy_from_slice(&file[..length]);
        Ok(length)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut state = self.0.state();
        let end = offset as usize + bytes.len();
        if end > state.files[self.1].len() {
            state.refuse(Fault::FullDisk, io::ErrorKind::StorageFull)?;
            state.files[self.1].resize(end, 0);
        }
        state.files[self.1][offset as usize..end].copy_from_slice(bytes);
        state.journal.push(Entry::Write(self.1, offset, bytes.to_vec()));
        Ok(())
    }

    fn set_size(&self, size: u64) -> io::Result<()> {
        let mut state = self.0.state();
        if size as usize > state.files[self.1].len() {
            state.refuse(Fault::FullDisk, io::ErrorKind::StorageFull)?;
        }
        state.files[self.1].resize(size as usize, 0);
        state.journal.push(Entry::SetSize(self.1, size));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.0.state();
        state.refuse(Fault::BrokenSync, io::ErrorKind::Other)?;
        state.journal.push(Entry::Sync(self.1));
        Ok(())
    }
}

#[derive(Debug, Default, Clone)]
struct Content {
    written: Vec<u8>,
    synced: Vec<u8>,
    /// Sectors that were written and not yet synced.
    dirty: Vec<usize>,
}

/// The disk as it was at some entry of the journal.
#[derive(Debug, Default)]
pub struct Platter {
    durable: HashMap<PathBuf, usize>,
    /// Changes of names that no sync of their folder has made durable yet.
    pending: Vec<Entry>,
    files: HashMap<usize, Content>,
    pub told: usize,
}

fn rename(names: &mut HashMap<PathBuf, usize>, change: &Entry) {
    match change {
        Entry::Create(path, id) => {
            names.insert(path.clone(), *id);
        }
        Entry::Rename(from, to) => {
            if let Some(id) = names.remove(from) {
                names.insert(to.clone(), id);
            }
        }
        Entry::Remove(path) => {
            names.remove(path);
        }
        _ => {}
    }
}

impl Platter {
    pub fn apply(&mut self, entry: &Entry) {
        match entry {
            Entry::Told(changes) => self.told = *changes,
            Entry::Create(_, id) => {
                self.files.insert(*id, Content::default());
                self.pending.push(entry.clone());
            }
            Entry::Rename(..) | Entry::Remove(_) => self.pending.push(entry.clone()),
            Entry::SyncDir(dir) => {
                let is_inside = |change: &Entry| match change {
                    Entry::Create(path, _) | Entry::Rename(path, _) | Entry::Remove(path) => {
                        path.parent() == Some(dir)
                    }
                    _ => false,
                };
                let (durable, pending) = self.pending.drain(..).partition(is_inside);
                self.pending = pending;
                let durable: Vec<_> = durable;
                durable.iter().for_each(|change| rename(&mut self.durable, change));
            }
            Entry::Write(id, offset, bytes) => {
                let Some(file) = self.files.get_mut(id) else { return };
                let (from, to) = (*offset as usize, *offset as usize + bytes.len());
                file.written.resize(file.written.len().max(to), 0);
                file.written[from..to].copy_from_slice(bytes);
                file.dirty.extend(from / SECTOR_BYTES..to.div_ceil(SECTOR_BYTES));
            }
            Entry::SetSize(id, size) => {
                let Some(file) = self.files.get_mut(id) else { return };
                // What is cut off may still be there after a crash, also when the file has grown again.
                file.dirty.extend(*size as usize / SECTOR_BYTES..file.written.len().div_ceil(SECTOR_BYTES));
                file.written.resize(*size as usize, 0);
            }
            Entry::Sync(id) => {
                let Some(file) = self.files.get_mut(id) else { return };
                file.synced.resize(file.written.len(), 0);
                for sector in file.dirty.drain(..) {
                    let from = (sector * SECTOR_BYTES).min(file.written.len());
                    let to = (from + SECTOR_BYTES).min(file.written.len());
                    file.synced[from..to].copy_from_slice(&file.written[from..to]);
                }
            }
        }
    }

    /// What a loss of power leaves: all that was synced, some of what was not, and of that some with a flipped bit.
    pub fn survivor(&self, random: &mut StdRng) -> MemoryDisk {
        let mut names = self.durable.clone();
        let kept = random.random_range(0..=self.pending.len());
        self.pending[..kept].iter().for_each(|change| rename(&mut names, change));
        let left = names.into_iter().map(|(path, id)| {
            // The index has checksums of its own for a whole page; the log must bear any garbage.
            let may_flip = path.extension().is_some_and(|extension| extension == "log");
            let left = self.files[&id].left(random, may_flip);
            (path, left)
        });
        MemoryDisk::holding(left)
    }
}

impl Content {
    fn left(&self, random: &mut StdRng, may_flip: bool) -> Vec<u8> {
        let mut left = self.synced.clone();
        if random.random_bool(0.5) {
            left.resize(self.written.len(), 0);
        }
        for sector in &self.dirty {
            let from = (sector * SECTOR_BYTES).min(left.len()).min(self.written.len());
            let to = (from + SECTOR_BYTES).min(left.len()).min(self.written.len());
            if from < to && random.random_bool(0.5) {
                left[from..to].copy_from_slice(&self.written[from..to]);
                // What was synced before in the same sector does not change.
                let at = random.random_range(from..to);
                if may_flip && random.random_bool(0.3) && self.synced.get(at) != self.written.get(at) {
                    left[at] ^= 1 << random.random_range(0..8);
                }
            }
        }
        left
    }
}

/// A source of chance that is the same each time.
pub fn seeded(seed: u64) -> StdRng {
    StdRng::seed_from_u64(seed)
}
