//! The changes of one log, made in order: directly where that leaves the same, else by the trigger of `sl_log_archive`.

use std::collections::HashMap;

use bytes::Bytes;

use super::change::Change;
use super::drift::{Drift, describe};
use super::frame::Frame;
use super::gather::Gathered;
use super::plan::{Plan, plan};
use super::statements::Statements;
use super::taker::Taker;
use crate::db::site::{OfflineObjects, SiteDatabase, SiteTable, change, feed_copy};
use crate::error::Result;
use crate::spelling::fault::excerpt;
use crate::spelling::legacy::Verb;
use crate::spelling::row::{Command, Row, names_of};
use crate::subscriber::OnDrift;

/// Bytes of rows for the trigger that are gathered at most.
const ROOM: usize = 1 << 20;

/// Kinds of changes that are remembered at most.
const KINDS: usize = 10_000;

/// What a log is applied with.
pub(super) struct Setting<'a> {
    pub(super) frame: &'a Frame,
    pub(super) database: &'a SiteDatabase,
    pub(super) statements: &'a mut Statements,
    pub(super) on_drift: OnDrift,
    /// `None`: they are not ours, and everything goes through them.
    pub(super) objects: Option<OfflineObjects>,
    pub(super) is_utf8: bool,
}

/// The changes of one log.
pub(super) struct Changes<'a> {
    setting: Setting<'a>,
    /// What is known of the tables. A log knows them anew: between two logs the site may have changed them.
    tables: HashMap<Vec<u8>, SiteTable>,
    plans: HashMap<Vec<u8>, Plan>,
    change: Change,
    gathered: Gathered,
    /// Rows for the trigger, and whether a script is among them.
    rows: Vec<u8>,
    has_script: bool,
    /// The COPY that they stand behind.
    copy: Vec<u8>,
    /// Whether a script or the like may have changed the session.
    pub(super) is_touched: bool,
    /// Rows that were changed.
    pub(super) count: u64,
    pub(super) drift: Drift,
}

impl<'a> Changes<'a> {
    /// None yet.
    pub(super) fn new(setting: Setting<'a>) -> Self {
        Self {
            setting,
            tables: HashMap::new(),
            plans: HashMap::new(),
            change: Change::empty(),
            gathered: Gathered::default(),
            rows: Vec::new(),
            has_script: false,
            copy: Vec::new(),
            is_touched: false,
            count: 0,
            drift: Drift::default(),
        }
    }

    /// A change has met no row.
    fn drifted(&mut self, describe: impl Fn() -> String) -> Result<()> {
        if self.setting.on_drift == OnDrift::Stop {
            return Err(self.setting.frame.stopped(&format!("{} (on_drift = stop)", describe())));
        }
        self.drift.add(describe);
        Ok(())
    }

    /// What is known of the tables may not hold any longer.
    fn forget(&mut self) {
        self.is_touched = true;
        self.tables.clear();
        self.plans.clear();
        self.setting.statements.forget();
    }

    async fn plan(&mut self, change: &Change, is_strict: bool) -> Result<Plan> {
        let Some(objects) = self.setting.objects else { return Ok(Plan::Rows) };
        if let Some(plan) = self.plans.get(&change.kind) {
            return Ok(plan.clone());
        }
        let only_ascii = !self.setting.is_utf8;
        let (schema, name) = names_of(&change.series);
        let is_known = self.tables.contains_key(&change.series);
        if !is_known && (schema.is_ascii() && name.is_ascii() || !only_ascii) {
            let table = self.setting.database.table(&schema, &name, objects.since_12).await?;
            self.tables.insert(change.series.clone(), table.unwrap_or_default());
        }
        let plan = match self.tables.get(&change.series) {
            Some(table) => plan(change, table, only_ascii, is_strict),
            None => Plan::Rows,
        };
        if self.plans.len() >= KINDS {
            self.plans.clear();
        }
        self.plans.insert(change.kind.clone(), plan.clone());
        Ok(plan)
    }
}

impl Taker for Changes<'_> {
    async fn begin_rows(&mut self, copy: &[u8]) -> Result<()> {
        self.flush().await?;
        self.copy = copy.to_vec();
        Ok(())
    }

    async fn row(&mut self, line: &[u8], row: &Row<'_>) -> Result<()> {
        self.count += 1;
        if self.has_script {
            // It may be DDL, also on the table of the next row.
            self.flush().await?;
        }
        let mut change = std::mem::replace(&mut self.change, Change::empty());
        let is_change = change.read_row(row);
        let plan = if is_change { self.plan(&change, false).await? } else { Plan::Rows };
        match plan {
            Plan::Nothing => {}
            Plan::Direct(direct) => {
                if !self.rows.is_empty() || !self.gathered.has_room_for(&direct) {
                    self.flush().await?;
                }
                self.gathered.add(&direct, &change);
            }
            Plan::Rows => {
                if !self.gathered.is_empty() || self.rows.len() > ROOM {
                    self.flush().await?;
                }
                self.rows.extend_from_slice(line);
                self.rows.push(b'\n');
                self.has_script |= row.command() != Command::Change;
            }
        }
        self.change = change;
        Ok(())
    }

    async fn statement(&mut self, statement: &[u8]) -> Result<()> {
        let mut change = std::mem::replace(&mut self.change, Change::empty());
        let is_change = change.read_statement(statement);
        let plan = if is_change { self.plan(&change, true).await? } else { Plan::Rows };
        if let Plan::Direct(direct) = &plan {
            if !self.gathered.has_room_for(direct) {
                self.flush().await?;
            }
            self.gathered.add(direct, &change);
            self.count += 1;
        } else {
            self.flush().await?;
            let changed = self::change(self.setting.database.session(), statement).await?;
            self.count += changed;
            let may_turn_away = self.tables.get(&change.series).is_some_and(|table| table.may_turn_away);
            if is_change && change.verb != Verb::Insert && changed == 0 && !may_turn_away {
                self.drifted(|| format!("`{}` meets no row", excerpt(statement)))?;
            }
        }
        self.change = change;
        Ok(())
    }

    async fn other(&mut self, statement: &[u8], may_be_ddl: bool) -> Result<()> {
        self.flush().await?;
        if may_be_ddl {
            self.forget();
        }
        change(self.setting.database.session(), statement).await.map(|_| ())
    }

    async fn copy(&mut self, statement: &[u8], rows: impl FnMut() -> Result<Option<Bytes>>) -> Result<()> {
        self.flush().await?;
        self.count += feed_copy(self.setting.database.session(), statement, rows).await?;
        Ok(())
    }

    async fn flush(&mut self) -> Result<()> {
        let session = self.setting.database.session();
        let groups = self.gathered.take();
        for (group, row) in self.setting.statements.make(session, &groups).await? {
            if let Some(group) = groups.get(group) {
                self.drifted(|| describe(group, row))?;
            }
        }
        if !self.rows.is_empty() {
            let mut rows = Some(Bytes::from(std::mem::take(&mut self.rows)));
            feed_copy(session, &self.copy, || Ok(rows.take())).await?;
        }
        if self.has_script {
            self.has_script = false;
            self.forget();
        }
        Ok(())
    }
}
