//! `ddl`: an operator's word on statements that could not be routed.

use crate::config::Config;
use crate::disk::{self, Lock};
use crate::error::{Error, Result};
use crate::ground::{self, Ground, read};
use crate::logs::Splitter;
use crate::model::{Counter, Node};
use crate::protocol::{Decision, Decisions, Event, Stopped, Why};

/// Writes the decision down. The splitter takes it at its next round, and lets the node go on. Of an archive that the node has had,
/// what was sent can still be skipped.
pub async fn ddl(config: &Config, node: &Node, counter: Counter, decision: Decision) -> Result<String> {
    let hold = Lock::wait(&config.paths.hold()).await?;
    ground::put_on_disk(&config.paths)?;
    let ground = Ground::read(&config.paths, ground::registry(&config.paths)?, node)?;
    if decision == Decision::Skip
        && let Some(splitter) = Splitter::new(config)
        && has_had(&splitter, &ground, node, counter)?
    {
        drop(hold);
        return afterwards(config, node, counter, &splitter).await;
    }
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
    let verb = if decision == Decision::Send { "sent to" } else { "skipped for" };
    let what = format!("what could not be routed in archive {counter} is {verb} {node}");
    write_down(config, node, counter, decision, &what)?;
    Ok(format!("{what}; its logs go on with the next round\n"))
}

/// Under the hold.
fn write_down(config: &Config, node: &Node, counter: Counter, decision: Decision, what: &str) -> Result<()> {
    let ground = Ground::read(&config.paths, ground::registry(&config.paths)?, node)?;
    let mut decisions = read(&ground.site.decisions, Decisions::parse)?.unwrap_or_default();
    decisions.decide(counter, decision);
    super::audit::once(config, Some(node), Event::Ddl, what)()?;
    disk::write(&ground.site.decisions, &decisions.write())
}

/// Whether the node has had its part of an archive.
fn has_had(splitter: &Splitter, ground: &Ground, node: &Node, counter: Counter) -> Result<bool> {
    if ground.registry.find(node.as_str()).is_none() {
        return Ok(false);
    }
    Ok(match &ground.stopped {
        Some(stopped) => counter < stopped.before,
        None => splitter.counter()?.is_some_and(|split| counter <= split),
    })
}

/// A statement that was sent, and cannot be applied by the site: its log is made again, without any statement of a script. Which
/// of several it was, nobody can tell here.
async fn afterwards(config: &Config, node: &Node, counter: Counter, splitter: &Splitter) -> Result<String> {
    let slony_node = super::resplit::slony_node(config, splitter).await?;
    if !splitter.has_script(counter, slony_node).await? {
        return Err(Error::Fatal(format!(
            "archive {counter}, of which {node} has its part, has no statement of a script for a site: there is nothing to skip"
        )));
    }
    let what = format!("every statement of a script in archive {counter} is skipped for {node}");
    {
        let _hold = Lock::wait(&config.paths.hold()).await?;
        write_down(config, node, counter, Decision::SkipScripts, &what)?;
    }
    let made = super::resplit::resplit(config, node, (counter, counter), false).await?;
    Ok(format!("{what}; its log is made again:\n{made}"))
}
