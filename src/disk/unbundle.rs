//! Taking logs out of a bundle that came from outside. Nothing in it is trusted: member by member, only plain files
//! with the bare names of the logs that must be in it, each once; the first other thing refuses it as a whole.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufReader, Read, Write as _};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use super::bundle::most_of;
use super::change;
use super::incoming::part;
use crate::error::{Context, Error, Result};
use crate::model::{ArchiveName, BundleName, Counter, SlonyNode, excerpt};

/// Bytes that are copied at once.
const PIECE: usize = 64 * 1024;

/// A bundle that was fetched.
#[derive(Debug)]
pub struct Incoming<'b> {
    /// Where it lies.
    pub path: &'b Path,
    /// The name that it has at the server.
    pub name: BundleName,
    /// Whose logs must be in it; `None`: any one Slony node's.
    pub node: Option<SlonyNode>,
    /// The first log that is wanted.
    pub first: Counter,
    /// The last.
    pub last: Counter,
}

impl Incoming<'_> {
    /// Reads the whole bundle and puts the wanted logs into `directory`, under the hidden names of [`part`]. Returns the
    /// Slony node whose they are. [`Error::Stopped`] if it is not what its name promises.
    pub fn unpack(&self, directory: &Path, goes_on: &dyn Fn() -> bool) -> Result<SlonyNode> {
        let file = File::open(self.path).context("open", self.path)?;
        let packed = file.metadata().context("examine", self.path)?.len();
        let limit = most_of(packed);
        let unpacked = MultiGzDecoder::new(BufReader::with_capacity(PIECE, file)).take(limit);
        let mut archive = tar::Archive::new(unpacked);
        let mut node = self.node;
        let mut seen = BTreeSet::new();
        // Raw: a header that changes the name or the size of the next member is a member that is refused.
        for entry in archive.entries().map_err(|error| self.broken(&error))?.raw(true) {
            if !goes_on() {
                return Err(Error::Cancelled);
            }
            let mut entry = entry.map_err(|error| self.broken(&error))?;
            let log = self.log(&entry, node)?;
            node = Some(log.node);
            if !seen.insert(log.counter) {
                return Err(self.refused(&format!("`{log}` is in it twice")));
            }
            let wanted = (self.first..=self.last).contains(&log.counter);
            let target = wanted.then(|| part(directory, &log.to_string()));
            self.copy(&mut entry, target.as_deref())?;
        }
        self.rest(archive.into_inner())?;
        match (node, self.missing(&seen)) {
            (Some(node), None) => Ok(node),
            (_, missing) => {
                let missing = missing.unwrap_or(self.name.first());
                Err(self.refused(&format!("log {missing} is not in it")))
            }
        }
    }

    /// The log that a member is.
    fn log<R: Read>(&self, entry: &tar::Entry<'_, R>, node: Option<SlonyNode>) -> Result<ArchiveName> {
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let shown = excerpt(&name);
        if !entry.header().entry_type().is_file() {
            return Err(self.refused(&format!("`{shown}` in it is no plain file")));
        }
        let Ok(log) = name.parse::<ArchiveName>() else {
            return Err(self.refused(&format!("`{shown}` in it is no log")));
        };
        if node.is_some_and(|node| node != log.node) {
            return Err(self.refused(&format!("`{log}` in it is a log of another Slony node")));
        }
        if !self.name.contains(log.counter) {
            return Err(self.refused(&format!("`{log}` in it is none of its logs")));
        }
        Ok(log)
    }

    /// Copies a member, or only reads it if there is no target. What was begun of it stays: a failure at the target
    /// shows there.
    fn copy<R: Read>(&self, entry: &mut tar::Entry<'_, R>, target: Option<&Path>) -> Result<()> {
        let mut file = match target {
            Some(path) => {
                super::discard(path)?;
                Some((change::create(path).context("create", path)?, path))
            }
            None => None,
        };
        let mut left = entry.size();
        let mut piece = vec![0; PIECE];
        loop {
            let count = match entry.read(&mut piece) {
                Ok(0) if left > 0 => return Err(self.broken(&io::ErrorKind::UnexpectedEof.into())),
                Ok(0) => return Ok(()),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(self.broken(&error)),
            };
            left = left.saturating_sub(count as u64);
            if let Some((file, path)) = &mut file {
                file.write_all(piece.get(..count).unwrap_or_default()).context("write", path)?;
            }
        }
    }

    /// Reads what follows the last member, which checks the sums: blocks of zeros, nothing else.
    fn rest(&self, mut rest: io::Take<impl Read>) -> Result<()> {
        let mut piece = vec![0; PIECE];
        loop {
            let count = rest.read(&mut piece).map_err(|error| self.broken(&error))?;
            if piece.iter().take(count).any(|byte| *byte != 0) {
                return Err(self.refused("something follows its last log"));
            }
            if count == 0 && rest.limit() == 0 {
                return Err(self.refused("more comes out of it than can be believed"));
            }
            if count == 0 {
                return Ok(());
            }
        }
    }

    /// The first log of its range that was not seen.
    fn missing(&self, seen: &BTreeSet<Counter>) -> Option<Counter> {
        let range = self.name.last().value() - self.name.first().value();
        let whole = range.checked_add(1) == Some(seen.len() as u64);
        let mut expected = self.name.first();
        for counter in seen {
            if *counter != expected {
                break;
            }
            expected = counter.next();
        }
        (!whole).then_some(expected)
    }

    fn broken(&self, error: &io::Error) -> Error {
        self.refused(&format!("it cannot be unpacked, or more comes out of it than can be believed: {error}"))
    }

    fn refused(&self, what: &str) -> Error {
        Error::Stopped(format!("bundle {}: {what}: nothing of it is applied; ask the data centre", self.name))
    }
}
