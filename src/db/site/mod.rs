//! The database of a remote site: where it stands in the stream of logs, and SQL as psql would run it.

mod bulk;
mod feed;
mod node;
mod objects;
mod subscriptions;
mod tables;
mod transaction;

pub use bulk::{Literal, Pipeline, numbers, prepare};
pub use feed::{change, feed_copy, feed_statement};
pub use objects::OfflineObjects;
pub use subscriptions::{SiteRequest, Standing};
pub use tables::{SiteColumn, SiteTable};
pub use tokio_postgres::Statement;
pub use transaction::{Transaction, roll_back};

use super::Session;
use super::connect::open;
use crate::config::DatabaseConfig;
use crate::error::{Result, Tried};
use crate::model::{Counter, quote_identifier};

/// What a session must not inherit. Unlike at the data centre, the search path stays: the site's triggers, defaults and
/// types want it. NULLs in arrays are NULLs. A commit is waited for unless we say otherwise; whoever waits for more (`remote_apply`) goes on to.
const SETTINGS: &str = "\
    set client_encoding = 'UTF8'; set standard_conforming_strings = on; set statement_timeout = 0; \
    set idle_in_transaction_session_timeout = 0; set client_min_messages = warning; \
    set array_nulls = on; \
    select pg_catalog.set_config('synchronous_commit', 'on', false) \
        where pg_catalog.current_setting('synchronous_commit') = 'off'";

/// A session with the database of a remote site.
pub struct SiteDatabase {
    session: Session,
    cluster: String,
}

impl SiteDatabase {
    /// Connects as `application`, which the server shows.
    pub async fn connect(config: &DatabaseConfig, cluster: &str, application: &str) -> Result<Self> {
        let session = open(config, application, SETTINGS).await?.driven();
        Ok(Self { session, cluster: cluster.to_owned() })
    }

    /// The session.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// The cluster's name.
    pub fn cluster(&self) -> &str {
        &self.cluster
    }

    /// Makes the session as it was when it connected: a script of the origin may have set what it liked.
    pub async fn renew(&self) -> Result<()> {
        // Not `discard all`: prepared statements are the driver's, locks and the like the caller's.
        let sql =
            format!("set session authorization default; reset all; close all; discard temp; {SETTINGS}");
        self.session.client().batch_execute(&sql).await.tried("renew the session")
    }

    /// The cluster's schema for SQL: `"_jsoc"`.
    pub fn schema(&self) -> String {
        quote_identifier(&format!("_{}", self.cluster))
    }

    /// The last log that was applied; `None` if this database has no place in the stream.
    pub async fn place(&self) -> Result<Option<Counter>> {
        let client = self.session.client();
        let table = format!("{}.sl_archive_tracking", self.schema());
        let there = client.query_one("select to_regclass($1) is not null", &[&table]).await;
        if !there.tried("look for sl_archive_tracking")?.get::<_, bool>(0) {
            return Ok(None);
        }
        let row = client.query_opt(&format!("select at_counter from {table}"), &[]).await;
        let row = row.tried("read sl_archive_tracking")?;
        Ok(row.and_then(|row| row.get::<_, Option<i64>>(0)).and_then(Counter::from_database))
    }

    /// When it returns, everything that was committed before is on disk, whatever the commits themselves waited for.
    pub async fn harden(&self) -> Result<()> {
        // A change, for a transaction without any is not waited for.
        let sql = format!(
            "begin; set local synchronous_commit = on; \
             update {}.sl_archive_tracking set at_applied = at_applied; commit",
            self.schema()
        );
        let hardened = self.session.client().batch_execute(&sql).await;
        if hardened.is_err() {
            // What went wrong first is what counts; the session must not stay in the transaction.
            drop(roll_back(&self.session).await);
        }
        hardened.tried("put the logs' transactions on disk")
    }
}
