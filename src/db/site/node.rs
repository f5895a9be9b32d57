//! Which node this database is: `site_node`, written with its place in the stream. Without a place it means nothing.

use super::SiteDatabase;
use crate::error::{Result, Tried};
use crate::model::Node;

impl SiteDatabase {
    /// The node whose logs are applied here; `None`: nobody has noted it, or the role may not know.
    pub async fn node(&self) -> Result<Option<String>> {
        const MAY_READ: &str =
            "select coalesce(pg_catalog.has_table_privilege(pg_catalog.to_regclass($1), 'SELECT'), false)";
        let (client, table) = (self.session.client(), self.node_table());
        let may_read = client.query_one(MAY_READ, &[&table]).await;
        if !may_read.tried("look for site_node")?.get::<_, bool>(0) {
            return Ok(None);
        }
        let query = format!("select node from {table} order by noted desc limit 1");
        let row = client.query_opt(&query, &[]).await.tried("read site_node")?;
        Ok(row.map(|row| row.get(0)))
    }

    /// Notes, in the transaction that is open and brings the place in the stream, whose logs are applied here.
    pub async fn note_node(&self, node: &Node) -> Result<()> {
        let (client, table) = (self.session.client(), self.node_table());
        // A NetDRMS server does not make it.
        let make = format!(
            "create table if not exists {table} (node text not null, noted timestamptz not null default now()); \
             delete from {table}"
        );
        client.batch_execute(&make).await.tried("make site_node")?;
        let insert = format!("insert into {table} (node) values ($1)");
        client.execute(&insert, &[&node.as_str()]).await.map(drop).tried("write site_node")
    }

    /// Notes it where nobody has. The table comes with the offline objects, and belongs to their owner: it is not made.
    pub async fn learn_node(&self, node: &Node) -> Result<()> {
        let (client, table) = (self.session.client(), self.node_table());
        let there = client.query_one("select pg_catalog.to_regclass($1) is not null", &[&table]).await;
        if !there.tried("look for site_node")?.get::<_, bool>(0) {
            return Ok(());
        }
        let insert = format!("insert into {table} (node) select $1 where not exists (select from {table})");
        client.execute(&insert, &[&node.as_str()]).await.map(drop).tried("write site_node")
    }

    fn node_table(&self) -> String {
        format!("{}.site_node", self.schema())
    }
}
