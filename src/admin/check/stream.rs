//! What is wrong with the stream of logs: gaps, nodes that stand still, sites that are left behind, archives that are not
//! what they were.

use super::finding::{Findings, named};
use super::observe::{Archives, Facts, NodeFacts};
use crate::config::Config;
use crate::ground::Ground;
use crate::logs::{Standing, hole, standing};
use crate::model::{Counter, Shelf};
use crate::protocol::{Hole, Missed, OpenRequest, Why};

/// Looks for it.
pub(super) fn decide(config: &Config, facts: &Facts, found: &mut Findings) {
    for node in &facts.nodes {
        if let (Some(_), Ok(ground)) = (&node.entry, &node.ground) {
            registered(config, facts, node, ground, found);
        }
        let of_request = [&node.new_shelf, &node.held_shelf].into_iter().flatten();
        for shelf in of_request.filter(|_| node.is_open) {
            gaps(node, shelf, found);
        }
    }
    if let Some(archives) = &facts.archives {
        archived(facts, archives, found);
    }
    facts.holes.iter().for_each(|hole| missed(hole, found));
}

/// Rows that are in no archive.
fn missed(hole: &Hole, found: &mut Findings) {
    if hole.before.is_none() && matches!(hole.what, Missed::Events(..)) {
        found.error(
            "slon-without-a",
            &"slon",
            hole::describe(hole),
            "start slon with `-a` and the archive directory again, at once",
        );
    }
    let why = match (&hole.what, hole.before) {
        (Missed::Events(..), _) => "slon ran without `-a`",
        (Missed::Series(..), Some(_)) => "nothing of it came for a while",
        (Missed::Series(..), None) => "nothing of it comes",
    };
    for (node, series) in hole::by_node(&hole.concerned) {
        found.error(
            "hole",
            &node,
            format!("rows of {series} after archive {} are in no archive: {why}", hole.after),
            "tell the site to subscribe these series anew: nothing else brings the rows",
        );
    }
}

fn registered(config: &Config, facts: &Facts, node: &NodeFacts, ground: &Ground, found: &mut Findings) {
    let name = &node.node;
    if let Some(stopped) = &ground.stopped {
        let before = stopped.before;
        match &stopped.why {
            Some(Why::Decide(what)) => found.warning(
                "stopped",
                name,
                format!("its logs stop before archive {before}: {what}"),
                &format!("decide: `subscription_manager ddl {name} {before} --send` or `--skip`"),
            ),
            Some(Why::Fault(what)) => found.error(
                "stopped",
                name,
                format!("its logs stop before archive {before}: {what}"),
                "mend it, and its logs go on by themselves",
            ),
            Some(Why::Paused(reason)) => found.note(
                "paused",
                name,
                match reason.as_str() {
                    "" => format!("it is paused before archive {before}"),
                    reason => format!("it is paused before archive {before}: {reason}"),
                },
                &format!(
                    "`subscription_manager resume {name}` lets it go on; its archives are kept until then"
                ),
            ),
            // It is catching up.
            None => {}
        }
    }
    if let Some(denied) = &node.denied {
        found.warning(
            "not-allowed",
            name,
            format!("it has series that `access_file` does not let it have: {denied}"),
            "allow them there, or let the site unsubscribe them: until then it goes on getting them",
        );
    }
    let Some(shelf) = &node.shelf else { return };
    gaps(node, shelf, found);
    if let Some((expected, newest)) = lag(facts.split, node, ground, shelf) {
        let newest =
            newest.map_or_else(|| "it has no log".to_owned(), |newest| format!("its newest log is {newest}"));
        found.error(
            "logs-missing",
            name,
            format!("{newest}, but the archives are split up to {expected}"),
            &format!("make them again from the archives: `resplit {name} --from A --to {expected}`"),
        );
    }
    if !node.said.faults.is_empty() {
        found.warning(
            "acknowledgement",
            name,
            format!("its acknowledgement cannot be read: {}", node.said.faults.join("; ")),
            "ask the site; its logs are kept for `site_log_days`",
        );
    }
    taken(config, facts, node, shelf, found);
}

