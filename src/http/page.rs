//! The status page, as one text. Pure. There is one who makes it, here: the script in it asks for the same page again and takes
//! what is new out of it, so that it shows the same with and without.

use std::cmp::Reverse;
use std::time::Duration;

use super::plot::plot;
use crate::model::{age, count, size};
use crate::overview::{Lag, NodeView, Severity, Status, lag_seconds};
use crate::protocol::{Dump, DumpState};

/// More nodes are shown only to those who ask for all: a phone need not draw a thousand.
const SHOWN: usize = 100;

/// What somebody wants to see.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Query {
    /// Only nodes with this in their name, stage or notes; empty: all.
    filter: String,
    sort: Sort,
    /// Also those that are many.
    all: bool,
}

/// What comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Sort {
    /// Those in need.
    #[default]
    Need,
    Name,
    Lag,
    Disk,
}

const SORTS: &[(&str, &str, Sort)] = &[
    ("need", "those in need first", Sort::Need),
    ("name", "by name", Sort::Name),
    ("lag", "by lag", Sort::Lag),
    ("disk", "by disk", Sort::Disk),
];

impl Query {
    /// Reads what stands behind the question mark. What is not known means nothing.
    pub(super) fn read(text: &str) -> Self {
        let mut query = Self::default();
        for (key, value) in form_urlencoded::parse(text.as_bytes()) {
            match &*key {
                "q" => value.trim().clone_into(&mut query.filter),
                "sort" => {
                    let known = SORTS.iter().find(|(word, ..)| *word == value);
                    query.sort = known.map(|(.., sort)| *sort).unwrap_or_default();
                }
                "all" => query.all = true,
                _ => {}
            }
        }
        query
    }

    fn wants(&self, node: &NodeView) -> bool {
        let wanted = self.filter.to_lowercase();
        let has = |text: &str| text.to_lowercase().contains(&wanted);
        has(&node.node) || has(node.stage) || node.notes.iter().any(|note| has(note))
    }

    /// The same with all nodes, as a link has it.
    fn for_all(&self) -> String {
        let word = SORTS.iter().find(|(.., sort)| *sort == self.sort).map_or("", |(word, ..)| word);
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("q", &self.filter).append_pair("sort", word).append_pair("all", "1");
        query.finish()
    }
}

impl Sort {
    fn order(self, nodes: &mut [&NodeView]) {
        // They come in the order of their names.
        match self {
            Self::Name => {}
            Self::Need => nodes.sort_by_key(|node| {
                (Reverse(node.severity), node.stage == "idle", Reverse(lag_seconds(node)))
            }),
            Self::Lag => nodes.sort_by_key(|node| Reverse(lag_seconds(node))),
            Self::Disk => nodes.sort_by_key(|node| Reverse(node.disk_bytes)),
        }
    }
}

/// The page.
pub(super) fn page(status: &Status, query: &Query) -> String {
    let part = |name: &str| match name {
        "title" => title(status),
        "summary" => summary(status),
        "dumps" => dumps(&status.overview.dumps),
        "q" => escaped(&query.filter),
        "sorts" => sorts(query.sort),
        "nodes" => nodes(status, query),
        "errors" => errors(status),
        unknown => unknown.to_owned(),
    };
    let pieces = include_str!("page.html").split(['{', '}']).enumerate();
    pieces.map(|(at, piece)| if at % 2 == 1 { part(piece) } else { piece.to_owned() }).collect()
}

fn title(status: &Status) -> String {
    let (word, _) = verdict(status);
    format!("subscription_manager: {word}")
}

/// How it is as a whole, in a word and by its colour.
fn verdict(status: &Status) -> (&'static str, Severity) {
    if status.fault.is_some() {
        return ("it does not go on", Severity::Error);
    }
    let grave = status.overview.severity();
    let word = match grave {
        Severity::Ok => "all is well",
        Severity::Warning => "somebody should look soon",
        Severity::Error => "somebody must look",
    };
    (word, grave)
}

