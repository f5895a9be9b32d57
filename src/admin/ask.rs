//! `subscribe`: the operator asks in the place of a site.

use std::fmt;

use serde::Serialize;

use crate::access::Access;
use crate::config::Config;
use crate::db::{self, Database, Replication};
use crate::disk;
use crate::error::{Error, Result};
use crate::ground::{self, Ground};
use crate::model::{Node, Series};
use crate::protocol::{Event, Kind, Request, Stem, TriggerFile};
use crate::subscription::decide::{UpdatePlan, admit, listed};

/// Whether series come or go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// They come.
    Subscribe,
    /// They go.
    Unsubscribe,
}

/// A request that lies in the drop directory.
#[derive(Debug, Serialize)]
pub struct Asked {
    node: String,
    changed: bool,
    request: String,
    /// The answer that the site waits for, and where it says how it went.
    answer: String,
    word: String,
    running: bool,
    #[serde(skip)]
    wish: Wish,
}

/// Drops a request for the node. What the manager would refuse is refused at once, and nothing is dropped.
pub async fn ask(config: &Config, node: &Node, series: &[Series], wish: Wish) -> Result<Asked> {
    let verb = match wish {
        Wish::Subscribe => "subscribe",
        Wish::Unsubscribe => "unsubscribe",
    };
    let lines: String = series.iter().map(|series| format!("{series} {verb}\n")).collect();
    let text = format!("node {node}\n{lines}end\n");
    let request = Request::parse(text.as_bytes()).map_err(|fault| Error::Fatal(fault.to_string()))?;
    let ground = Ground::read(&config.paths, ground::registry(&config.paths)?, node)?;
    let plan = refusal(config, node, &ground, &request).map_err(Error::Fatal)?;
    if wish == Wish::Subscribe {
        let session = Database::new(&config.database, &config.cluster).connect().await?;
        check_series(config, &session, &plan.added).await?;
    }
    if plan.added.is_empty() && plan.removed.is_empty() {
        return Err(Error::Fatal(format!("{node} has all of them already: there is nothing to ask for")));
    }
    let file = TriggerFile { node: node.clone(), stem: Stem::Document, kind: Kind::Request };
    let what = format!("asks for {node}: {verb} {}", listed(series));
    super::audit::once(config, Some(node), Event::Subscribe, &what)()?;
    disk::write(&config.paths.triggerdir.join(file.to_string()), text.as_bytes())?;
    let of = |kind| TriggerFile { kind, ..file.clone() }.to_string();
    Ok(Asked {
        node: node.to_string(),
        changed: true,
        request: file.to_string(),
        answer: of(Kind::SqlDone),
        word: of(Kind::SqlApplied),
        running: disk::Lock::holder(&config.paths.instance_lock())?.is_some(),
        wish,
    })
}

/// What the files say against it.
fn refusal(config: &Config, node: &Node, ground: &Ground, request: &Request) -> Result<UpdatePlan, String> {
    let waiting =
        Stem::ALL.into_iter().any(|stem| disk::exists(&config.paths.trigger(node, stem, Kind::Request)));
    if waiting || ground.open.is_some() {
        return Err(format!(
            "a request of {node} is open, and this one would take its place: wait for its end, or `subscription_manager cancel {node}`"
        ));
    }
    if let Some(stopped) = &ground.stopped {
        return Err(format!(
            "the logs of {node} stop before archive {} ({}): see `subscription_manager show {node}`",
            stopped.before,
            stopped.word()
        ));
    }
    let plan = UpdatePlan::new(request, ground.list())?;
    if ground.list().is_none() {
        admit(node, Stem::Document, &ground.registry)?;
    }
    let (access, fault) = Access::load_to_look(config);
    if let Some(fault) = fault {
        return Err(fault);
    }
    access
        .may_speak(node, disk::own_number())
        .map_err(|fault| format!("a request of yours would not count: {fault}"))?;
    match access.denied(node, &plan.added).as_slice() {
        [] => Ok(plan),
        denied => Err(format!("`access_file` does not let {node} have {}", listed(denied.iter().copied()))),
    }
}

/// Fails if series cannot be subscribed, and names all of them.
async fn check_series(config: &Config, session: &db::Session, series: &[Series]) -> Result<()> {
    let database = Database::new(&config.database, &config.cluster);
    let states = db::replication(&database, session, series).await?;
    let mut reasons = Vec::new();
    for (state, what) in
        [(Replication::Unknown, "there is no table"), (Replication::NotReplicated, "not replicated")]
    {
        let those: Vec<_> =
            series.iter().zip(&states).filter(|(_, is)| **is == state).map(|(one, _)| one).collect();
        if !those.is_empty() {
            reasons.push(format!("{what}: {}", listed(those)));
        }
    }
    match reasons.as_slice() {
        [] => Ok(()),
        reasons => Err(Error::Fatal(format!(
            "{}; `subscription_manager series` shows what there is",
            reasons.join("; ")
        ))),
    }
}

/// What follows, for the one who has to tell the site.
impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { node, request, answer, word, .. } = self;
        writeln!(
            f,
            "`{request}` lies in the drop directory; `subscription_manager show {node}` tells how far it is"
        )?;
        if !self.running {
            writeln!(f, "the manager does not run: start it, and it takes the request")?;
        }
        write!(
            f,
            "the site waits for `{answer}`, applies the files that it names, and drops `{word}` with a line `success true` or `success false`"
        )?;
        // Until the request has ended, logs after the cut still hold rows of them.
        if self.wish == Wish::Unsubscribe {
            write!(
                f,
                "; it drops the tables only after the end, when it has applied its logs past the cut that was named"
            )?;
        }
        writeln!(f)
    }
}
