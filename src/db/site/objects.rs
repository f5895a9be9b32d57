//! Which offline objects a site has.

use super::SiteDatabase;
use crate::error::{Result, Tried};

/// What applies the rows of a site log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OfflineObjects {
    /// Ours: `site_log_offline` is there.
    pub are_ours: bool,
    /// A trigger of `sl_log_archive` fires in an ordinary session. That of `slony1_dump.sh` does not: there rows would be
    /// kept in `sl_log_archive`, while the counter rises.
    pub take_rows: bool,
    /// PostgreSQL knows generated columns: it is of version 12 or later.
    pub since_12: bool,
}

const QUERY: &str = "select pg_catalog.to_regprocedure($1 || '.site_log_offline(int4)') is not null, \
    exists (select from pg_catalog.pg_trigger t where t.tgrelid = pg_catalog.to_regclass($1 || '.sl_log_archive') \
        and t.tgenabled in ('A', 'O') and not t.tgisinternal), \
    pg_catalog.current_setting('server_version_num')::int4 >= 120000";

impl SiteDatabase {
    /// Looks for them.
    pub async fn offline_objects(&self) -> Result<OfflineObjects> {
        let row = self.session.client().query_one(QUERY, &[&self.schema()]).await;
        let row = row.tried("look for the offline objects")?;
        Ok(OfflineObjects { are_ours: row.get(0), take_rows: row.get(1), since_12: row.get(2) })
    }
}
