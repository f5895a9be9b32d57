//! `status`: everything on one screen, and whether it needs a person.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::Form;
use super::paint::Paint;
use crate::config::Config;
use crate::db::{self, Database, Health};
use crate::disk;
use crate::error::{Error, Result};
use crate::model::{age, numbered, printable};
use crate::overview::{NodeView, Overview, Severity};
use crate::protocol::Dump;

/// How long the database may take to answer.
const SILENCE: Duration = Duration::from_secs(15);

/// So much of the log is looked through for errors, and so many are shown.
const LOG_TAIL: u64 = 1 << 20;
const ERRORS: usize = 5;

/// What is printed. PROTOCOL.md documents the fields.
#[derive(Debug, Serialize)]
struct Status {
    #[serde(flatten)]
    overview: Overview,
    severity: Severity,
    database: DatabaseView,
    stages: BTreeMap<&'static str, usize>,
    behind: usize,
    errors: Vec<String>,
}

/// What the log-shipping node's database says.
#[derive(Debug, Default, Serialize)]
struct DatabaseView {
    place: String,
    reachable: bool,
    error: Option<String>,
    slony_node: Option<u32>,
    sets: Option<u64>,
    slon: Option<bool>,
    archived_seconds: Option<u64>,
}

/// Prints the status; and returns 0 if all is well, 1 if something needs a person.
pub async fn status(config: &Config, form: Form) -> Result<(String, u8)> {
    let mut overview = Overview::look(config)?;
    let database = ask(config, &mut overview).await;
    let mut stages = BTreeMap::new();
    for node in &overview.nodes {
        *stages.entry(node.stage).or_default() += 1;
    }
    let is_well =
        overview.running && database.reachable && database.slon != Some(false) && database.sets != Some(0);
    let severity = if is_well { overview.severity() } else { Severity::Error };
    let behind = overview.nodes.iter().filter(|node| node.behind.is_some_and(|behind| behind > 0)).count();
    let status = Status { severity, database, stages, behind, errors: errors(config)?, overview };
    let code = u8::from(severity == Severity::Error);
    let text = match form.json(&status) {
        Some(json) => json?,
        None => status.describe(config, form.paint()),
    };
    Ok((text, code))
}

async fn ask(config: &Config, overview: &mut Overview) -> DatabaseView {
    let database = Database::new(&config.database, &config.cluster);
    let asked = async { db::health(&database, &database.connect().await?).await };
    let silent = |_| Err(Error::Silent(format!("the database is silent for {} s", SILENCE.as_secs())));
    let said = tokio::time::timeout(SILENCE, asked).await.unwrap_or_else(silent);
    let place = config.database.place();
    match said {
        Err(error) => DatabaseView { place, error: Some(error.chain()), ..DatabaseView::default() },
        Ok(Health { node, committed, archived, sets, has_slon, .. }) => {
            overview.splitter.has_committed(committed.value());
            DatabaseView {
                place,
                reachable: true,
                error: None,
                slony_node: Some(node.0),
                sets: Some(sets),
                slon: Some(has_slon),
                archived_seconds: Some(archived.as_secs()),
            }
        }
    }
}

/// The last errors in the log file; without one they are in the journal.
fn errors(config: &Config) -> Result<Vec<String>> {
    let Some(directory) = &config.log_dir else { return Ok(Vec::new()) };
    let text = disk::read_tail(&directory.join("subscription_manager.log"), LOG_TAIL)?;
    let text = String::from_utf8_lossy(&text);
    let is_error = |line: &&str| line.split_whitespace().nth(1) == Some("ERROR");
    let mut last: Vec<String> = text.lines().rev().filter(is_error).take(ERRORS).map(str::to_owned).collect();
    last.reverse();
    Ok(last)
}

impl Status {
    fn describe(&self, config: &Config, paint: Paint) -> String {
        let error = |text: String| paint.grave(Severity::Error, &printable(&text));
        let mut text = String::new();
        let mut line = |what: &str, said: String| text += &format!("{what:<10}{said}\n");
        line(
            "manager",
            match self.overview.running_seconds {
                Some(seconds) => format!("runs for {}", age(Duration::from_secs(seconds))),
                None => error("does not run: start it".into()),
            },
        );
        line("database", self.describe_database().unwrap_or_else(error));
        line("splitter", self.describe_splitter(config));
        for dump in &self.overview.dumps {
            line("dump", format!("{}: {}", dump.node, Dump::describe(dump)));
        }
        line("nodes", self.describe_nodes());
        for alarm in &self.overview.alarms {
            line("alarm", error(alarm.clone()));
        }
        let is_grave = |node: &&NodeView| node.severity > Severity::Ok;
        for node in self.overview.nodes.iter().filter(is_grave) {
            let said = printable(&format!("{}: {}", node.node, node.notes.join("; ")));
            line("node", paint.grave(node.severity, &said));
        }
        for said in &self.errors {
            line("log", printable(said));
        }
        line(
            "verdict",
            match self.severity {
                Severity::Ok => "all is well".to_owned(),
                Severity::Warning => {
                    paint.grave(Severity::Warning, "somebody should look at it, but nothing is lost")
                }
                Severity::Error => error("this needs a person".into()),
            },
        );
        text
    }

    /// An error is what is wrong.
    fn describe_database(&self) -> Result<String, String> {
        let DatabaseView { place, error, slony_node, sets, slon, .. } = &self.database;
        if let Some(error) = error {
            return Err(format!("cannot be asked: {error}"));
        }
        let node = slony_node.map(|node| node.to_string()).unwrap_or_default();
        let sets = sets.unwrap_or_default();
        let said = format!("{place} answers: Slony node {node}, receives {}", numbered(sets, "set"));
        if sets == 0 {
            Err(format!("{said}: no row comes into an archive"))
        } else if *slon == Some(false) {
            Err(format!("{said}; but no slon is connected: start it"))
        } else {
            Ok(said)
        }
    }

    fn describe_splitter(&self, config: &Config) -> String {
        if config.paths.archive_dir.is_none() {
            return "`archive_dir` is not set: nothing is split here".into();
        }
        let splitter = &self.overview.splitter;
        let at =
            splitter.counter.map_or("nothing is split yet".to_owned(), |at| format!("archive {at} is split"));
        let behind = match (splitter.committed, splitter.behind) {
            (Some(committed), Some(behind)) => format!(", {committed} has committed: {behind} behind"),
            _ => String::new(),
        };
        let newest = splitter.newest_archive_age_seconds.map(|old| age(Duration::from_secs(old)));
        let newest = newest.map(|old| format!("; the newest archive is {old} old")).unwrap_or_default();
        format!("{at}{behind}{newest}")
    }

    fn describe_nodes(&self) -> String {
        let stages: Vec<String> =
            self.stages.iter().map(|(stage, count)| format!("{count} {stage}")).collect();
        let stopped = self.overview.nodes.iter().filter(|node| node.stopped_before.is_some()).count();
        let stages = if stages.is_empty() { String::new() } else { format!(": {}", stages.join(", ")) };
        format!("{}{stages}; {} behind, {stopped} stopped", self.overview.nodes.len(), self.behind)
    }
}