fn summary(status: &Status) -> String {
    let overview = &status.overview;
    let (word, grave) = verdict(status);
    let known = |number: Option<u64>| number.map_or("-".to_owned(), |number| number.to_string());
    let of = |severity| overview.nodes.iter().filter(|node| node.severity == severity).count();
    let behind = overview.nodes.iter().filter(|node| node.behind.is_some_and(|behind| behind > 0)).count();
    let warned = if of(Severity::Warning) > 0 { "warning" } else { "" };
    let wrong = if of(Severity::Error) > 0 { "error" } else { "" };
    let facts = [
        ("nodes", overview.nodes.len().to_string(), ""),
        ("in need of a person", of(Severity::Error).to_string(), wrong),
        ("with a warning", of(Severity::Warning).to_string(), warned),
        ("behind", behind.to_string(), ""),
        ("split up to", known(overview.splitter.counter), ""),
        ("committed", known(overview.splitter.committed), ""),
        ("newest archive", overview.splitter.newest_archive_age_seconds.map_or("-".into(), old), ""),
        ("runs for", overview.running_seconds.map_or("-".into(), duration), ""),
    ];
    let fact = |(name, value, class): (&str, String, &str)| {
        format!("<li class=\"{class}\"><b>{}</b>{name}</li>", escaped(&value))
    };
    let facts: String = facts.into_iter().map(fact).collect();
    let alarm = |text: &String| format!("<p class=\"alarm\">{}</p>", escaped(text));
    let alarms: String = status.fault.iter().chain(&overview.alarms).map(alarm).collect();
    format!(
        "<header><h1>subscription_manager</h1><b class=\"{}\">{word}</b><p>{} at <time>{}</time></p></header>\
         <ul class=\"facts\">{facts}</ul>{alarms}",
        class(grave),
        escaped(overview.version),
        seconds_only(&overview.at)
    )
}

fn dumps(dumps: &[Dump]) -> String {
    if dumps.is_empty() {
        return String::new();
    }
    let row = |dump: &Dump| {
        let bar = match dump.state {
            DumpState::Waiting => "waits for its turn".to_owned(),
            DumpState::Running => {
                format!("<progress max=\"100\" value=\"{0}\">{0} %</progress>", dump.percent)
            }
        };
        format!(
            "<tr><td class=\"name\">{}</td>{}{}{}{}{}{}</tr>",
            escaped(&dump.node),
            cell("progress", "", &bar),
            cell("series", "number", &format!("{} of {}", dump.series_done, dump.series)),
            cell("rows", "number", &rows(dump)),
            cell("bytes", "number", &size(dump.bytes)),
            cell("rate", "number", &format!("{}/s", size(dump.bytes_per_second))),
            cell("left", "number", &dump.seconds_left.map_or("-".into(), duration)),
        )
    };
    let rows: String = dumps.iter().map(row).collect();
    let head = head(&["node", "progress"], &["series", "rows", "bytes", "rate", "left"], &[]);
    format!("<h2>Dumps</h2><table>{head}<tbody>{rows}</tbody></table>")
}

fn rows(dump: &Dump) -> String {
    let expected = dump.rows_expected.map(|expected| format!(" of about {}", count(expected)));
    count(dump.rows) + &expected.unwrap_or_default()
}

fn sorts(chosen: Sort) -> String {
    let option = |(word, text, sort): &(&str, &str, Sort)| {
        let selected = if *sort == chosen { " selected" } else { "" };
        format!("<option value=\"{word}\"{selected}>{text}</option>")
    };
    SORTS.iter().map(option).collect()
}

fn nodes(status: &Status, query: &Query) -> String {
    let all = &status.overview.nodes;
    let mut wanted: Vec<&NodeView> = all.iter().filter(|node| query.wants(node)).collect();
    query.sort.order(&mut wanted);
    if wanted.is_empty() {
        let text = if all.is_empty() { "Nobody has subscribed yet." } else { "No node is like that." };
        return format!("<p class=\"none\">{text}</p>");
    }
    let shown = if query.all { wanted.len() } else { wanted.len().min(SHOWN) };
    let rows: String = wanted.iter().take(shown).map(|node| row(node, &status.lag)).collect();
    let more = if shown < wanted.len() {
        let (link, hidden) = (escaped(&query.for_all()), wanted.len() - shown);
        format!("<p class=\"soft\">and {hidden} more: <a href=\"?{link}\">show all</a></p>")
    } else {
        String::new()
    };
    let numbers = ["series", "last log", "acknowledged", "behind", "lag", "disk"];
    let head = head(&["node", "stage"], &numbers, &["lag over the last day", "notes"]);
    format!("<table>{head}<tbody>{rows}</tbody></table>{more}")
}

