//! How far the archives are true: slon names one before its transaction commits.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::timeout;

use super::plan::Numbers;
use crate::db::{self, Confirmations, Database, Session};
use crate::error::{Error, Result};
use crate::ground;
use crate::model::{Counter, SlonyNode};
use crate::paths::Paths;

/// What is asked here takes milliseconds. A server that stands still, or something between that swallows what is sent, may
/// keep the line alive and never answer.
const SILENCE: Duration = Duration::from_secs(60);

/// Who says how far the archives are true.
#[async_trait]
pub trait Gate: Send {
    /// The last archive that may be split.
    async fn committed(&mut self) -> Result<Counter>;
    /// The Slony node whose archives these are.
    async fn slony_node(&mut self) -> Result<SlonyNode>;
    /// The numbers by which old archives call sequences; `None`: nobody is there to be asked.
    async fn numbers(&mut self) -> Result<Option<Numbers>>;
    /// Whether an archive that is missing may be one that slon committed and never wrote.
    async fn may_be_empty(&mut self) -> Result<bool>;
}

/// The log-shipping node's database says it; asked over one connection, made again when it breaks.
pub struct Committed {
    database: Database,
    paths: Paths,
    session: Option<Session>,
    /// The system identifier of the server that the session is with.
    system: Option<i64>,
}

/// The operator says it; no database is asked.
pub struct Vouched {
    /// Up to here.
    pub until: Counter,
    /// By this node.
    pub node: SlonyNode,
}

impl Committed {
    /// Nothing is connected yet.
    pub fn new(database: Database, paths: &Paths) -> Self {
        Self { database, paths: paths.clone(), session: None, system: None }
    }

    /// Remembers the server: what it says of the counter fits to what was split.
    pub fn remember(&self) -> Result<()> {
        ground::remember_system(&self.paths, self.system)
    }

    /// What slon has applied from these events on, by Slony node.
    pub(super) async fn confirmations(&mut self, since: &BTreeMap<u64, u64>) -> Result<Confirmations> {
        self.ask(async |database, session| db::confirmations(database, session, since).await).await
    }

    /// Asks a question. Where no answer comes, the next one is asked by another session.
    async fn ask<T>(&mut self, question: impl AsyncFnOnce(&Database, &Session) -> Result<T>) -> Result<T> {
        let database = self.database.clone();
        let answer = timeout(SILENCE, async { question(&database, self.session().await?).await }).await;
        answer.unwrap_or_else(|_| {
            self.session = None;
            Err(Error::Silent(format!("the database is silent for {} s", SILENCE.as_secs())))
        })
    }

    async fn session(&mut self) -> Result<&Session> {
        let session = match self.session.take() {
            Some(session) if !session.is_closed() => session,
            _ => {
                // Another server may be behind the address by now; while a session lives it is the same.
                let session = self.database.connect().await?;
                self.system = self.database.system_identifier(&session).await?;
                ground::check_system(&self.paths, self.system)?;
                session
            }
        };
        Ok(self.session.insert(session))
    }
}

#[async_trait]
impl Gate for Committed {
    async fn committed(&mut self) -> Result<Counter> {
        self.ask(async |database, session| database.committed(session).await).await
    }

    async fn slony_node(&mut self) -> Result<SlonyNode> {
        self.ask(async |database, session| database.local_node(session).await).await
    }

    async fn numbers(&mut self) -> Result<Option<Numbers>> {
        let asked = async |database: &Database, session: &Session| {
            db::sequence_numbers(session, database.cluster()).await.map(Some)
        };
        self.ask(asked).await
    }

    async fn may_be_empty(&mut self) -> Result<bool> {
        self.ask(async |database, session| db::commits_before_it_writes(database, session).await).await
    }
}

#[async_trait]
impl Gate for Vouched {
    async fn committed(&mut self) -> Result<Counter> {
        Ok(self.until)
    }

    async fn slony_node(&mut self) -> Result<SlonyNode> {
        Ok(self.node)
    }

    async fn numbers(&mut self) -> Result<Option<Numbers>> {
        Ok(None)
    }

    async fn may_be_empty(&mut self) -> Result<bool> {
        Ok(true)
    }
}
