//! `audit.jsonl`: what became of every request, and what operators have changed. One line of JSON for each event, and lines
//! are only ever added.
//!
//! `key` and `event` come first and tell a line from every other: a step that is done again after a kill knows its line by
//! them, and so does whoever reads several files.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

/// One event. What is not known, or does not belong to its kind, is left out of the line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// What it is about: a request (node and the time when it was accepted), a file, or an operator's command.
    pub key: String,
    /// What happened.
    pub event: Event,
    /// When; RFC 3339 in UTC.
    pub at: String,
    /// Whose subscription.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// The owner of the file, or the operator, as the system names the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub who: Option<String>,
    /// The name of the file in `triggerdir`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The subscriber's name for the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// The series that the request adds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub added: Vec<String>,
    /// The series that it takes out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<String>,
    /// The cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut: Option<u64>,
    /// Rows in the SQL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// Bytes of the SQL, as it was published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Seconds since the request was accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u64>,
    /// Why, or what an operator has done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What happened. Of the first group a request that was accepted has `offered` at the most once, and then one of the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A request was accepted.
    Accepted,
    /// Its SQL may be fetched.
    Offered,

    /// The site has applied the SQL; its lists are the new ones.
    Applied,
    /// The site could not apply it, or its word could not be believed; the lists are the old ones.
    RolledBack,
    /// Nobody answered within `request_days`.
    Expired,
    /// The manager has said no.
    Refused,
    /// A newer request of the node took its place.
    Superseded,

    /// A file that could not be used was put into `rejected/`.
    SetAside,
    /// An operator decided about statements that could not be routed.
    Ddl,
    /// An operator had logs made again.
    Resplit,
    /// An operator took an archive as empty.
    AcceptEmpty,
    /// An operator had something put right.
    Fix,
    /// An operator paused a node.
    Pause,
    /// An operator let a paused node go on.
    Resume,
    /// An operator cancelled an open request.
    Cancel,
    /// An operator removed a node.
    Remove,
    /// An operator asked in the place of a site.
    Subscribe,
}

impl Entry {
    /// An event of which nothing more is known.
    pub fn new(key: String, event: Event, at: String) -> Self {
        Self {
            key,
            event,
            at,
            node: None,
            who: None,
            file: None,
            request: None,
            added: Vec::new(),
            removed: Vec::new(),
            cut: None,
            rows: None,
            bytes: None,
            seconds: None,
            reason: None,
        }
    }

    /// The line, without its end.
    pub fn write(&self) -> Vec<u8> {
        // Strings and numbers: nothing that JSON could refuse.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// What a line begins with that says the same: this event, or another end of the same request, which has one only.
    pub fn marks(&self) -> Vec<Vec<u8>> {
        let key = serde_json::to_string(&self.key).unwrap_or_default();
        let mark = |event: &Event| {
            let event = serde_json::to_string(event).unwrap_or_default();
            format!("{{\"key\":{key},\"event\":{event},").into_bytes()
        };
        if self.event.is_end() { Event::ENDS.iter().map(mark).collect() } else { vec![mark(&self.event)] }
    }

    /// Reads a line; `None` for one that a crash cut off, or a stranger wrote.
    pub fn read(line: &str) -> Option<Self> {
        serde_json::from_str(line).ok()
    }
}

impl Event {
    /// The ends of a request. The first that is told holds: what a kill in the middle of it leads to is its consequence.
    const ENDS: [Self; 5] = [Self::Applied, Self::RolledBack, Self::Expired, Self::Refused, Self::Superseded];

    /// Whether it is the end of a request.
    pub fn is_end(self) -> bool {
        Self::ENDS.contains(&self)
    }

    /// The words for people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Offered => "offered",
            Self::Applied => "applied",
            Self::RolledBack => "rolled back",
            Self::Expired => "expired",
            Self::Refused => "refused",
            Self::Superseded => "superseded",
            Self::SetAside => "set aside",
            Self::Ddl => "ddl",
            Self::Resplit => "resplit",
            Self::AcceptEmpty => "accept empty",
            Self::Fix => "fix",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Cancel => "cancel",
            Self::Remove => "remove",
            Self::Subscribe => "subscribe",
        }
    }
}

/// The lines of all files, the oldest event first and each once, of a request one end; and how many lines were none.
pub fn read_audit(files: &[String]) -> (Vec<(Entry, &str)>, usize) {
    let (mut entries, mut faults) = (Vec::new(), 0);
    for line in files.iter().flat_map(|text| text.lines()).filter(|line| !line.trim().is_empty()) {
        match Entry::read(line) {
            Some(entry) => entries.push((entry, line)),
            None => faults += 1,
        }
    }
    // Stable: what was written at the same time stays as it stands.
    entries.sort_by(|(one, _), (other, _)| one.at.cmp(&other.at));
    let mut seen = HashSet::new();
    entries.retain(|(entry, _)| {
        let event = (!entry.event.is_end()).then_some(entry.event);
        seen.insert((entry.key.clone(), event))
    });
    (entries, faults)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(key: &str, event: Event, at: &str) -> Entry {
        Entry::new(key.into(), event, at.into())
    }

    #[test]
    fn a_line_begins_with_its_mark_and_comes_back() {
        let mut odd = entry("n \"o\\\n", Event::RolledBack, "2026-11-21T16:40:00.000000Z");
        odd.added = vec!["\"Odd Schema\".\"T,1\"".into()];
        odd.rows = Some(7);
        odd.reason = Some("é\n".into());
        let line = odd.write();
        assert_eq!(odd.marks().iter().filter(|mark| line.starts_with(mark)).count(), 1);
        assert!(!line.contains(&b'\n'));
        let text = String::from_utf8(line).unwrap();
        assert!(text.contains("\"event\":\"rolled_back\"") && !text.contains("cut"), "{text}");
        assert_eq!(Entry::read(&text), Some(odd));
        assert_eq!(Entry::read(&text[..text.len() - 1]), None);
    }

    #[test]
    fn a_request_ends_once() {
        let (expired, late) = (entry("a", Event::Expired, "1"), entry("a", Event::Superseded, "2"));
        assert_eq!(expired.marks(), late.marks());
        let other = entry("b", Event::Superseded, "3");
        assert!(late.marks().iter().all(|mark| !other.write().starts_with(mark)));
        let offered = entry("a", Event::Offered, "0");
        assert_eq!(offered.marks().len(), 1);
        let lines =
            [&expired, &late, &other, &offered].map(|entry| String::from_utf8(entry.write()).unwrap());
        let files = [lines.join("\n")];
        let (entries, _) = read_audit(&files);
        let told: Vec<_> = entries.into_iter().map(|(entry, _)| entry).collect();
        assert_eq!(told, [offered, expired, other]);
    }

    #[test]
    fn several_files_are_one_story() {
        let line = |key, event, at| String::from_utf8(entry(key, event, at).write()).unwrap();
        let (a, b) = (line("a", Event::Accepted, "1"), line("a", Event::Applied, "3"));
        let other = line("b", Event::Accepted, "2");
        let again = line("a", Event::Accepted, "4");
        let files = [format!("{b}\n"), format!("{a}\n{{\"key\":\"a\",\"ev\n{other}\n\n{again}\n")];
        let (entries, faults) = read_audit(&files);
        assert_eq!(entries.iter().map(|(_, line)| *line).collect::<Vec<_>>(), [&a, &other, &b]);
        assert_eq!(faults, 1);
    }
}
