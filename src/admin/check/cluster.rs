//! What is wrong between this installation and the cluster, as the log-shipping node's own tables say.
//!
//! That each row of an archive is there, and none is missing, is looked at elsewhere.

use std::collections::BTreeMap;
use std::time::Duration;

use super::finding::{Findings, named};
use super::observe::Facts;
use crate::config::Config;
use crate::db::{self, Database, Health, Standing};
use crate::error::Result;
use crate::ground::{self, Ground};
use crate::model::{Counter, Dialect, Sequence, Series, SeriesList, SlonyNode};

/// What the database says.
pub(super) struct Cluster {
    health: Health,
    series: BTreeMap<String, Standing>,
    unlogged: Vec<Series>,
    sequences: Vec<Sequence>,
}

/// For so long neither an event nor an archive may fail to come: an idle origin makes an event every ten seconds.
const STILL: Duration = Duration::from_secs(600);

/// Asks the database. After the files were read: what has committed by then was so before.
pub(super) async fn observe(config: &Config, facts: &Facts) -> Result<Cluster> {
    let database = Database::new(&config.database, &config.cluster);
    let session = database.connect().await?;
    ground::check_system(&config.paths, database.system_identifier(&session).await?)?;
    let health = db::health(&database, &session).await?;
    let lists = facts.nodes.iter().filter_map(|node| node.ground.as_ref().ok()?.list());
    let mut series: Vec<Series> =
        lists.flat_map(|list| list.iter().map(|subscription| subscription.series.clone())).collect();
    series.sort_unstable();
    series.dedup();
    let standings = db::standings(&database, &session, health.node, &series).await?;
    let sequences = db::sequence_numbers(&session, &config.cluster).await?.into_values().collect();
    let unlogged = db::unlogged(&session, &series).await?;
    let series = series.iter().map(Series::to_string).zip(standings).collect();
    Ok(Cluster { health, series, unlogged, sequences })
}

/// Looks for what is wrong.
pub(super) fn decide(config: &Config, facts: &Facts, said: &Result<Cluster>, found: &mut Findings) {
    let database = &config.database.dbname;
    match said {
        Ok(cluster) => {
            node(config, facts, &cluster.health, found);
            subscribed(facts, cluster, found);
            unlogged(facts, cluster, found);
        }
        Err(error) => found.error(
            "database",
            database,
            error.chain(),
            "start it, or put `pg_host`, `pg_port`, `pg_user`, `pg_dbname` and `cluster` right: no request is served and \
             nothing is split meanwhile",
        ),
    }
    if config.paths.archive_dir.is_none() {
        found.note(
            "no-archives",
            &"archive_dir",
            "it is not set: this daemon splits nothing".into(),
            "only our own `split` may do it: a foreign parser knows neither cuts nor commits",
        );
    }
    for node in &facts.nodes {
        if node.entry.is_some() && config.dialect_of(&node.node) == Dialect::Slony {
            found.note(
                "truncate-cascade",
                &node.node,
                "its logs are for Slony's own objects, which apply a TRUNCATE with CASCADE".into(),
                "the site must not have tables of its own that refer to series by foreign keys",
            );
        }
    }
}

fn node(config: &Config, facts: &Facts, health: &Health, found: &mut Findings) {
    let database = &config.database.dbname;
    let number = health.node;
    if let Some(wanted) = config.slony_node.filter(|wanted| *wanted != number) {
        found.error(
            "wrong-node",
            database,
            format!("it is Slony node {number}, the configuration says slony_node={wanted}"),
            "put `slony_node` or the database right",
        );
    } else if number != SlonyNode(2) {
        found.note(
            "node-number",
            database,
            format!("it is Slony node {number}"),
            "deployed clients look for node 2 in the names of logs; ours do not mind",
        );
    }
    if health.sets == 0 {
        found.error(
            "no-set",
            database,
            "this node receives no set: no row comes into an archive".into(),
            "subscribe it: `subscribe set (..., receiver = ...)`",
        );
    }
    if !health.has_slon {
        found.error(
            "slon-away",
            database,
            "no slon has a session with it: nothing is replicated".into(),
            "start slon, with `-a` and the directory of `archive_dir`",
        );
    } else if health.event.is_none_or(|event| event > STILL) {
        let age = health
            .event
            .map_or_else(|| "never came".into(), |event| format!("is {} min old", event.as_secs() / 60));
        found.warning(
            "event-lag",
            database,
            format!("the newest event of another node {age}"),
            "look at the origin and its slon: what is written there does not arrive",
        );
    }
    // An archive is made for each event.
    if health.event.is_some_and(|event| health.archived > event + STILL) {
        found.error(
            "archives-stand-still",
            database,
            format!("events come, but the last archive is {} min older", health.archived.as_secs() / 60),
            "start slon with `-a` and the directory of `archive_dir`, and find out what was missed",
        );
    }
    time(facts, health.committed, found);
}

