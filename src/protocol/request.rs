//! `.tgr`: what a subscriber asks for.

use super::{Malformed, key_value, lines, plain_text};
use crate::model::{Compression, Node, QualifiedName, Series, excerpt};

/// A request, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Who asks.
    pub node: Node,
    /// DRMS: whether the site archives to tape; `None` keeps the data centre's value, as for the next two.
    pub archive: Option<i32>,
    /// DRMS: days that the site keeps data segments on disk.
    pub retention: Option<i32>,
    /// DRMS: the tape group at the site.
    pub tapegroup: Option<i32>,
    /// What to add, in the order asked for.
    pub subscribe: Vec<Series>,
    /// What to take out.
    pub unsubscribe: Vec<Series>,
    /// How the SQL may be compressed.
    pub accept: Option<Compression>,
    /// The subscriber's own name for this request, echoed in every answer.
    pub id: Option<String>,
}

impl Request {
    /// Reads a trigger file. Every fault names its line.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let text = plain_text(bytes)?;
        let mut draft = Draft::default();
        for (line, words) in lines(&text) {
            draft.take(words).map_err(|what| Malformed::new(line, what))?;
        }
        draft.finish().map_err(|what| Malformed::new(text.lines().count().max(1), what))
    }

    /// Whether the subscriber has said with a last line `end` that nothing more comes.
    pub fn has_end(bytes: &[u8]) -> bool {
        let text = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        text == b"end" || text.ends_with(b"\nend")
    }
}

#[derive(Default)]
struct Draft {
    node: Option<Node>,
    archive: Option<i32>,
    retention: Option<i32>,
    tapegroup: Option<i32>,
    subscribe: Vec<Series>,
    unsubscribe: Vec<Series>,
    seen: std::collections::HashMap<Series, bool>,
    accept: Option<Compression>,
    id: Option<String>,
    ended: bool,
}

impl Draft {
    fn take(&mut self, line: &str) -> Result<(), String> {
        if self.ended {
            return Err("something follows the line `end`".into());
        }
        let (key, value) = key_value(line);
        match key {
            "node" => once("node", &mut self.node, value.parse::<Node>().map_err(|e| e.to_string())?),
            "archive" => once(key, &mut self.archive, number(key, value)?),
            "retention" => once(key, &mut self.retention, number(key, value)?),
            "tapegroup" => once(key, &mut self.tapegroup, number(key, value)?),
            "accept" => once(key, &mut self.accept, compression(value)?),
            "request" => once(key, &mut self.id, request_id(value)?),
            // Written by us into an accepted request; a client that sends that one again means the request.
            "new_site" | "new_node" | "success" | "counter" => Ok(()),
            "end" if value.is_empty() => {
                self.ended = true;
                Ok(())
            }
            _ => self.take_series(line),
        }
    }

    /// `schema.series subscribe|unsubscribe`; deployed lists carry flags behind, which mean nothing to us.
    fn take_series(&mut self, line: &str) -> Result<(), String> {
        let (name, rest) = QualifiedName::parse_prefix(line).map_err(|e| e.to_string())?;
        let series = Series(name);
        let wanted = match rest.split_whitespace().next() {
            Some(verb) if verb.eq_ignore_ascii_case("subscribe") => true,
            Some(verb) if verb.eq_ignore_ascii_case("unsubscribe") => false,
            Some(verb) => {
                let verb = excerpt(verb);
                return Err(format!("`{verb}` behind {series} is neither `subscribe` nor `unsubscribe`"));
            }
            None => return Err(format!("{series} needs `subscribe` or `unsubscribe` behind it")),
        };
        match self.seen.insert(series.clone(), wanted) {
            Some(before) if before != wanted => Err(format!("{series} is both subscribed and unsubscribed")),
            Some(_) => Ok(()),
            None => {
                if wanted {
                    self.subscribe.push(series);
                } else {
                    self.unsubscribe.push(series);
                }
                Ok(())
            }
        }
    }

    fn finish(self) -> Result<Request, String> {
        let Some(node) = self.node else { return Err("no line `node NAME`: who asks?".into()) };
        if self.subscribe.is_empty() && self.unsubscribe.is_empty() {
            return Err("no line `schema.series subscribe` or `unsubscribe`: nothing is asked for".into());
        }
        Ok(Request {
            node,
            archive: self.archive,
            retention: self.retention,
            tapegroup: self.tapegroup,
            subscribe: self.subscribe,
            unsubscribe: self.unsubscribe,
            accept: self.accept,
            id: self.id,
        })
    }
}

