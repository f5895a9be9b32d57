//! `show`: everything of one node.

use std::time::Duration;

use serde::Serialize;

use super::Form;
use super::{Wanted, history};
use crate::config::Config;
use crate::error::Result;
use crate::ground;
use crate::model::{Node, age, count, numbered, printable, size};
use crate::overview::{NodeDetail, RequestView};

/// So many lines of the audit trail are shown.
const EVENTS: usize = 5;

/// What is printed for programs. PROTOCOL.md documents the fields.
#[derive(Debug, Serialize)]
struct Shown {
    #[serde(flatten)]
    detail: NodeDetail,
    /// The last lines of the audit trail about it, the oldest first.
    history: Vec<serde_json::Value>,
}

/// Prints a node.
pub fn show(config: &Config, node: &Node, form: Form) -> Result<String> {
    let Some(detail) = NodeDetail::look(config, node)? else {
        return Err(super::known::unknown(&ground::registry(&config.paths)?, node));
    };
    let wanted = Wanted { node: Some(node.clone()), since: None, limit: Some(EVENTS) };
    let events = history(config, &wanted, !matches!(form, Form::Text(_)))?;
    let lines_for_programs = events.lines().filter_map(|line| serde_json::from_str(line).ok());
    let shown = Shown { history: lines_for_programs.collect(), detail };
    if let Some(text) = form.json(&shown) {
        return text;
    }
    let detail = &shown.detail;
    let mut text = format!("{node}\n");
    for (what, said) in lines(detail) {
        text += &format!("  {what:<10}{}\n", printable(&said));
    }
    for note in &detail.node.notes {
        text += &format!("  {:<10}{}\n", "note", form.paint().grave(detail.node.severity, &printable(note)));
    }
    if events.lines().count() > 1 {
        text += "  history\n";
        text += &events.lines().map(|line| format!("    {line}\n")).collect::<String>();
    }
    Ok(text)
}

fn lines(detail: &NodeDetail) -> Vec<(&'static str, String)> {
    let NodeDetail { node, .. } = detail;
    let seconds = |seconds: u64| age(Duration::from_secs(seconds));
    let mut lines = vec![("stage", node.stage.to_owned())];
    lines.extend(detail.waits_for.clone().map(|waits| ("now", waits)));
    lines.extend(detail.request.as_ref().map(|request| ("request", asked(request))));
    if detail.registered {
        lines.push(("series", format!("{}: {}", node.series, listed(&detail.subscribed))));
        let from = detail.list_holds_from.filter(|from| *from > 0);
        let from = from.map(|from| format!(", which holds from archive {from} on")).unwrap_or_default();
        lines.push(("list", format!("{}{from}", detail.list)));
        let newest = match (node.last_log, node.last_log_age_seconds) {
            (Some(log), Some(old)) => format!(", the newest log is {log}, {} old", seconds(old)),
            _ => ", no log yet".to_owned(),
        };
        lines.push(("directory", format!("{}: {}{newest}", detail.directory, size(node.disk_bytes))));
        lines.push(("site", site(detail)));
    }
    lines.push(("dialect", detail.dialect.to_owned()));
    let readers = detail.group.as_ref().map_or("everybody".to_owned(), |group| format!("group {group}"));
    lines.push(("readers", readers));
    if !detail.not_allowed.is_empty() {
        lines.push(("forbidden", format!("`access_file` does not allow {}", listed(&detail.not_allowed))));
    }
    lines
}

/// What is asked.
fn asked(request: &RequestView) -> String {
    let what = [("adds", &request.subscribe), ("takes out", &request.unsubscribe)];
    let what = what.iter().filter(|(_, series)| !series.is_empty());
    let mut text =
        what.map(|(verb, series)| format!("{verb} {}", listed(series))).collect::<Vec<_>>().join("; ");
    if let (Some(accepted), Some(owner)) = (&request.accepted, &request.owner) {
        // To the second is enough here.
        text +=
            &format!("; accepted {}Z from {owner}", accepted.get(..19).unwrap_or(accepted).replace('T', " "));
    }
    text += &request.cut.map(|cut| format!("; cut {cut}")).unwrap_or_default();
    if let (Some(rows), Some(bytes)) = (request.rows, request.bytes) {
        text += &format!("; {} rows, {}", count(rows), size(bytes));
    }
    text
}

/// What is known of the site.
fn site(detail: &NodeDetail) -> String {
    let node = &detail.node;
    let seconds = |seconds: u64| age(Duration::from_secs(seconds));
    let Some(acknowledged) = node.acknowledged else {
        return "has never said what it has applied".to_owned();
    };
    let said = node
        .acknowledged_age_seconds
        .map(|ago| format!(", it said {} ago", seconds(ago)))
        .unwrap_or_default();
    let behind = match (node.behind, node.next_log_age_seconds) {
        (Some(0), _) => "; it has all".to_owned(),
        (Some(logs), Some(old)) => {
            format!("; {} behind, the next one is {} old", numbered(logs, "log"), seconds(old))
        }
        (Some(logs), None) => format!("; {} behind", numbered(logs, "log")),
        (None, _) => String::new(),
    };
    format!("has applied log {acknowledged}{said}{behind}")
}

/// Names, cut short where they are many.
fn listed(names: &[String]) -> String {
    const NAMED: usize = 20;
    let shown = names.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
