//! A file that only grows, a line at a time: what is in it stays, whoever dies when.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::{change, sync_directory};
use crate::error::{Context, Result};

/// A line that is written again after a kill lies no further back: requests of all nodes that ended meanwhile come between,
/// and one for ten thousand series takes 300 kB.
const TAIL: u64 = 4 << 20;

/// Readable by the daemon's user and its group: it says who asked for what.
const MODE: u32 = 0o640;

/// Adds a line of JSON to a file, which is made if it is not there; on disk when it returns. Where a line
/// is there that begins with one of `marks`, which says the same, none is added. What a power loss has left of a last line is closed, and stays no JSON. A disk
/// that is full leaves the file as it was.
///
/// The file is opened for each line and locked meanwhile, so several processes may write, and who moves it away gets a new
/// one.
pub fn append_once(path: &Path, marks: &[Vec<u8>], line: &[u8]) -> Result<()> {
    let mut file = change::open_to_append(path).context("open", path)?;
    file.lock().context("lock", path)?;
    let length = file.metadata().context("examine", path)?.len();
    if length == 0 {
        change::set_mode(path, MODE).context("set the mode of", path)?;
        give_to_owner(&file, path);
    }
    let tail = tail(&mut file, length).context("read", path)?;
    if !marks.iter().any(|mark| has_line(&tail, mark)) {
        let torn = tail.last().is_some_and(|byte| *byte != b'\n');
        let text = [if torn { b"\n".as_slice() } else { b"" }, line, b"\n"].concat();
        if let Err(error) = file.write_all(&text) {
            // Half a line would be noise; if it cannot be taken back, the next line is begun anew.
            let _ = file.set_len(length);
            return Err(error).context("append to", path);
        }
    }
    // Also where the line was there: who wrote it may have died before it was on disk.
    change::sync_open(&file, path).context("sync", path)?;
    if length == 0 { path.parent().map_or(Ok(()), sync_directory) } else { Ok(()) }
}

/// The end of a file, so many bytes at the most and whole lines only; nothing where there is no file.
pub fn read_tail(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let Some(mut file) = super::open(path)? else { return Ok(Vec::new()) };
    let length = file.metadata().context("examine", path)?.len();
    let from = length.saturating_sub(limit);
    let mut tail = Vec::new();
    file.seek(SeekFrom::Start(from)).context("read", path)?;
    file.take(limit).read_to_end(&mut tail).context("read", path)?;
    if from > 0 {
        let begin = memchr::memchr(b'\n', &tail).map_or(tail.len(), |at| at + 1);
        tail.drain(..begin);
    }
    Ok(tail)
}

/// A new file belongs to the owner of its directory: made by root, who gave a command, it would be closed to the daemon.
pub(super) fn give_to_owner(file: &File, path: &Path) {
    let Some(Ok(directory)) = path.parent().map(std::fs::metadata) else { return };
    // Only root may; everybody else made it for himself, which is right where he is that owner.
    let _ = change::give(file, path, (directory.uid(), directory.gid()));
}

fn tail(file: &mut File, length: u64) -> io::Result<Vec<u8>> {
    let from = length.saturating_sub(TAIL);
    let mut tail = Vec::new();
    file.seek(SeekFrom::Start(from))?;
    // No more than it had: what is no plain file may have no end.
    file.take(length - from).read_to_end(&mut tail)?;
    Ok(tail)
}

/// Whether a whole line begins so. One that a power loss cut off is no JSON, even if another follows by now.
fn has_line(tail: &[u8], mark: &[u8]) -> bool {
    memchr::memmem::find_iter(tail, mark).any(|at| {
        let begins = at == 0 || tail.get(at - 1) == Some(&b'\n');
        let rest = tail.get(at..).unwrap_or_default();
        let line = memchr::memchr(b'\n', rest).and_then(|end| rest.get(..end));
        begins && line.is_some_and(|line| serde_json::from_slice::<serde::de::IgnoredAny>(line).is_ok())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_line_is_there_once_and_a_torn_one_is_closed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit.jsonl");
        let add = |key: u32| {
            let mark = format!("{{\"key\":{key},");
            append_once(&path, &[mark.clone().into_bytes()], format!("{mark}\"x\":1}}").as_bytes()).unwrap();
        };
        let text = || fs::read_to_string(&path).unwrap();
        let (one, two) = ("{\"key\":1,\"x\":1}\n", "{\"key\":2,\"x\":1}\n");
        add(1);
        add(1);
        add(2);
        add(1);
        assert_eq!(text(), format!("{one}{two}"));
        // A power loss: the begin of the line is there, the rest is not.
        for torn in ["{\"key\":3,", "{\"key\":3,\"x\":1}", "{\"key\":3,\0\0\0\0\0\0"] {
            fs::write(&path, format!("{one}{torn}")).unwrap();
            add(3);
            add(3);
            assert_eq!(text(), format!("{one}{torn}\n{{\"key\":3,\"x\":1}}\n"));
        }
        fs::rename(&path, directory.path().join("audit.jsonl.1")).unwrap();
        add(4);
        assert_eq!(text(), "{\"key\":4,\"x\":1}\n", "moved away: a new one");
    }

    #[test]
    fn what_lies_far_back_is_not_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit.jsonl");
        let filler = "{\"key\":0}\n".repeat(600_000);
        fs::write(&path, format!("{{\"key\":1}}\n{filler}")).unwrap();
        let marks = [b"{\"other\":".to_vec(), b"{\"key\":1".to_vec()];
        append_once(&path, &marks, b"{\"key\":1}").unwrap();
        assert!(fs::read_to_string(&path).unwrap().ends_with("{\"key\":0}\n{\"key\":1}\n"));
        append_once(&path, &marks, b"{\"key\":1}").unwrap();
        assert!(fs::read_to_string(&path).unwrap().ends_with("{\"key\":0}\n{\"key\":1}\n"));
    }
}
