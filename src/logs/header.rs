//! The first eleven lines of an archive and its last five, as `remote_worker.c` of Slony-I 2.0 to 2.2 writes them.

use std::io::BufRead;

use super::fault::{ArchiveFault, SplitError, excerpt};
use super::lines::{Line, Lines};
use super::statement::Expected;
use crate::model::{Counter, quote_identifier};

/// The line between the parts of an archive: 66 dashes.
pub(super) const DASHES: &[u8] = b"------------------------------------------------------------------";

/// The line that begins the transaction.
pub(super) const START: &[u8] = b"start transaction;";

/// The line that only a superuser may run.
pub(super) const REPLICA: &[u8] = b"set session_replication_role to replica;";

/// What the header of an archive says, checked against the archive's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The Slony node where the event happened.
    pub origin: u64,
    /// Its number there; for a group of SYNCs that of the last.
    pub event: u64,
    /// The archive's number.
    pub counter: Counter,
    /// When it was written, as slon spells it: `2026-11-20 21:39:46.151991+00`.
    pub created: String,
    /// The lines as they stand, with line feeds.
    pub(super) lines: Vec<Vec<u8>>,
}

/// `"_<cluster>"`, the schema of Slony's objects, quoted.
pub(super) fn namespace(cluster: &str) -> String {
    quote_identifier(&format!("_{cluster}"))
}

/// Reads the header.
pub(super) fn read<R: BufRead>(lines: &mut Lines<R>, expected: &Expected<'_>) -> Result<Header, SplitError> {
    let mut header = Header {
        origin: 0,
        event: 0,
        counter: Counter::default(),
        created: String::new(),
        lines: Vec::new(),
    };
    for part in PARTS {
        let line = lines.next().map_err(SplitError::Read)?;
        part.read(line, expected, &mut header)?;
        header.lines.push(line.bytes.to_vec());
    }
    Ok(header)
}

/// Reads what follows the first line of the trailer, and the end of the archive.
pub(super) fn read_trailer<R: BufRead>(lines: &mut Lines<R>, namespace: &str) -> Result<(), SplitError> {
    let vacuum = format!("vacuum analyze {namespace}.sl_archive_tracking;");
    for expected in [&b"-- End Of Archive Log"[..], DASHES, b"commit;", vacuum.as_bytes()] {
        let line = lines.next().map_err(SplitError::Read)?;
        exact(line, expected)?;
    }
    match lines.next().map_err(SplitError::Read)? {
        Line { bytes: [], .. } => Ok(()),
        Line { number, bytes } => {
            let what = format!("the archive goes on after its last line: `{}`", excerpt(bytes));
            Err(ArchiveFault { line: number, what }.into())
        }
    }
}

/// The eleven lines in order.
const PARTS: [Part; 11] = [
    Part::Exact(DASHES),
    Part::Exact(b"-- Slony-I log shipping archive"),
    Part::Event,
    Part::Exact(DASHES),
    Part::Exact(REPLICA),
    Part::Exact(START),
    Part::Tracking,
    Part::Exact(b"-- end of log archiving header"),
    Part::Exact(DASHES),
    Part::Exact(b"-- start of Slony-I data"),
    Part::Exact(DASHES),
];

/// A line of the header.
#[derive(Clone, Copy)]
enum Part {
    Exact(&'static [u8]),
    Event,
    Tracking,
}

impl Part {
    fn read(self, line: Line<'_>, expected: &Expected<'_>, header: &mut Header) -> Result<(), ArchiveFault> {
        match self {
            Self::Exact(REPLICA) if line.bytes == b"start transaction;\n" => Err(ArchiveFault {
                line: line.number,
                what:
                    "an archive of Slony-I 1.2, which cannot be split yet: no `set session_replication_role`"
                        .to_owned(),
            }),
            Self::Exact(text) => exact(line, text),
            Self::Event => {
                let found = event(line.whole("`-- Node N, Event M`")?);
                (header.origin, header.event) =
                    found.ok_or_else(|| unexpected(line, "`-- Node N, Event M`"))?;
                Ok(())
            }
            Self::Tracking => {
                let (counter, created) = tracking(line, expected)?;
                header.counter = counter;
                header.created = created;
                Ok(())
            }
        }
    }
}

fn event(line: &[u8]) -> Option<(u64, u64)> {
    let text = std::str::from_utf8(line).ok()?;
    let (node, event) = text.strip_prefix("-- Node ")?.split_once(", Event ")?;
    Some((number(node)?, number(event)?))
}

fn number(text: &str) -> Option<u64> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// `select "_c".archiveTracking_offline('1', '2026-11-20 21:39:46.151991+00');`
fn tracking(line: Line<'_>, expected: &Expected<'_>) -> Result<(Counter, String), ArchiveFault> {
    let namespace = namespace(expected.cluster);
    let prefix = format!("select {namespace}.archiveTracking_offline('");
    let wanted = format!("`{prefix}{}', '...');`", expected.name.counter);
    let body = line.whole(&wanted)?;
    let parts = || {
        let rest = std::str::from_utf8(body).ok()?.strip_prefix(&prefix)?;
        let (counter, created) = rest.strip_suffix("');")?.split_once("', '")?;
        // The literal goes into site logs: nothing but a time may stand in it.
        let time =
            created.bytes().all(|b| b.is_ascii_digit() || b" -+:.".contains(&b)) && !created.is_empty();
        Some((Counter::parse(counter)?, created.to_owned())).filter(|_| time)
    };
    let (counter, created) = parts().ok_or_else(|| unexpected(line, &wanted))?;
    if counter == expected.name.counter {
        return Ok((counter, created));
    }
    let what =
        format!("the header's counter is {counter}, that of the file name is {}", expected.name.counter);
    Err(ArchiveFault { line: line.number, what })
}

fn exact(line: Line<'_>, expected: &[u8]) -> Result<(), ArchiveFault> {
    let wanted = format!("`{}`", excerpt(expected));
    if line.whole(&wanted)? == expected { Ok(()) } else { Err(unexpected(line, &wanted)) }
}

fn unexpected(line: Line<'_>, wanted: &str) -> ArchiveFault {
    let shown = line.bytes.strip_suffix(b"\n").unwrap_or(line.bytes);
    ArchiveFault { line: line.number, what: format!("expected {wanted}, found `{}`", excerpt(shown)) }
}
