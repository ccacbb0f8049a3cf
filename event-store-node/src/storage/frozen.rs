//! A file to be looked at: what somebody writes to it stays in memory.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use super::disk::DiskFile;

const PAGE_BYTES: usize = 4096;

/// A file that never changes on disk.
#[derive(Debug)]
pub(super) struct Frozen {
    file: Arc<dyn DiskFile>,
    written: Mutex<Written>,
}

#[derive(Debug, Default)]
struct Written {
    pages: HashMap<u64, Box<[u8; PAGE_BYTES]>>,
    size: Option<u64>,
}

impl Frozen {
    /// Over a file.
    pub(super) fn new(file: Arc<dyn DiskFile>) -> Self {
        Self { file, written: Mutex::default() }
    }

    fn page(&self, written: &Written, page: u64) -> io::Result<Box<[u8; PAGE_BYTES]>> {
        if let Some(bytes) = written.pages.get(&page) {
            return Ok(bytes.clone());
        }
        let mut bytes = Box::new([0; PAGE_BYTES]);
        self.file.read_at(&mut bytes[..], page * PAGE_BYTES as u64)?;
        Ok(bytes)
    }

    fn size_of(&self, written: &Written) -> io::Result<u64> {
        written.size.map_or_else(|| self.file.size(), Ok)
    }
}

/// Cuts a range into what lies in each page: the page, where in it, how much.
fn pieces(offset: u64, length: usize) -> impl Iterator<Item = (u64, usize, usize)> {
    let mut at = offset;
    let end = offset + length as u64;
    std::iter::from_fn(move || {
        let within = (at % PAGE_BYTES as u64) as usize;
        let take = (end - at).min((PAGE_BYTES - within) as u64) as usize;
        let piece = (at / PAGE_BYTES as u64, within, take);
        at += take as u64;
        (take > 0).then_some(piece)
    })
}

impl DiskFile for Frozen {
    fn size(&self) -> io::Result<u64> {
        self.size_of(&self.written.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let there = self.size_of(&written)?.saturating_sub(offset).min(buffer.len() as u64) as usize;
        let buffer = &mut buffer[..there];
        let read = self.file.read_at(buffer, offset)?;
        buffer[read..].fill(0);
        let mut at = 0;
        for (page, within, take) in pieces(offset, there) {
            if let Some(bytes) = written.pages.get(&page) {
                buffer[at..at + take].copy_from_slice(&bytes[within..within + take]);
            }
            at += take;
        }
        Ok(there)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let size = self.size_of(&written)?.max(offset + bytes.len() as u64);
        let mut at = 0;
        for (page, within, take) in pieces(offset, bytes.len()) {
            let mut whole = self.page(&written, page)?;
            whole[within..within + take].copy_from_slice(&bytes[at..at + take]);
            written.pages.insert(page, whole);
            at += take;
        }
        written.size = Some(size);
        Ok(())
    }

    fn set_size(&self, size: u64) -> io::Result<()> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner).size = Some(size);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::{Disk, FileSystem};

    #[test]
    fn what_is_written_is_read_back_and_the_file_stays_as_it_was() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("file");
        let before: Vec<u8> = (0..10_000u32).map(|byte| byte as u8).collect();
        std::fs::write(&path, &before).expect("written");
        let frozen = Frozen::new(FileSystem.open(&path).expect("open"));
        frozen.write_at(&[9; 5000], 4000).expect("kept");
        frozen.write_at(&[7; 10], 12_000).expect("kept");
        let mut expected = before.clone();
        expected[4000..9000].fill(9);
        expected.resize(12_000, 0);
        expected.extend([7; 10]);
        let mut all = vec![1; 20_000];
        let read = frozen.read_at(&mut all, 0).expect("read");
        assert_eq!((read, frozen.size().expect("a size")), (12_010, 12_010));
        assert!(all[..4000] == expected[..4000] && all[4000..read] == expected[4000..]);
        frozen.set_size(100).expect("cut");
        assert_eq!(frozen.read_at(&mut all, 90).expect("read"), 10);
        assert_eq!(std::fs::read(&path).expect("read"), before);
    }
}
