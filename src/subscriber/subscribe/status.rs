//! `subscribe_series status`: where the site stands, in words.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use super::apply::listed;
use super::decide::{Situation, Step, decide};
use super::record::{Phase, Record};
use super::server::Server;
use super::shown::Mark;
use super::work::{connect, read_record};
use crate::db::site::{SiteDatabase, SiteRequest};
use crate::disk::{self, Lock};
use crate::error::{Error, Result};
use crate::model::{ArchiveName, BundleName, Counter, Series, numbered};
use crate::subscriber::{SiteConfig, removed};
use crate::transport::Host;

/// How long a line that is broken is tried again.
const PATIENCE: Duration = Duration::from_secs(10);

/// The series that the site is subscribed to, by the requests whose SQL is applied here.
pub(super) fn subscribed(requests: &[SiteRequest]) -> Vec<Series> {
    let mut subscribed: Vec<Series> = Vec::new();
    for request in requests {
        if request.is_finished {
            subscribed.retain(|series| !request.unsubscribed.contains(series));
        }
        // One that an operator has taken out comes back without having been unsubscribed here.
        subscribed.retain(|series| !request.series.contains(series));
        subscribed.extend(request.series.iter().cloned());
    }
    subscribed
}

/// Tells where the site stands. Only the site's own database must be there for it.
pub(super) async fn status(config: &SiteConfig, agent: Option<PathBuf>) -> Result<String> {
    let database = connect(config).await?;
    // Somebody waits for it.
    let host = Host::new(&config.host).with_patience(PATIENCE).with_agent(agent);
    let requests = database.requests().await?;
    let place = database.place().await?;
    let mut lines = vec![("node", node(config, &database, place).await?)];
    lines.push(("series", series(&database, &requests, place).await?));
    lines.push(("counter", counter(&database, place).await?));
    lines.push(("data centre", newest(config, &host, place).await));
    lines.push(("ingestion", ingestion(config)));
    let record = read_record(config)?;
    let open = match &record {
        None => "none is open".to_owned(),
        Some(record) => request(config, &host, record, &requests).await,
    };
    lines.push(("request", open));
    Ok(lines
        .iter()
        .map(|(name, text)| format!("{name:<12}{}\n", text.replace('\n', "\n            ")))
        .collect())
}

async fn node(config: &SiteConfig, database: &SiteDatabase, place: Option<Counter>) -> Result<String> {
    let node = &config.node;
    Ok(match database.node().await? {
        _ if place.is_none() => node.to_string(),
        Some(known) if known == node.as_str() => known,
        Some(known) => format!("{node}, but this database was subscribed as {known}"),
        None => format!("{node} (not noted in this database)"),
    })
}

async fn series(database: &SiteDatabase, requests: &[SiteRequest], place: Option<Counter>) -> Result<String> {
    if requests.is_empty() {
        let unknown = "not known here: they were subscribed without subscribe_series";
        return Ok(if place.is_none() { "none" } else { unknown }.to_owned());
    }
    let subscribed = subscribed(requests);
    let there = database.existing(&subscribed).await?;
    let line = |series: &Series| {
        let gone = if there.contains(series) { "" } else { " (its table is not there)" };
        format!("{series}{gone}")
    };
    let mut lines: Vec<String> = subscribed.iter().map(line).collect();
    if lines.is_empty() {
        lines.push("none".into());
    }
    let left =
        requests.iter().filter(|request| request.is_finished).flat_map(|request| &request.unsubscribed);
    let left: BTreeSet<&Series> = left.filter(|series| !subscribed.contains(series)).collect();
    let left: Vec<Series> = left.into_iter().cloned().collect();
    let kept = database.existing(&left).await?;
    if !kept.is_empty() {
        lines.push(format!("unsubscribed, tables kept: {}", listed(&kept)));
    }
    Ok(lines.join("\n"))
}

async fn counter(database: &SiteDatabase, place: Option<Counter>) -> Result<String> {
    let Some(place) = place else { return Ok("none: this database is not subscribed".into()) };
    let times = database.times().await?;
    let times = times.map(|(created, applied)| format!(", made {created}, applied {applied}"));
    Ok(format!("{place}{}", times.unwrap_or_default()))
}

