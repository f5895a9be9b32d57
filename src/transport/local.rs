//! The data centre's directories on this machine.

use std::path::Path;

use super::Entry;
use crate::disk;
use crate::error::{Error, Result};

pub(super) fn list(directory: &str) -> Result<Vec<Entry>> {
    let directory = Path::new(directory);
    let named = disk::names(directory)?.into_iter().filter_map(|name| name.into_string().ok());
    let plain = named.filter(|name| !name.starts_with('.')).filter_map(|name| {
        let bytes = disk::plain_size(&directory.join(&name))?;
        Some(Entry { name, bytes })
    });
    Ok(plain.collect())
}

pub(super) fn read(path: &str, limit: u64) -> Result<Option<Vec<u8>>> {
    let path = Path::new(path);
    match disk::plain_size(path) {
        Some(bytes) if bytes > limit => {
            Err(Error::Stopped(format!("`{}` has more than {limit} bytes", path.display())))
        }
        Some(_) => disk::read_optional(path),
        None => Ok(None),
    }
}

pub(super) fn fetch(
    path: &str,
    from: u64,
    limit: u64,
    into: &Path,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Option<u64>> {
    disk::append_from(Path::new(path), from, limit, into, progress)
}

pub(super) fn put(path: &str, bytes: &[u8]) -> Result<()> {
    disk::write(Path::new(path), bytes)
}

pub(super) fn remove(path: &str) -> Result<()> {
    disk::remove(Path::new(path))
}
