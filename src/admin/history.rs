//! `history`: what became of every request, from the audit trail.

use std::io::Read as _;
use std::time::SystemTime;

use super::table;
use crate::config::Config;
use crate::disk;
use crate::error::{Context as _, Error, Result};
use crate::model::{Node, write_time};
use crate::protocol::{AuditEntry, read_audit};

/// Which lines are shown.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Of this node only.
    pub node: Option<Node>,
    /// From this time on.
    pub since: Option<SystemTime>,
    /// So many at the most, the newest.
    pub limit: Option<usize>,
}

/// Prints the events, the oldest first: as a table, or the lines as they stand.
pub fn history(config: &Config, wanted: &Wanted, json: bool) -> Result<String> {
    let files = read(config)?;
    let (entries, faults) = read_audit(&files);
    if faults > 0 {
        // A power loss leaves such a line; its event was written again, or had not come about.
        tracing::warn!(faults, "lines of the audit trail are no events and left out");
    }
    let shown = select(&entries, wanted);
    if json {
        return Ok(shown.iter().map(|(_, line)| format!("{line}\n")).collect());
    }
    if let (Some(node), true) = (&wanted.node, shown.is_empty()) {
        return Ok(format!("nothing is told of {node}\n"));
    }
    let header = ["when", "node", "who", "what", "series", "cut", "rows", "bytes", "seconds", "reason"];
    let rows = shown.into_iter().map(|(entry, _)| row(entry));
    Ok(table::lines(header, 5..9, rows).into_iter().map(|line| line + "\n").collect())
}

/// The end of a request of this node that was told last, since then.
pub(super) fn end_since(config: &Config, node: &Node, since: &str) -> Result<Option<AuditEntry>> {
    let files = read(config)?;
    let (entries, _) = read_audit(&files);
    let mut ends = entries.into_iter().map(|(entry, _)| entry).rev().filter(|entry| entry.event.is_end());
    Ok(ends.find(|entry| entry.node.as_deref() == Some(node.as_str()) && entry.at.as_str() >= since))
}

/// The trail and what an operator has moved aside of it: `audit.jsonl`, `audit.jsonl.1`, `audit.jsonl-20261101.gz`.
fn read(config: &Config) -> Result<Vec<String>> {
    let trail = config.paths.audit();
    let name = trail.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut files = Vec::new();
    for other in disk::names(&config.paths.work_dir)? {
        if !other.to_string_lossy().starts_with(&name) {
            continue;
        }
        let path = config.paths.work_dir.join(other);
        let mut bytes = Vec::new();
        // What lies beside the trail is an operator's, and may be half packed: it has what can be read of it.
        let read = disk::open_text(&path, &|_| ())
            .and_then(|mut file| file.read_to_end(&mut bytes).context("read", &path));
        if read.as_ref().is_err_and(Error::is_forbidden) {
            // Whoever may not read it has seen nothing, not an empty trail.
            return read.map(|_| Vec::new());
        }
        if let Err(error) = read {
            let (error, path) = (error.chain(), path.display());
            tracing::warn!(error, "`{path}` cannot be read to its end: what it has up to there is shown");
        }
        files.push(String::from_utf8_lossy(&bytes).into_owned());
    }
    Ok(files)
}

fn select<'e, 'l>(entries: &'e [(AuditEntry, &'l str)], wanted: &Wanted) -> Vec<&'e (AuditEntry, &'l str)> {
    let since = wanted.since.map(write_time);
    let node = wanted.node.as_ref().map(Node::as_str);
    let fits = |entry: &AuditEntry| {
        since.as_ref().is_none_or(|since| entry.at >= *since)
            && (node.is_none() || entry.node.as_deref() == node)
    };
    let all: Vec<_> = entries.iter().filter(|(entry, _)| fits(entry)).collect();
    let left_out = wanted.limit.map_or(0, |limit| all.len().saturating_sub(limit));
    all.into_iter().skip(left_out).collect()
}

fn row(entry: &AuditEntry) -> [String; 10] {
    let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let number = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
    // To the second; names without the time zone, which is always UTC.
    let when = entry.at.get(..19).unwrap_or(&entry.at).replace('T', " ") + "Z";
    let series = match (entry.added.len(), entry.removed.len()) {
        (0, 0) => "-".to_owned(),
        (added, 0) => format!("+{added}"),
        (0, removed) => format!("-{removed}"),
        (added, removed) => format!("+{added} -{removed}"),
    };
    [
        when,
        text(&entry.node),
        text(&entry.who),
        entry.event.word().to_owned(),
        series,
        number(entry.cut),
        number(entry.rows),
        number(entry.bytes),
        number(entry.seconds),
        entry.reason.clone().unwrap_or_default(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::read_time;
    use crate::protocol::Event;

    #[test]
    fn the_newest_of_what_is_wanted_are_shown() {
        let entry = |node: &str, at: &str| {
            let mut entry = AuditEntry::new(format!("{node} {at}"), Event::Accepted, at.into());
            entry.node = Some(node.into());
            (entry, "")
        };
        let entries = [
            entry("nso", "2026-11-01T00:00:00.000000Z"),
            entry("so", "2026-11-02T00:00:00.000000Z"),
            entry("nso", "2026-11-03T00:00:00.000000Z"),
            entry("nso", "2026-11-04T00:00:00.000000Z"),
        ];
        let days = |wanted: &Wanted| {
            let shown = select(&entries, wanted);
            shown.iter().map(|(entry, _)| entry.at.get(8..10).unwrap().to_owned()).collect::<Vec<_>>()
        };
        let nso = Wanted { node: "nso".parse().ok(), ..Wanted::default() };
        assert_eq!(days(&Wanted::default()), ["01", "02", "03", "04"]);
        assert_eq!(days(&nso), ["01", "03", "04"]);
        assert_eq!(days(&Wanted { limit: Some(1), ..nso.clone() }), ["04"]);
        assert_eq!(
            days(&Wanted { limit: Some(9), since: read_time("2026-11-03T00:00:00Z"), ..nso }),
            ["03", "04"]
        );
    }
}
