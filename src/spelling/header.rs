//! The first lines of an archive and its last five, as `remote_worker.c` of Slony-I 1.2.11 to 2.2 writes them.

use super::fault::{ArchiveFault, excerpt};
use super::lines::{Line, Lines};
use crate::model::{ArchiveName, Counter, quote_identifier};

/// What the caller knows of an archive before it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected<'a> {
    /// Slony's cluster.
    pub cluster: &'a str,
    /// The name of its file.
    pub name: ArchiveName,
}

/// The line between the parts of an archive: 66 dashes.
pub(crate) const DASHES: &[u8] = b"------------------------------------------------------------------";

/// The line that begins the transaction.
pub(crate) const START: &[u8] = b"start transaction;";

/// The line that only a superuser may run.
pub(crate) const REPLICA: &[u8] = b"set session_replication_role to replica;";

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
    /// Whether it sets `session_replication_role`: Slony-I before 2.0 does not.
    pub(crate) has_role: bool,
    /// The lines as they stand, with line feeds.
    pub(crate) lines: Vec<Vec<u8>>,
}

/// `"_<cluster>"`, the schema of Slony's objects, quoted.
pub(crate) fn namespace(cluster: &str) -> String {
    quote_identifier(&format!("_{cluster}"))
}

/// An archive without changes, in place of one that slon never wrote. It is of no node and no event, and of no time.
pub(crate) fn empty_archive(cluster: &str, counter: Counter) -> Vec<u8> {
    let namespace = namespace(cluster);
    let dashes = String::from_utf8_lossy(DASHES);
    format!(
        "{dashes}\n-- Slony-I log shipping archive\n-- Node 0, Event 0\n{dashes}\n\
         set session_replication_role to replica;\nstart transaction;\n\
         select {namespace}.archiveTracking_offline('{counter}', '1970-01-01 00:00:00+00');\n\
         -- end of log archiving header\n{dashes}\n-- start of Slony-I data\n{dashes}\n\
         \n{dashes}\n-- End Of Archive Log\n{dashes}\ncommit;\nvacuum analyze {namespace}.sl_archive_tracking;\n"
    )
    .into_bytes()
}

/// Reads the header from the front of an archive; returns its length too.
pub(crate) fn read(text: &[u8], expected: &Expected<'_>) -> Result<(Header, usize), ArchiveFault> {
    let mut lines = Lines::new(text, 1);
    let mut header = Header {
        origin: 0,
        event: 0,
        counter: Counter::default(),
        created: String::new(),
        has_role: false,
        lines: Vec::new(),
    };
    for part in PARTS {
        // Slony-I 1.2 knows no session_replication_role.
        if matches!(part, Part::Role) && lines.peek() == b"start transaction;\n" {
            continue;
        }
        let line = lines.next();
        part.read(line, expected, &mut header)?;
        header.lines.push(line.bytes.to_vec());
    }
    Ok((header, lines.bytes()))
}

/// Reads what follows the first line of the trailer, whose number is `number`, and the end of the archive.
pub(crate) fn read_trailer(text: &[u8], number: u64, namespace: &str) -> Result<(), ArchiveFault> {
    let mut lines = Lines::new(text, number);
    lines.next();
    let vacuum = format!("vacuum analyze {namespace}.sl_archive_tracking;");
    for expected in [&b"-- End Of Archive Log"[..], DASHES, b"commit;", vacuum.as_bytes()] {
        exact(lines.next(), expected)?;
    }
    match lines.next() {
        Line { bytes: [], .. } => Ok(()),
        Line { number, bytes } => {
            let what = format!("the archive goes on after its last line: `{}`", excerpt(bytes));
            Err(ArchiveFault { line: number, what })
        }
    }
}

/// The eleven lines in order.
const PARTS: [Part; 11] = [
    Part::Exact(DASHES),
    Part::Exact(b"-- Slony-I log shipping archive"),
    Part::Event,
    Part::Exact(DASHES),
    Part::Role,
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
    Role,
    Event,
    Tracking,
}

impl Part {
    fn read(self, line: Line<'_>, expected: &Expected<'_>, header: &mut Header) -> Result<(), ArchiveFault> {
        match self {
            Self::Exact(_) if is_older(line) => Err(ArchiveFault {
                line: line.number,
                what: "an archive of Slony-I before 1.2.11, which counts events of each origin and cannot be split"
                    .to_owned(),
            }),
            Self::Exact(text) => exact(line, text),
            Self::Role => {
                header.has_role = true;
                exact(line, REPLICA)
            }
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

/// The header of those days began without dashes, and called `setsyncTracking_offline`.
fn is_older(line: Line<'_>) -> bool {
    (line.number == 1 && line.bytes.starts_with(b"-- Slony-I log shipping archive"))
        || memchr::memmem::find(line.bytes, b"setsyncTracking_offline").is_some()
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
    let wanted = format!("`{}`", tracking_call(expected.cluster, &expected.name.counter.to_string()));
    let body = line.whole(&wanted)?;
    let (counter, created) = tracked(body, expected.cluster).ok_or_else(|| unexpected(line, &wanted))?;
    if counter == expected.name.counter {
        return Ok((counter, created));
    }
    let what =
        format!("the header's counter is {counter}, that of the file name is {}", expected.name.counter);
    Err(ArchiveFault { line: line.number, what })
}

/// What the call of a counter looks like.
pub(crate) fn tracking_call(cluster: &str, counter: &str) -> String {
    format!("select {}.archiveTracking_offline('{counter}', '...');", namespace(cluster))
}

/// The counter and the time in a call of `archiveTracking_offline` of this cluster; `None` if it is no such call.
pub(crate) fn tracked(call: &[u8], cluster: &str) -> Option<(Counter, String)> {
    let prefix = format!("select {}.archiveTracking_offline('", namespace(cluster));
    let rest = std::str::from_utf8(call).ok()?.strip_prefix(&prefix)?;
    let (counter, created) = rest.strip_suffix("');")?.split_once("', '")?;
    // The literal goes into site logs: nothing but a time may stand in it.
    let time = created.bytes().all(|b| b.is_ascii_digit() || b" -+:.".contains(&b)) && !created.is_empty();
    Some((Counter::parse(counter)?, created.to_owned())).filter(|_| time)
}

fn exact(line: Line<'_>, expected: &[u8]) -> Result<(), ArchiveFault> {
    let wanted = format!("`{}`", excerpt(expected));
    if line.whole(&wanted)? == expected { Ok(()) } else { Err(unexpected(line, &wanted)) }
}

fn unexpected(line: Line<'_>, wanted: &str) -> ArchiveFault {
    let shown = line.bytes.strip_suffix(b"\n").unwrap_or(line.bytes);
    ArchiveFault { line: line.number, what: format!("expected {wanted}, found `{}`", excerpt(shown)) }
}
