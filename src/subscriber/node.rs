//! Whether the site's database is the node of the configuration. With another's node a site would apply the other's logs,
//! which fit as long as they are of series that it has too, and acknowledge them.

use super::SiteConfig;
use crate::db::site::SiteDatabase;
use crate::error::{Error, Result};
use crate::model::{Node, Series, quote_literal};

/// Refuses a database that was subscribed as another node. One that has no place in the stream is nobody's; of one that
/// does not know its node the configuration is believed.
pub(super) async fn check(config: &SiteConfig, database: &SiteDatabase) -> Result<()> {
    let Some(known) = database.node().await? else { return Ok(()) };
    if known == config.node.as_str() || database.place().await?.is_none() {
        return Ok(());
    }
    Err(Error::WrongDatabase(explain(&known, &config.node, &config.database.dbname, &database.schema())))
}

/// What is wrong, and what to do.
fn explain(known: &str, node: &Node, database: &str, schema: &str) -> String {
    let literal = quote_literal(node.as_str());
    format!(
        "the database {database} was subscribed as the node {known}, and `node` is {node}: nothing is applied, asked for or \
         acknowledged; set `node` and `pg_dbname` right; if the data centre has renamed the node, tell the database: update \
         {schema}.site_node set node = {literal};"
    )
}

/// Whether the series that the data centre has for a node are those that this database is subscribed to. Then its logs are
/// the ones to be applied here.
pub(super) fn is_the_same(there: &[Series], here: &[Series]) -> bool {
    let holds = |all: &[Series], some: &[Series]| some.iter().all(|series| all.contains(series));
    !there.is_empty() && holds(there, here) && holds(here, there)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_do_is_told() {
        let told = explain("nso", &"kis".parse().unwrap(), "mydb", "\"_jsoc\"");
        for part in ["mydb was subscribed as the node nso", "update \"_jsoc\".site_node set node = 'kis';"] {
            assert!(told.contains(part), "{told}");
        }
    }

    #[test]
    fn a_node_is_known_by_all_of_its_series() {
        let series =
            |names: &[&str]| -> Vec<Series> { names.iter().map(|name| name.parse().unwrap()).collect() };
        for (there, here, expected) in [
            (&["a.a", "a.b"][..], &["a.b", "a.a"][..], true),
            (&["a.a"], &["a.a", "a.b"], false),
            (&["a.a", "a.b"], &["a.a"], false),
            (&["a.a"], &[], false),
            (&[], &[], false),
        ] {
            assert_eq!(is_the_same(&series(there), &series(here)), expected, "{there:?} {here:?}");
        }
    }
}
