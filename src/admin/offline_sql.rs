//! `offline-sql`: the replication objects for a site that other tools have set up.

use crate::config::Config;
use crate::db::{self, Database};
use crate::error::Result;
use crate::ground::{self, Ground};
use crate::model::Node;
use crate::subscription::offline::{offline_objects, sequence_numbers};

/// The SQL, as one transaction for `psql -f`: the objects, which are the same for all, and the numbers of the sequences
/// of this node.
pub async fn offline_sql(config: &Config, node: &Node) -> Result<String> {
    // A node that is not registered yet has no sequences.
    let list = Ground::read(&config.paths, ground::registry(&config.paths)?, node)?.list().cloned();
    let session = Database::new(&config.database, &config.cluster).connect().await?;
    let objects = offline_objects(&config.cluster, &db::text_style(&session).await?);
    let numbers = db::sequence_numbers(&session, &config.cluster).await?;
    let numbers = sequence_numbers(&config.cluster, &numbers, &list.unwrap_or_default());
    Ok(format!(
        "\\set ON_ERROR_STOP on\n-- offline objects for {node}\nstart transaction;\n{objects}{numbers}commit;\n"
    ))
}
