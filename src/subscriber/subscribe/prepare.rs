//! Before anything is asked: the list, the site's database, the text of the request.

use std::hash::{BuildHasher as _, Hasher as _};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use super::apply::listed;
use super::list::List;
use super::place::Site;
use super::record::{Phase, Record};
use crate::db::site::{SiteDatabase, Standing};
use crate::disk;
use crate::error::{Error, Result};
use crate::model::{Compression, Series, quote_identifier};
use crate::protocol::Stem;
use crate::subscriber::{SiteConfig, removed};
use crate::transport::Host;

/// Reads the list; every fault of it is told.
pub(super) fn read_list(path: &Path, is_new_site: bool) -> Result<List> {
    let bytes = disk::read_optional(path)?
        .ok_or_else(|| Error::Fatal(format!("the list `{}` is not there", path.display())))?;
    List::parse(&bytes, is_new_site).map_err(|faults| {
        let faults: String = faults.iter().map(|fault| format!("\n  {fault}")).collect();
        Error::Fatal(format!("the list `{}` has faults:{faults}", path.display()))
    })
}

/// Checks that the database can take what is asked for. Returns what there is to say about it.
pub(super) async fn check(
    config: &SiteConfig,
    database: &SiteDatabase,
    host: &Host,
    list: &List,
) -> Result<()> {
    let standing = database.standing(&list.subscribe).await?;
    let kind = if standing.is_drms { "a DRMS database" } else { "a plain PostgreSQL database" };
    tracing::info!("{} is {kind}, used as {}", standing.database, standing.user);
    if config.stem == Stem::Deployed && !standing.is_drms {
        return Err(Error::Refused(
            "this database has no table admin.ns, which the SQL of a NetDRMS server needs: set up DRMS in it, or, if the \
             data centre runs subscription_manager, take the line `stem subscribe_series` out of the configuration"
                .into(),
        ));
    }
    let mut faults = rights(&standing);
    faults.extend(clashes(config, database, host, list).await?);
    if !faults.is_empty() {
        return Err(Error::Refused(faults.join("\n")));
    }
    let missing: Vec<Series> = {
        let there = database.existing(&list.unsubscribe).await?;
        list.unsubscribe.iter().filter(|series| !there.contains(series)).cloned().collect()
    };
    if !missing.is_empty() {
        tracing::warn!("{} is not in this database; it is unsubscribed all the same", listed(&missing));
    }
    Ok(())
}

/// What the role must be granted.
fn rights(standing: &Standing) -> Vec<String> {
    let Standing { user, database, may_create, missing, closed, .. } = standing;
    let (role, mut faults) = (quote_identifier(user), Vec::new());
    if !may_create && !missing.is_empty() {
        faults.push(format!(
            "{user} may not make schemas in the database {database} ({} is missing): grant create on database {} to {role};",
            missing.join(", "),
            quote_identifier(database)
        ));
    }
    faults.extend(closed.iter().map(|schema| {
        format!(
            "{user} may not make anything in the schema {schema}: grant usage, create on schema {} to {role};",
            quote_identifier(schema)
        )
    }));
    faults
}

/// Series that are here already.
async fn clashes(
    config: &SiteConfig,
    database: &SiteDatabase,
    host: &Host,
    list: &List,
) -> Result<Vec<String>> {
    let there = database.existing(&list.subscribe).await?;
    if there.is_empty() {
        return Ok(Vec::new());
    }
    let subscribed = super::status::subscribed(&database.requests().await?);
    if there.iter().any(|series| subscribed.contains(series))
        && let Some(site_logs) = config.site_logs.as_deref()
        && is_removed(host, config, site_logs).await
    {
        let (schema, series) = (database.schema(), database.existing(&subscribed).await?);
        let site = Site { node: &config.node, schema: &schema, series: &series };
        return Ok(vec![site.explain_removed(site_logs)]);
    }
    Ok(there
        .iter()
        .map(|series| {
            if subscribed.contains(series) {
                format!("{series} is subscribed already: take its line out of the list")
            } else {
                format!(
                    "{series} is in this database already: if it is subscribed, take its line out of the list; if it is \
                     a table of your own, or was left from before, rename or drop it"
                )
            }
        })
        .collect())
}

/// Whether the data centre has forgotten a node that this site takes for subscribed. What else keeps us from looking is told
/// when the request is sent.
async fn is_removed(host: &Host, config: &SiteConfig, site_logs: &str) -> bool {
    matches!(removed::list(host, config, site_logs).await, Err(Error::Stopped(_)))
}

/// A new request.
pub(super) fn request(config: &SiteConfig, list: &List, is_new_site: bool) -> Record {
    let id = name();
    let mut text = format!("node {}\n", config.node);
    let numbers =
        [("archive", config.archive), ("retention", config.retention), ("tapegroup", config.tapegroup)];
    for (key, value) in numbers {
        text.extend(value.map(|value| format!("{key} {value}\n")));
    }
    // A NetDRMS server would take the lines that we add for names of series.
    let is_ours = config.stem == Stem::Document;
    if is_ours {
        let packing = |packing| match packing {
            Compression::Gzip => "accept gzip\n",
            Compression::Zstd => "accept zstd\n",
        };
        text.push_str(config.accept.map_or("", packing));
        text.push_str(&format!("request {id}\n"));
    }
    text.extend(list.subscribe.iter().map(|series| format!("{series} subscribe\n")));
    text.extend(list.unsubscribe.iter().map(|series| format!("{series} unsubscribe\n")));
    if is_ours {
        text.push_str("end\n");
    }
    Record {
        id,
        stem: config.stem,
        is_new_site,
        phase: Phase::Asking,
        drop: None,
        request: text,
        answer: None,
    }
}

/// A name that no other request has.
fn name() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    // The standard library's source of randomness.
    let random = std::hash::RandomState::new().build_hasher().finish();
    format!("{}-{}-{random:016x}", now.as_secs(), std::process::id())
}