fn time(facts: &Facts, committed: Counter, found: &mut Findings) {
    let Some(split) = facts.split else { return };
    if split > committed {
        found.error(
            "time-went-back",
            &split,
            format!("archives are split up to {split}, but the database says {committed}"),
            "it was restored from an older state: what the sites have is not what it has; all have to subscribe anew",
        );
    }
    let Some(archives) = &facts.archives else { return };
    let oldest =
        archives.shelf.singles().iter().find(|single| single.counter > split && single.counter <= committed);
    let age = oldest.and_then(|oldest| facts.now.duration_since(oldest.written).ok()).unwrap_or_default();
    if age > STILL {
        found.warning(
            "splitter-behind",
            &split,
            format!("archives are split up to {split}, but {committed} has committed"),
            "start the daemon, or read in its log why the splitter waits",
        );
    }
}

fn subscribed(facts: &Facts, cluster: &Cluster, found: &mut Findings) {
    for (series, standing) in &cluster.series {
        let nodes = || subscribers(facts, series);
        let remedy = "tell the sites: they keep what they have and get nothing more; they unsubscribe it, or, when it has come back, \
                      subscribe it anew";
        match standing {
            Standing::Replicated => {}
            Standing::Gone => {
                let text = format!("there is no such table any more; subscribed by {}", nodes());
                found.error("series-gone", series, text, remedy);
            }
            Standing::Renamed(now) => {
                let text = format!("it is {now} now; subscribed by {}", nodes());
                found.error(
                    "series-renamed",
                    series,
                    text,
                    "let the sites unsubscribe it and subscribe the new one; or give it its name back, and let them subscribe it \
                     anew: what was written meanwhile is in no archive",
                );
            }
            Standing::NotReplicated => {
                let text = format!("no set that this node receives has it; subscribed by {}", nodes());
                found.error("series-unreplicated", series, text, remedy);
            }
            Standing::OwnSet(set) => {
                let text = format!("its set {set} originates at this node; subscribed by {}", nodes());
                let hint = "move the set to another origin, then let the sites subscribe it anew: changes made here never come into \
                            an archive";
                found.error("own-set", series, text, hint);
            }
        }
    }
    for node in facts.nodes.iter().filter(|node| node.has_cuts) {
        // Of lists without cuts the names of sequences are only guessed.
        let list = node.ground.as_ref().ok().and_then(Ground::list);
        let sequences = list.into_iter().flatten().flat_map(|subscription| &subscription.sequences);
        let missing: Vec<_> = sequences.filter(|sequence| !cluster.sequences.contains(sequence)).collect();
        if !missing.is_empty() {
            found.note(
                "sequence-unreplicated",
                &node.node,
                format!("sequences of its series are in no set: {}", named(missing)),
                "nothing, if the site does not need their values",
            );
        }
    }
}

/// A crash of the log-shipping node's server empties such a table, and no archive says so.
fn unlogged(facts: &Facts, cluster: &Cluster, found: &mut Findings) {
    for series in &cluster.unlogged {
        let series = series.to_string();
        let nodes = subscribers(facts, &series);
        found.warning(
            "series-unlogged",
            &series,
            format!("it is an unlogged table here, which a crash of this server empties; subscribed by {nodes}"),
            "`alter table ... set logged`; after a crash it has to be copied here anew, or later dumps lack its rows",
        );
    }
}

/// Who has the series.
fn subscribers(facts: &Facts, series: &str) -> String {
    let has = |list: &SeriesList| list.iter().any(|one| one.series.to_string() == series);
    let is_one = |ground: &Ground| ground.list().is_some_and(has);
    named(facts.nodes.iter().filter(|node| node.ground.as_ref().is_ok_and(is_one)).map(|node| &node.node))
}
