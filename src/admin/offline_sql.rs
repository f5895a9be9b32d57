//! `offline-sql`: the replication objects for a site that other tools have set up.

use crate::config::Config;
use crate::db::{self, Database};
use crate::error::Result;
use crate::model::Node;
use crate::subscription::offline::offline_objects;

/// The SQL, as one transaction for `psql -f`. The node is only named in it: the objects are the same for all.
pub async fn offline_sql(config: &Config, node: &Node) -> Result<String> {
    let database = Database::new(&config.database, &config.cluster);
    let encoding = db::encoding(&database.connect().await?).await?;
    let objects = offline_objects(&config.cluster, &encoding);
    Ok(format!(
        "\\set ON_ERROR_STOP on\n-- offline objects for {node}\nstart transaction;\n{objects}commit;\n"
    ))
}
