//! The data centre's directories on this machine.

use std::path::Path;

use super::{Entry, Part, is_fit, too_large};
use crate::disk;
use crate::error::{Error, Result};

pub(super) fn list(directory: &str) -> Result<Vec<Entry>> {
    let directory = Path::new(directory);
    let named = disk::names(directory)?.into_iter().filter_map(|name| name.into_string().ok());
    let plain = named.filter(|name| is_fit(name)).filter_map(|name| {
        let bytes = disk::plain_size(&directory.join(&name))?;
        Some(Entry { name, bytes })
    });
    Ok(plain.collect())
}

pub(super) fn read(name: &str, limit: u64) -> Result<Option<Vec<u8>>> {
    let path = Path::new(name);
    match disk::plain_size(path) {
        Some(bytes) if bytes > limit => Err(Error::Stopped(too_large(name, limit))),
        Some(_) => disk::read_optional(path),
        None => Ok(None),
    }
}

pub(super) fn fetch(part: Part<'_>, into: &Path, progress: &(dyn Fn(u64) + Sync)) -> Result<Option<u64>> {
    let Part { path, from, limit } = part;
    match disk::plain_size(Path::new(path)) {
        Some(bytes) if bytes.saturating_sub(from) > limit => {
            Err(Error::Stopped(too_large(path, from + limit)))
        }
        Some(_) => disk::append_from(Path::new(path), from, limit, into, progress),
        None => Ok(None),
    }
}

pub(super) fn put(path: &str, bytes: &[u8]) -> Result<()> {
    disk::write(ours(Path::new(path))?, bytes)
}

pub(super) fn remove(path: &str) -> Result<()> {
    disk::remove(ours(Path::new(path))?)
}

/// What has the name of a file of ours and is none is the data centre's: `disk` would clear it away.
fn ours(path: &Path) -> Result<&Path> {
    if disk::exists(path) && disk::plain_size(path).is_none() {
        return Err(Error::Stopped(format!("`{}` is no plain file", path.display())));
    }
    Ok(path)
}
