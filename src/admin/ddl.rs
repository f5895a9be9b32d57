//! `ddl`: an operator's word on statements that could not be routed.

use crate::config::Config;
use crate::disk::{self, Lock};
use crate::error::{Error, Result};
use crate::ground::{self, Ground, read};
use crate::model::{Counter, Node};
use crate::protocol::{Decision, Decisions, Event, Stopped, Why};

/// Writes the decision down. The splitter takes it at its next round, and lets the node go on.
pub async fn ddl(config: &Config, node: &Node, counter: Counter, decision: Decision) -> Result<String> {
    let _hold = Lock::wait(&config.paths.hold()).await?;
    ground::put_on_disk(&config.paths)?;
    let ground = Ground::read(&config.paths, ground::registry(&config.paths)?, node)?;
    let refused = |reason: String| Err(Error::Fatal(reason));
    match &ground.stopped {
        // One whose first request is open may have stopped, too; this one is mistyped.
        None if ground.registry.find(node.as_str()).is_none() => {
            return Err(super::known::unknown(&ground.registry, node));
        }
        None => return refused(format!("the logs of {node} have not stopped: there is nothing to decide")),
        Some(Stopped { before, why: Some(Why::Fault(fault)) }) => {
            return refused(format!(
                "the logs of {node} wait before archive {before} for something else: {fault}: there is nothing to decide"
            ));
        }
        Some(stopped) if stopped.is_paused() => {
            return refused(format!(
                "{node} is paused: there is nothing to decide before `subscription_manager resume {node}`"
            ));
        }
        Some(stopped) if stopped.why.is_none() => {
            return refused(format!(
                "the logs of {node} catch up from archive {}: there is nothing to decide",
                stopped.before
            ));
        }
        Some(stopped) if stopped.before != counter => {
            return refused(format!(
                "the logs of {node} stopped before archive {}, not {counter}",
                stopped.before
            ));
        }
        Some(_) => {}
    }
    let mut decisions = read(&ground.site.decisions, Decisions::parse)?.unwrap_or_default();
    decisions.decide(counter, decision);
    let verb = match decision {
        Decision::Send => "sent to",
        Decision::Skip => "skipped for",
    };
    let what = format!("what could not be routed in archive {counter} is {verb} {node}");
    super::audit::once(config, Some(node), Event::Ddl, &what)()?;
    disk::write(&ground.site.decisions, &decisions.write())?;
    Ok(format!(
        "what could not be routed in archive {counter} is {verb} {node}; its logs go on with the next round\n"
    ))
}