fn row(node: &NodeView, lag: &Lag) -> String {
    let known = |number: Option<u64>| number.map_or("-".to_owned(), |number| number.to_string());
    let notes: Vec<String> = node.notes.iter().map(|note| escaped(note)).collect();
    format!(
        "<tr class=\"{}\"><td class=\"name\">{}</td>{}{}{}{}{}{}{}{}{}</tr>",
        class(node.severity),
        escaped(&node.node),
        cell("stage", "", &escaped(node.stage)),
        cell("series", "number", &node.series.to_string()),
        cell("last log", "number", &known(node.last_log)),
        cell("acknowledged", "number", &known(node.acknowledged)),
        cell("behind", "number", &known(node.behind)),
        cell("lag", "number", &lag_seconds(node).map_or("-".into(), duration)),
        cell("disk", "number", &size(node.disk_bytes)),
        cell("last day", "", &plot(&lag.of(&node.node).unwrap_or_default())),
        cell("notes", "notes", &notes.join("<br>"))
    )
}

fn errors(status: &Status) -> String {
    let line = |error: &crate::recent::LoggedError| {
        format!("<li><time>{}</time> {}</li>", seconds_only(&error.at), escaped(&error.text))
    };
    let lines: String = status.errors.iter().map(line).collect();
    let text = if lines.is_empty() {
        "<p class=\"none\">None since the daemon was started.</p>".to_owned()
    } else {
        format!("<ol>{lines}</ol>")
    };
    format!("<h2>Last errors</h2>{text}")
}

/// The head of a table; those in the middle are numbers.
fn head(first: &[&str], numbers: &[&str], last: &[&str]) -> String {
    let plain = |names: &[&str]| names.iter().map(|name| format!("<th>{name}</th>")).collect::<String>();
    let middle: String = numbers.iter().map(|name| format!("<th class=\"number\">{name}</th>")).collect();
    format!("<thead><tr>{}{middle}{}</tr></thead>", plain(first), plain(last))
}

/// A cell of escaped text; on a phone its name stands before it.
fn cell(name: &str, class: &str, text: &str) -> String {
    format!("<td class=\"{class}\" data-label=\"{name}\">{text}</td>")
}

fn class(severity: Severity) -> &'static str {
    match severity {
        Severity::Ok => "ok",
        Severity::Warning => "warning",
        Severity::Error => "error",
    }
}

fn duration(seconds: u64) -> String {
    age(Duration::from_secs(seconds))
}

fn old(seconds: u64) -> String {
    duration(seconds) + " old"
}

/// A time of ours without the part of the second, which nobody reads.
fn seconds_only(at: &str) -> String {
    escaped(&at.split('.').next().unwrap_or(at).replace('T', " ")) + " UTC"
}

/// Text that comes from outside, as text and as the value of an attribute.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_read_and_written() {
        let query = Query::read("q=+a%26b%3C&sort=lag&other=1");
        assert_eq!((query.filter.as_str(), query.sort, query.all), ("a&b<", Sort::Lag, false));
        let all = Query::read(&query.for_all());
        assert_eq!(all, Query { all: true, ..query });
        assert_eq!(Query::read("sort=nothing&%ff=%"), Query::default());
    }

    #[test]
    fn those_in_need_come_first() {
        let node = |name: &str, severity, stage, lag| NodeView {
            node: name.into(),
            severity,
            stage,
            next_log_age_seconds: lag,
            ..NodeView::default()
        };
        let nodes = [
            node("a", Severity::Ok, "idle", None),
            node("b", Severity::Ok, "idle", Some(90)),
            node("c", Severity::Ok, "answered", None),
            node("d", Severity::Warning, "idle", None),
            node("e", Severity::Error, "idle", None),
        ];
        let order = |sort: Sort| {
            let mut all: Vec<&NodeView> = nodes.iter().collect();
            sort.order(&mut all);
            all.iter().map(|node| node.node.as_str()).collect::<String>()
        };
        assert_eq!(order(Sort::Need), "edcba");
        assert_eq!(order(Sort::Lag), "bacde");
        assert_eq!(order(Sort::Name), "abcde");
    }

    #[test]
    fn whatever_a_text_holds_it_stays_text() {
        assert_eq!(escaped("<a href=\"x\">&'"), "&lt;a href=&quot;x&quot;&gt;&amp;&#39;");
    }
}