fn once<T: PartialEq>(key: &str, place: &mut Option<T>, value: T) -> Result<(), String> {
    match place.replace(value) {
        Some(before) if Some(&before) != place.as_ref() => Err(format!("`{key}` is given twice")),
        _ => Ok(()),
    }
}

fn number(key: &str, value: &str) -> Result<i32, String> {
    value.parse().map_err(|_| format!("`{key}` must be a whole number"))
}

fn compression(value: &str) -> Result<Compression, String> {
    match value {
        "gzip" => Ok(Compression::Gzip),
        "zstd" => Ok(Compression::Zstd),
        _ => Err("`accept` takes `gzip` or `zstd`".into()),
    }
}

fn request_id(value: &str) -> Result<String, String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | ':');
    if !value.is_empty() && value.len() <= 64 && value.chars().all(allowed) {
        return Ok(value.to_owned());
    }
    Err("`request` takes one word of letters, digits and `._-:`, at most 64".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> String {
        Request::parse(text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn both_spellings_and_both_dialects_are_read() {
        let document = "node nso\narchive 0\nretention 21\ntapegroup 1\n\n# series\nhmi.M_45s subscribe\nmdi.fd unsubscribe\n";
        let request = Request::parse(document.as_bytes()).unwrap();
        assert_eq!(request.node.as_str(), "nso");
        assert_eq!((request.archive, request.retention, request.tapegroup), (Some(0), Some(21), Some(1)));
        assert_eq!(request.subscribe, [Series::new("hmi", "m_45s")]);
        assert_eq!(request.unsubscribe, [Series::new("mdi", "fd")]);

        let deployed = "\u{feff}node=nso\r\narchive=0\r\nhmi.m_45s\tsubscribe 0 21 1\r\n";
        let request = Request::parse(deployed.as_bytes()).unwrap();
        assert_eq!((request.archive, request.subscribe.len()), (Some(0), 1));
    }

    #[test]
    fn what_our_client_adds_is_read() {
        let text = "node nso\naccept zstd\nrequest 2026-11-20T10:00\n\"Odd Schema\".\"We\"\"ird,Tab{le}\" subscribe\nend\n";
        let request = Request::parse(text.as_bytes()).unwrap();
        assert_eq!(request.subscribe, [Series::new("Odd Schema", "We\"ird,Tab{le}")]);
        assert_eq!(
            (request.accept, request.id.as_deref()),
            (Some(Compression::Zstd), Some("2026-11-20T10:00"))
        );
        assert!(Request::has_end(text.as_bytes()));
        assert!(!Request::has_end(b"node nso\nhmi.the_end"));
        assert!(Request::has_end(b"node nso\r\nend\r\n"));
    }

    #[test]
    fn a_fault_names_its_line() {
        assert_eq!(fault(""), "line 1: no line `node NAME`: who asks?");
        assert!(fault("node nso\n").starts_with("line 1: no line `schema.series subscribe`"));
        assert!(fault("node ../x\n").starts_with("line 1: `../x` is no node name"));
        assert_eq!(
            fault("node nso\n\nhmi.m sub\n"),
            "line 3: `sub` behind hmi.m is neither `subscribe` nor `unsubscribe`"
        );
        assert_eq!(fault("node nso\nhmi.m\n"), "line 2: hmi.m needs `subscribe` or `unsubscribe` behind it");
        assert_eq!(fault("node nso\nbogus line\n"), "line 2: `bogus` is not schema.table");
        assert_eq!(fault("node nso\nnode b\n"), "line 2: `node` is given twice");
        assert_eq!(
            fault("node nso\nhmi.m subscribe\nHMI.M unsubscribe\n"),
            "line 3: hmi.m is both subscribed and unsubscribed"
        );
        assert_eq!(
            fault("node nso\nhmi.m subscribe\nend\nhmi.n subscribe\n"),
            "line 4: something follows the line `end`"
        );
        assert_eq!(fault("node nso\nhmi.m\0 subscribe\n"), "line 2: a NUL byte: this is no text");
        assert_eq!(fault("node nso\rhmi.m subscribe\n"), "line 1: a lone carriage return");
        assert!(Request::parse(b"node n\n\xff\xfe").unwrap_err().what.ends_with("is no UTF-8"));
    }

    #[test]
    fn repeated_lines_count_once() {
        let request = Request::parse(b"node nso\nnode nso\nhmi.m subscribe\nHMI.M subscribe\n").unwrap();
        assert_eq!(request.subscribe.len(), 1);
    }
}
