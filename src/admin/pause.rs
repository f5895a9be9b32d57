//! `pause` and `resume`: a node gets no logs for a while, and then all that it has missed.

use crate::config::Config;
use crate::disk::{self, Lock};
use crate::error::{Error, Result};
use crate::ground::{self, read};
use crate::model::Node;
use crate::protocol::{Event, Stopped, Why, read_counter};

/// Stops the logs of a node before the next archive, or leaves them stopped where they are. Archives are kept for it.
pub async fn pause(config: &Config, node: &Node, reason: &str) -> Result<String> {
    if config.paths.archive_dir.is_none() {
        return Err(Error::Fatal(
            "`archive_dir` is not set: other tools split here, and only they could pause".into(),
        ));
    }
    let _hold = Lock::wait(&config.paths.hold()).await?;
    ground::put_on_disk(&config.paths)?;
    let ground = super::known::registered(config, node)?;
    let before = match (&ground.stopped, read(&config.paths.split_counter(), read_counter)?) {
        (Some(stopped), _) => stopped.before,
        (None, Some(counter)) => counter.next(),
        (None, None) => {
            return Err(Error::Fatal(
                "nothing was split yet, so there is nothing to pause: start the manager".into(),
            ));
        }
    };
    // As it is read back: one line.
    let reason = reason.split_whitespace().collect::<Vec<_>>().join(" ");
    let reason = match ground.stopped.as_ref().and_then(|stopped| stopped.why.as_ref()) {
        Some(Why::Paused(said)) if reason.is_empty() => said.clone(),
        _ => reason,
    };
    let stopped = Stopped { before, why: Some(Why::Paused(reason.clone())) };
    if ground.stopped.as_ref() != Some(&stopped) {
        let because = if reason.is_empty() { String::new() } else { format!(": {reason}") };
        let what = format!("paused before archive {before}{because}");
        super::audit::once(config, Some(node), Event::Pause, &what)()?;
        disk::write(&ground.site.stopped, &stopped.write())?;
    }
    Ok(format!(
        "{node} is paused before archive {before}: it gets no logs, and its requests are refused; archives are kept for it\n\
         `subscription_manager resume {node}` lets it go on\n"
    ))
}

/// Lets a paused node go on: the splitter gives it what the others have, in order. What stopped it before, if anything did,
/// stops it again.
pub async fn resume(config: &Config, node: &Node) -> Result<String> {
    let _hold = Lock::wait(&config.paths.hold()).await?;
    ground::put_on_disk(&config.paths)?;
    let ground = super::known::registered(config, node)?;
    let Some(stopped) = ground.stopped.filter(Stopped::is_paused) else {
        return Ok(format!("{node} is not paused: there is nothing to resume\n"));
    };
    let before = stopped.before;
    let what = format!("goes on from archive {before}");
    super::audit::once(config, Some(node), Event::Resume, &what)()?;
    let split = read(&config.paths.split_counter(), read_counter)?;
    if split.is_some_and(|split| split.next() == before) {
        // The others have no more than it has.
        disk::remove(&ground.site.stopped)?;
    } else {
        disk::write(&ground.site.stopped, &Stopped { why: None, ..stopped }.write())?;
    }
    let when = match Lock::holder(&config.paths.instance_lock())? {
        Some(_) => "with the next round",
        None => "when the manager runs",
    };
    Ok(format!("{node} goes on: it gets its logs from {before} on, {when}\n"))
}
