//! What is wrong with registry, lists and directories: which node there is, and what belongs to none.

use super::finding::{Findings, named};
use super::observe::{Facts, NodeFacts};
use crate::config::Config;
use crate::model::{Node, SeriesList};

/// Looks for it.
pub(super) fn decide(config: &Config, facts: &Facts, found: &mut Findings) {
    let registry = match &facts.registry {
        Ok(registry) => registry,
        Err(why) => {
            let path = config.paths.registry.display();
            return found.error(
                "registry-unreadable",
                &path,
                why.clone(),
                "put it right: nothing is split and no request is served meanwhile",
            );
        }
    };
    for entry in registry.entries() {
        let name = entry.name().unwrap_or_default();
        let directory = entry.directory.display();
        if name.strip_suffix(".new").unwrap_or(name).parse::<Node>().is_err() {
            found.error(
                "foreign-entry",
                &directory,
                format!("the registry has a directory that is no node's: `{name}`"),
                "take the line out, or give the directory the name of a node: the splitter stops at it",
            );
        } else if entry.directory.parent() != Some(&config.paths.subscribers_dir)
            || entry.list.parent() != Some(&config.paths.tables_dir)
        {
            found.note(
                "entry-outside",
                &directory,
                format!(
                    "directory or list (`{}`) of {name} lies outside of the configured directories",
                    entry.list.display()
                ),
                "nothing, if it is meant so",
            );
        }
    }
    for node in &facts.nodes {
        if node.entry.is_some() || node.is_open {
            in_the_way(node, found);
        }
        if node.entry.is_some() {
            registered(node, found);
        } else if !node.is_open {
            unregistered(node, found);
        }
        if !node.is_open {
            without_request(node, found);
        }
    }
}

/// A link or a file where logs come from or go to.
fn in_the_way(node: &NodeFacts, found: &mut Findings) {
    for (_, what) in &node.in_the_way {
        found.error(
            "no-directory",
            &node.node,
            what.clone(),
            "put the directory in its place: the node's logs, and the end of its request, go on by themselves then",
        );
    }
}

fn registered(node: &NodeFacts, found: &mut Findings) {
    let name = &node.node;
    if node.shelf.is_none() && !node.has_no_directory() {
        let directory = node.site.directory.display();
        found.error(
            "directory-missing",
            name,
            format!("it is registered, but `{directory}` is not there"),
            "put the directory back, or `remove NODE` if the site is gone: its logs stop meanwhile, the others go on",
        );
    }
    match (&node.ground, &node.list) {
        (Err(_), None) if !node.has_cuts => found.error(
            "list-missing",
            name,
            format!("it is registered, but its list `{}` cannot be read", node.site.list.display()),
            "put the list back, or `remove NODE` if the site is gone: its logs stop meanwhile, the others go on",
        ),
        (Err(why), _) => {
            let hint = "put the file right: its logs stop meanwhile, the others go on";
            found.error("unreadable", name, why.clone(), hint);
        }
        (Ok(_), None) => found.warning(
            "list-missing",
            name,
            format!("its list `{}` cannot be read; the splitter goes by `.cuts`", node.site.list.display()),
            "the next request of the node writes it anew; other tools that read it miss it until then",
        ),
        (Ok(ground), Some(list)) => {
            if let Some((less, more)) = ground.list().and_then(|cuts| difference(cuts, list)) {
                found.warning(
                    "list-differs",
                    name,
                    format!(
                        "its list lacks {less} series that `.cuts` has, and has {more} that it lacks; `.cuts` holds"
                    ),
                    "one of the two was edited, or is damaged: make them alike again by `history NODE`; a list is changed by requests only",
                );
            }
        }
    }
    if node.is_apart {
        found.note(
            "file-systems",
            name,
            "its directory is on another file system than those of the others: its logs are copies".into(),
            "nothing, if there is room for that",
        );
    }
}

/// How many series only one of the two has.
fn difference(cuts: &SeriesList, list: &SeriesList) -> Option<(usize, usize)> {
    let set = |list: &SeriesList| -> std::collections::HashSet<_> {
        list.iter().map(|subscription| subscription.series.clone()).collect()
    };
    let (cuts, list) = (set(cuts), set(list));
    let counts = (cuts.difference(&list).count(), list.difference(&cuts).count());
    (counts != (0, 0)).then_some(counts)
}

fn unregistered(node: &NodeFacts, found: &mut Findings) {
    let name = &node.node;
    let lists = [(node.list.is_some(), "lst"), (node.has_cuts, "cuts")];
    let lists: Vec<_> =
        lists.into_iter().filter(|(there, _)| *there).map(|(_, ending)| format!("{name}.{ending}")).collect();
    if !lists.is_empty() {
        found.warning(
            "unregistered-list",
            name,
            format!("{} in `tables_dir`, but no such node in the registry", named(lists)),
            "remove it, or put the node's line back into the registry",
        );
    }
    if node.shelf.is_some() || node.has_no_directory() {
        found.warning(
            "unregistered-directory",
            name,
            format!("`{}` is there, but no such node in the registry", node.site.directory.display()),
            "remove it if the site is gone: a new site of this name is refused while files are in it",
        );
    }
    let left = leftovers(node);
    if !left.is_empty() {
        found.warning(
            "leftover",
            name,
            format!("{} of a node that is not registered", named(left)),
            "`check --fix` removes it",
        );
    }
}

/// Files that mean nothing without their node.
pub(super) fn leftovers(node: &NodeFacts) -> Vec<String> {
    let name = &node.node;
    let files = [(node.has_stopped, "stopped"), (node.has_decisions, "ddl"), (node.has_counter, "counter")];
    files.into_iter().filter(|(there, _)| *there).map(|(_, ending)| format!("{name}.{ending}")).collect()
}

fn without_request(node: &NodeFacts, found: &mut Findings) {
    let stale = stale(node);
    if !stale.is_empty() {
        found.warning(
            "stale-new",
            &node.node,
            format!("no request is open, but there is {}", named(stale)),
            "`check --fix` removes it, if nothing of the node lies in `triggerdir`; other tools may be at work",
        );
    }
    if node.held_shelf.is_some() {
        found.error(
            "held-without-fence",
            &node.node,
            format!("no request is open, but `{}` holds logs back", node.site.held_directory.display()),
            "`check --fix` moves them into the node's directory",
        );
    }
}

/// What belongs to an open request.
pub(super) fn stale(node: &NodeFacts) -> Vec<String> {
    let site = &node.site;
    let parts = [
        (node.new_entry.is_some(), format!("a line of {}.new in the registry", node.node)),
        (node.has_new_list, site.new_list.display().to_string()),
        (node.new_shelf.is_some(), site.new_directory.display().to_string()),
    ];
    parts.into_iter().filter(|(there, _)| *there).map(|(_, what)| what).collect()
}
