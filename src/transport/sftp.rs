//! The calls of a host in the words of SFTP, each as often as one likes with the same result.

use std::path::Path;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use russh_sftp::client::RawSftpSession;
use russh_sftp::client::error::Error as Reply;
use russh_sftp::protocol::{FileAttributes, OpenFlags, Packet, StatusCode};

use super::fault::{Fault, optional};
use super::handle::Handle;
use super::line::Line;
use super::{Entry, Part, is_fit, too_large};
use crate::disk;
use crate::error::Error;

/// The largest piece that every server gives at once.
const PIECE: u32 = 32 * 1024;

/// So many pieces are on the way at once: two megabytes, as with sftp(1), so that a long line is full all the time.
const ON_THE_WAY: usize = 64;

/// Bytes that have come go to the disk in lots of this size.
const LOT: usize = 256 * 1024;

/// So many questions for more of a listing are on the way at once; a server answers each with about a hundred names.
const LISTING: usize = 8;

/// No directory of a host has so many files: it must be talking nonsense.
const ENTRIES: usize = 5_000_000;

/// Size and time of a plain file, no link followed; `None` if there is none of this name.
async fn examine(line: &Line, path: &str) -> Result<Option<(u64, Option<u32>)>, Fault> {
    let found = optional(line.session.lstat(path).await.map_err(Fault::from))?;
    Ok(found.and_then(|found| Some((plain(&found.attrs)?, found.attrs.mtime))))
}

/// The size, if it is that of a plain file.
fn plain(attributes: &FileAttributes) -> Option<u64> {
    let kind = attributes.permissions? & 0o170_000;
    attributes.size.filter(|_| kind == 0o100_000)
}

pub(super) async fn size(line: &Line, path: &str) -> Result<Option<u64>, Fault> {
    Ok(examine(line, path).await?.map(|(bytes, _)| bytes))
}

pub(super) async fn list(line: &Line, directory: &str) -> Result<Vec<Entry>, Fault> {
    let handle = Handle::directory(line, directory).await?;
    let mut answers =
        stream::repeat(()).map(|()| handle.session.readdir(handle.name.as_str())).buffered(LISTING);
    let mut entries = Vec::new();
    loop {
        match answers.next().await {
            Some(Ok(answer)) => entries.extend(answer.files.into_iter().filter_map(|file| {
                let bytes = plain(&file.attrs)?;
                is_fit(&file.filename).then_some(Entry { name: file.filename, bytes })
            })),
            Some(Err(Reply::Status(status))) if status.status_code == StatusCode::Eof => break,
            Some(Err(reply)) => return Err(reply.into()),
            None => break,
        }
        if entries.len() > ENTRIES {
            return Err(Fault::Failed(format!("it lists more than {ENTRIES} files")));
        }
    }
    entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    Ok(entries)
}

pub(super) async fn read(line: &Line, path: &str, limit: u64) -> Result<Option<Vec<u8>>, Fault> {
    let mut bytes = Vec::new();
    let part = Part { path, from: 0, limit };
    let found = pieces(line, part, None, |piece| {
        bytes.extend_from_slice(piece);
        Ok(())
    });
    Ok(found.await?.map(|_| bytes))
}

/// How far a file has been fetched, over as many lines as it takes.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// Bytes that are in the local file by now.
    done: u64,
    /// Size and time of the file when it was begun.
    seen: Option<(u64, Option<u32>)>,
}