/// How far the site is behind.
async fn newest(config: &SiteConfig, host: &Host, place: Option<Counter>) -> String {
    let Some(site_logs) = &config.site_logs else {
        return "not known: `rmt_slony_dir` is not in the configuration".into();
    };
    let Some(place) = place else { return "not asked".into() };
    let entries = match removed::list(host, config, site_logs).await {
        Ok(entries) => entries,
        Err(error) => return format!("cannot be asked: {}", error.chain()),
    };
    let counter = |name: &str| {
        let single = name.parse::<ArchiveName>().ok().map(|single| single.counter);
        single.or_else(|| name.parse::<BundleName>().ok().map(BundleName::last))
    };
    match entries.iter().filter_map(|entry| counter(&entry.name)).max() {
        None => "has no logs for this node".into(),
        Some(newest) if newest <= place => format!("the newest log is {newest}: up to date"),
        Some(newest) => {
            let behind = numbered(newest.value() - place.value(), "log");
            format!("the newest log is {newest}: {behind} behind")
        }
    }
}

fn ingestion(config: &SiteConfig) -> String {
    let runs = match Lock::holder(&config.work_dir.join("ingest.lock")) {
        Ok(Some(process)) => format!("process {process} is at it"),
        Ok(None) => "nobody is at it".into(),
        Err(error) => error.chain(),
    };
    if disk::exists(&config.die_file()) {
        return format!("stopped by the die file `{}`; {runs}", config.die_file().display());
    }
    runs
}

async fn request(config: &SiteConfig, host: &Host, record: &Record, requests: &[SiteRequest]) -> String {
    let list = record.list();
    let mut text = format!("{} is open", record.id);
    for (verb, series) in [("subscribe", &list.subscribe), ("unsubscribe", &list.unsubscribe)] {
        if !series.is_empty() {
            text += &format!("\n{verb} {}", listed(series));
        }
    }
    let next = match next(config, host, record, requests).await {
        Ok(Step::Wait(what)) => format!("it waits for {}", what.as_str()),
        Ok(step) => {
            let is_applied = matches!(record.phase, Phase::Applied | Phase::Told | Phase::Finished);
            let done = if is_applied { ", its SQL is applied" } else { "" };
            format!("run subscribe_series to go on (next: {}{done})", step.as_str())
        }
        Err(error) => format!("the data centre cannot be asked about it: {}", error.chain()),
    };
    format!("{text}\n{next}")
}

async fn next(config: &SiteConfig, host: &Host, record: &Record, requests: &[SiteRequest]) -> Result<Step> {
    let Some(triggerdir) = config.triggerdir.as_deref() else {
        return Err(Error::Fatal("`webdb_dir` is not in the configuration".into()));
    };
    let mut server = Server::new(host, triggerdir, &config.node);
    let shown = server.look(Mark { stem: record.stem, id: &record.id }).await?;
    let is_applied = requests.iter().any(|request| request.request == record.id);
    Ok(decide(&Situation {
        stem: record.stem,
        phase: &record.phase,
        shown: &shown,
        is_applied,
        is_fetched: false,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_series_follow_from_the_requests() {
        let request = |series: &[&str], unsubscribed: &[&str], is_finished| SiteRequest {
            request: "1".into(),
            cut: None,
            series: series.iter().map(|series| series.parse().unwrap()).collect(),
            unsubscribed: unsubscribed.iter().map(|series| series.parse().unwrap()).collect(),
            is_finished,
        };
        let requests = [
            request(&["a.a", "a.b", "a.c"], &[], true),
            request(&["a.d"], &["a.a"], true),
            request(&["a.a"], &[], true),
            request(&[], &["a.b"], false),
            // Taken out by an operator in between.
            request(&["a.c"], &[], true),
        ];
        assert_eq!(listed(&subscribed(&requests)), "a.b, a.d, a.a, a.c");
    }
}
