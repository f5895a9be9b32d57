//! How far the archives are true: slon names one before its transaction commits.

use async_trait::async_trait;

use super::plan::Numbers;
use crate::db::{self, Database, Session};
use crate::error::Result;
use crate::model::{Counter, SlonyNode};

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
    session: Option<Session>,
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
    pub fn new(database: Database) -> Self {
        Self { database, session: None }
    }

    async fn session(&mut self) -> Result<&Session> {
        let session = match self.session.take() {
            Some(session) if !session.client().is_closed() => session,
            _ => self.database.connect().await?,
        };
        Ok(self.session.insert(session))
    }
}

#[async_trait]
impl Gate for Committed {
    async fn committed(&mut self) -> Result<Counter> {
        let database = self.database.clone();
        database.committed(self.session().await?).await
    }

    async fn slony_node(&mut self) -> Result<SlonyNode> {
        let database = self.database.clone();
        database.local_node(self.session().await?).await
    }

    async fn numbers(&mut self) -> Result<Option<Numbers>> {
        let cluster = self.database.cluster().to_owned();
        db::sequence_numbers(self.session().await?, &cluster).await.map(Some)
    }

    async fn may_be_empty(&mut self) -> Result<bool> {
        let database = self.database.clone();
        db::commits_before_it_writes(&database, self.session().await?).await
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
