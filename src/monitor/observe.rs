//! Asking the servers how they are, all at the same time, and writing the heartbeats of the primaries.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::task::JoinSet;

use super::decide::{Sight, kept_heartbeat};
use crate::config::MonitorConfig;
use crate::db::{self, Session};
use crate::error::{Error, Result};
use crate::model::{Address, Beat, Moment};
use crate::protocol::watched::{Place, Watched};

/// Whether a look leaves anything at the servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Write {
    /// Every primary is given its heartbeat.
    Heartbeats,
    /// It is only tried whether they would take one.
    Nothing,
}

/// What was seen at one look.
pub(super) struct Seen {
    /// In the order of the servers.
    pub sights: Vec<Sight>,
    /// The sessions with primaries whose heartbeat follows from the decision.
    waiting: HashMap<usize, Arc<Session>>,
    /// The heartbeats that were written.
    written: HashMap<usize, Beat>,
}

/// What a primary is asked to do when it says that it is one.
enum Demand {
    /// It was one before: its heartbeat does not depend on what is seen of others, and is written at once. So each server has one
    /// limit for all that it has to do, and the silent ones keep no standby waiting for the heartbeat of its primary.
    Write(Beat),
    /// Its cluster follows from the decision. That it takes writes is known before.
    Try(Beat),
}

/// What a server has answered.
struct Answer {
    sight: Sight,
    written: Option<Beat>,
    session: Option<Session>,
}

/// Asks all servers. It takes as long as the slowest one may: one that takes a connection and says nothing is given up like one
/// that takes none.
pub(super) async fn look(config: &Arc<MonitorConfig>, previous: &Watched, now: Moment, how: Write) -> Seen {
    let unasked = || Sight::Away("it was not asked".into());
    let sights = config.servers.iter().map(|_| unasked()).collect();
    let mut seen = Seen { sights, waiting: HashMap::new(), written: HashMap::new() };
    let mut asked = JoinSet::new();
    for (at, server) in config.servers.iter().cloned().enumerate() {
        let demand = match kept_heartbeat(previous, at, now).filter(|_| how == Write::Heartbeats) {
            Some(beat) => Demand::Write(beat),
            None => Demand::Try(Beat { cluster: -1, primary: server.to_string(), at: now }),
        };
        let config = config.clone();
        asked.spawn(async move { (at, within(&config, ask(&config, &server, demand)).await) });
    }
    while let Some(answer) = asked.join_next().await {
        match answer {
            Ok((at, Ok(Answer { sight, written, session }))) => {
                seen.sights[at] = sight;
                seen.written.extend(written.map(|beat| (at, beat)));
                seen.waiting.extend(session.map(|session| (at, Arc::new(session))));
            }
            Ok((at, Err(error))) => seen.sights[at] = Sight::Away(error.chain()),
            Err(broke) => tracing::error!(%broke, "the question to a server broke"),
        }
    }
    seen
}

async fn ask(config: &MonitorConfig, server: &Address, demand: Demand) -> Result<Answer> {
    let session = db::connect_for_heartbeat(&config.database_at(server), config.connect_timeout).await?;
    if db::is_standby(&session, &config.standby_statement).await? {
        let sight = Sight::Standby(db::read_heartbeat(&session).await?);
        return Ok(Answer { sight, written: None, session: None });
    }
    let sight = Sight::Primary;
    match demand {
        Demand::Write(beat) => {
            db::write_heartbeat(&session, &beat).await?;
            Ok(Answer { sight, written: Some(beat), session: None })
        }
        Demand::Try(beat) => {
            db::try_heartbeat(&session, &beat).await?;
            Ok(Answer { sight, written: None, session: Some(session) })
        }
    }
}

impl Seen {
    /// Writes the heartbeats that the next state says and that are not written yet, at all these primaries at the same time. Returns
    /// those that did not take theirs, and why.
    pub(super) async fn write(
        &mut self,
        config: &Arc<MonitorConfig>,
        next: &Watched,
    ) -> Vec<(usize, String)> {
        let mut writing = JoinSet::new();
        for (at, server) in next.servers.iter().enumerate() {
            let (Place::Primary(_), Some(beat)) = (server.place, server.beat.clone()) else { continue };
            if self.written.get(&at) == Some(&beat) {
                continue;
            }
            let (config, session) = (config.clone(), self.waiting.get(&at).cloned());
            writing.spawn(async move { (at, within(&config, write(session, &beat)).await.map(|()| beat)) });
        }
        let mut failed = Vec::new();
        while let Some(done) = writing.join_next().await {
            match done {
                Ok((at, Ok(beat))) => drop(self.written.insert(at, beat)),
                Ok((at, Err(error))) => failed.push((at, error.chain())),
                Err(broke) => tracing::error!(%broke, "the heartbeat of a server broke"),
            }
        }
        failed
    }
}

async fn write(session: Option<Arc<Session>>, beat: &Beat) -> Result<()> {
    let session = session.ok_or_else(|| Error::Stopped("there is no session for the heartbeat".into()))?;
    db::write_heartbeat(&session, beat).await
}

async fn within<T>(config: &MonitorConfig, work: impl Future<Output = Result<T>>) -> Result<T> {
    let limit = config.connect_timeout;
    let silent = |_| Err(Error::Silent(format!("it does not answer within {} s", limit.as_secs_f64())));
    tokio::time::timeout(limit, work).await.unwrap_or_else(silent)
}