/// How far its site is, by its own word.
fn taken(config: &Config, facts: &Facts, node: &NodeFacts, shelf: &Shelf, found: &mut Findings) {
    let name = &node.node;
    let standing = standing(shelf, node.said.counter, config.life.site_logs, facts.now);
    let Some(text) = standing.note() else { return };
    match standing {
        Standing::MustResubscribe { next, .. } => {
            let is_kept =
                facts.archives.as_ref().is_some_and(|archives| archives.shelf.written(next).is_some());
            let hint = if is_kept {
                format!(
                    "make it again from its archive, and those behind it: `resplit {name} --from {next} --to N`"
                )
            } else {
                "tell the site: it has to subscribe all its series anew".to_owned()
            };
            found.error("must-resubscribe", name, text, &hint);
        }
        Standing::Silent(_) => found.warning("silent", name, text, "ask the site before its next log goes"),
        _ => found.warning(
            "beyond",
            name,
            text,
            "ask the site whether it follows another archiver; its word is not believed",
        ),
    }
}

/// Logs that are missing between others.
fn gaps(node: &NodeFacts, shelf: &Shelf, found: &mut Findings) {
    let gaps = shelf.gaps();
    let (Some(first), Some(last)) = (gaps.first(), gaps.last()) else { return };
    let (name, from, to) = (&node.node, first.0, last.1);
    let range = |(from, to): &(Counter, Counter)| {
        if from == to { from.to_string() } else { format!("{from} to {to}") }
    };
    found.error(
        "gap",
        name,
        format!("its directory lacks logs between others: {}", named(gaps.iter().map(range))),
        &format!("make them again from the archives: `resplit {name} --from {from} --to {to}`"),
    );
}

/// The log that a node should have by now, and its newest, if that is an earlier one.
fn lag(
    split: Option<Counter>,
    node: &NodeFacts,
    ground: &Ground,
    shelf: &Shelf,
) -> Option<(Counter, Option<Counter>)> {
    let cut = ground.open.as_ref().and_then(OpenRequest::cut);
    let expected = match (&ground.stopped, cut) {
        (Some(stopped), _) => stopped.before.previous().min(split?),
        (None, Some(cut)) if node.is_fenced() => cut.counter.min(split?),
        (None, _) => split?,
    };
    // Registered by hand: it gets what is split from then on, and nobody knows from when.
    let first = ground.cuts.as_ref()?.first().filter(|first| *first > Counter::default());
    let newest = shelf.newest();
    let is_begun = newest.is_some() || first.is_some_and(|first| first <= expected);
    (is_begun && newest < Some(expected)).then_some((expected, newest))
}

fn archived(facts: &Facts, archives: &Archives, found: &mut Findings) {
    if let Some(counter) = archives.missing.filter(|counter| !archives.empty.contains(counter)) {
        found.error(
            "archive-missing",
            &counter,
            format!("archive {counter} is missing, and later ones are there: the splitter waits for it"),
            "find it; if slon committed it and never wrote it, `split --accept-empty` takes it as empty",
        );
    }
    for name in &archives.changed {
        found.error(
            "archive-changed",
            name,
            "it has changed since it was split: the sites have its old content".into(),
            "compare with `subscription_manager resplit NODE --from N --to N --dry-run`, and find out who wrote it",
        );
    }
    let gaps =
        archives.shelf.gaps().into_iter().filter(|gap| facts.split.is_some_and(|split| gap.1 <= split));
    let lost: Vec<_> = gaps.filter(|gap| !(archives.empty.contains(&gap.0) && gap.0 == gap.1)).collect();
    if let Some((from, to)) = lost.first() {
        found.note(
            "archive-gap",
            from,
            format!("archives {from} to {to}, which were split, are gone while earlier ones are kept"),
            "nothing, if somebody has removed them: no log can be made again from them",
        );
    }
}