/// Appends what is still to come of a part. What has come when it fails is in `into`.
pub(super) async fn fetch(
    line: &Line,
    part: Part<'_>,
    into: &Path,
    so_far: &mut Progress,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Option<u64>, Fault> {
    let before = so_far.done;
    let rest = Part { from: part.from + before, limit: part.limit.saturating_sub(before), ..part };
    let mut lot = Vec::with_capacity(LOT);
    let mut came = before;
    let done = &mut so_far.done;
    let mut save = |lot: &mut Vec<u8>| {
        disk::append(into, lot)?;
        *done += lot.len() as u64;
        lot.clear();
        Ok::<(), Error>(())
    };
    let fetched = pieces(line, rest, Some(&mut so_far.seen), |piece| {
        lot.extend_from_slice(piece);
        came += piece.len() as u64;
        progress(came);
        if lot.len() >= LOT { save(&mut lot) } else { Ok(()) }
    });
    let fetched = fetched.await;
    // An empty file is made, too.
    if !lot.is_empty() || matches!(fetched, Ok(Some(_))) {
        save(&mut lot).map_err(Fault::Ours)?;
    }
    match fetched {
        Err(Fault::Broken { why, .. }) => Err(Fault::Broken { why, came: came > before }),
        fetched => fetched,
    }
}

/// Gives the pieces of a file in their order to `take`. Returns its size.
async fn pieces(
    line: &Line,
    part: Part<'_>,
    seen: Option<&mut Option<(u64, Option<u32>)>>,
    mut take: impl FnMut(&[u8]) -> Result<(), Error>,
) -> Result<Option<u64>, Fault> {
    // First its kind: to open a FIFO would stop the server.
    let Some(found) = examine(line, part.path).await? else { return Ok(None) };
    if seen.is_some_and(|seen| *seen.get_or_insert(found) != found) {
        return Err(Fault::Failed("it was changed while it was fetched".into()));
    }
    let (size, _) = found;
    let bytes = size.saturating_sub(part.from);
    if bytes > part.limit {
        return Err(Fault::Ours(Error::Stopped(too_large(part.path, part.from + part.limit))));
    }
    if bytes == 0 {
        return Ok(Some(size));
    }
    let Some(handle) = optional(Handle::file(line, part.path, OpenFlags::READ).await)? else {
        return Ok(None);
    };
    let starts = (part.from..size).step_by(PIECE as usize);
    let wanted = starts.map(|from| whole(&handle, from, size.min(from + u64::from(PIECE))));
    let mut coming = stream::iter(wanted).buffered(ON_THE_WAY);
    while let Some(piece) = coming.try_next().await? {
        take(&piece).map_err(Fault::Ours)?;
    }
    Ok(Some(size))
}

/// The bytes of a file from one place to another, although a server may give fewer at once.
async fn whole(handle: &Handle, from: u64, to: u64) -> Result<Vec<u8>, Fault> {
    let mut bytes: Vec<u8> = Vec::new();
    loop {
        let at = from + bytes.len() as u64;
        let left = u32::try_from(to - at).unwrap_or(PIECE);
        if left == 0 {
            return Ok(bytes);
        }
        let more = handle.read(at, left).await?;
        if more.is_empty() {
            return Err(Fault::Failed("it ends before its size: it was changed while it was read".into()));
        }
        bytes.extend(more);
    }
}

pub(super) async fn put(line: &Line, path: &str, bytes: &[u8]) -> Result<(), Fault> {
    let hidden = hidden_name(path);
    let fresh = OpenFlags::WRITE | OpenFlags::CREATE | OpenFlags::EXCLUDE;
    let handle = match Handle::file(line, &hidden, fresh).await {
        // One that was left over. It goes, so that a link that somebody has put there is not written through.
        Err(Fault::Failed(_)) => {
            remove(line, &hidden).await?;
            // SFTP knows no word for a file system that is mounted to be read only.
            Handle::file(line, &hidden, fresh).await.map_err(|fault| match fault {
                Fault::Failed(said) => Fault::Forbidden(said),
                fault => fault,
            })?
        }
        opened => opened?,
    };
    let done = fill_and_name(line, handle, bytes, &hidden, path).await;
    if matches!(done, Err(Fault::Forbidden(_) | Fault::Failed(_))) {
        // What failed matters, not whether this works.
        let _ = remove(line, &hidden).await;
    }
    done
}

async fn fill_and_name(
    line: &Line,
    handle: Handle,
    bytes: &[u8],
    hidden: &str,
    path: &str,
) -> Result<(), Fault> {
    let session = &line.session;
    let starts = stream::iter((0..bytes.len()).step_by(PIECE as usize));
    let written = starts.map(|at| {
        let rest = bytes.get(at..).unwrap_or_default();
        let piece = rest.get(..PIECE as usize).unwrap_or(rest);
        session.write(handle.name.as_str(), at as u64, piece.to_vec())
    });
    written.buffered(ON_THE_WAY).try_for_each(async |_| Ok(())).await?;
    if line.syncs {
        // A server may forbid it; then its own habits must do.
        match session.fsync(handle.name.as_str()).await {
            Err(reply @ Reply::Status(_)) => tracing::debug!(%reply, path, "the file is not synced"),
            synced => drop(synced?),
        }
    }
    drop(handle);
    rename(session, hidden, path).await
}

/// Renames a file over another.
async fn rename(session: &RawSftpSession, from: &str, to: &str) -> Result<(), Fault> {
    match session.extended("posix-rename@openssh.com", two_strings(from, to)).await? {
        Packet::Status(status) if status.status_code == StatusCode::Ok => Ok(()),
        // Plain SFTP does not replace: for a moment there is none.
        Packet::Status(status) if status.status_code == StatusCode::OpUnsupported => {
            optional(session.remove(to).await.map_err(Fault::from))?;
            session.rename(from, to).await?;
            Ok(())
        }
        Packet::Status(status) => Err(Reply::Status(status).into()),
        _ => Err(Reply::UnexpectedPacket.into()),
    }
}

/// Two strings as the protocol writes them: length, then bytes.
fn two_strings(one: &str, two: &str) -> Vec<u8> {
    let length = |text: &str| u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes();
    [&length(one), one.as_bytes(), &length(two), two.as_bytes()].concat()
}

/// The name under which a file is written: `/dir/.name.part`. Always the same, so that what was left over is replaced.
fn hidden_name(path: &str) -> String {
    match path.rsplit_once('/') {
        Some((directory, name)) => format!("{directory}/.{name}.part"),
        None => format!(".{path}.part"),
    }
}

pub(super) async fn remove(line: &Line, path: &str) -> Result<(), Fault> {
    optional(line.session.remove(path).await.map_err(Fault::from)).map(|_| ())
}
