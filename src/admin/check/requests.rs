//! What is wrong with requests and with what lies in the drop directory.

use std::time::Duration;

use super::finding::{Findings, named};
use super::observe::{Facts, NodeFacts};
use crate::config::Config;
use crate::protocol::{Kind, OpenRequest, Phase};

/// What the daemon takes up lies there for less, unless it is away.
const QUICK: Duration = Duration::from_secs(60);

/// Looks for it.
pub(super) fn decide(config: &Config, facts: &Facts, found: &mut Findings) {
    let patience = QUICK.max(config.rescan * 3);
    for node in &facts.nodes {
        match &node.ground {
            Ok(ground) => {
                if let Some(open) = &ground.open {
                    overdue(config, facts, node, open, found);
                }
            }
            // Of registered nodes the registry's findings say it.
            Err(why) if node.entry.is_none() => found.error(
                "unreadable",
                &node.node,
                why.clone(),
                "put the file right, or remove it and let the site ask again",
            ),
            Err(_) => {}
        }
        unfetched(config, facts, node, found);
        for (file, why) in &node.strays {
            let is_old = node.dropped.iter().any(|(dropped, age)| dropped == file && *age > patience);
            if is_old {
                found.warning(
                    "stray",
                    file,
                    (*why).to_owned(),
                    "the daemon sets it aside into `rejected/` when it runs",
                );
            }
        }
    }
    if !facts.rejected.is_empty() {
        let rejected = config.paths.rejected();
        found.note(
            "rejected",
            &rejected.display(),
            format!("what could not be used: {}", named(&facts.rejected)),
            "read the `.reason` beside each, tell the site if it does not know, and remove both",
        );
    }
    for path in &facts.temporaries {
        found.warning(
            "temporary",
            &path.display(),
            "a hidden file that is older than a day".into(),
            "a start of the daemon takes it up, or removes it; `check --fix` removes `.tmp-*`",
        );
    }
}

/// The daemon ends requests that are too old; one that is much older shows that it does not.
fn overdue(config: &Config, facts: &Facts, node: &NodeFacts, open: &OpenRequest, found: &mut Findings) {
    let accepted = open.origin.as_ref().map(|origin| origin.accepted);
    let (since, what) = match &open.phase {
        Phase::Published { since, .. } => (Some(*since), "the site has not answered"),
        Phase::Accepted | Phase::Cut(_) => (accepted, "its SQL is not made"),
    };
    let age = since.and_then(|since| facts.now.duration_since(since).ok()).unwrap_or_default();
    if age > config.request_age + QUICK.max(config.rescan * 3) {
        let days = age.as_secs() / 86_400;
        found.warning(
            "overdue",
            &node.node,
            format!("its request is open for {days} days: {what}"),
            "let the daemon run: it ends requests after `request_days`",
        );
    }
}

/// Answers that their subscriber has not taken away.
fn unfetched(config: &Config, facts: &Facts, node: &NodeFacts, found: &mut Findings) {
    // Where the sticky bit keeps everybody from the files of others, a site cannot take it away.
    if node.is_open || facts.is_sticky {
        return;
    }
    let is_answer = |kind| kind == Kind::Done || (kind == Kind::SqlDone && node.is_refused);
    let old = node.dropped.iter().filter(|(file, age)| is_answer(file.kind) && *age > config.request_age);
    let names: Vec<_> = old.map(|(file, _)| file).collect();
    if !names.is_empty() {
        found.note(
            "unfetched",
            &node.node,
            format!("its site has not taken {}", named(names)),
            "ask the site whether its client still runs; remove the file if it does not",
        );
    }
}
