//! What a request changes, as values: who may ask, the new list, and the steps that add, finish or roll back. Pure; the
//! worker carries the steps out.

use std::collections::{HashMap, HashSet};

use crate::model::{Counter, Node, Sequence, Series, SeriesList, Step, Subscription};
use crate::paths::{Paths, SitePaths};
use crate::protocol::{
    Cut, Cuts, Kind, OpenRequest, Outcome, Phase, Registry, Request, Site, Stem, Stopped, TriggerFile, Why,
    sql_file_names, write_names,
};

/// What a request asks for, held against what the node has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdatePlan {
    /// Whether the node is registered.
    pub site: Site,
    /// To be dumped and added.
    pub added: Vec<Series>,
    /// Asked for and there already.
    pub skipped: Vec<Series>,
    /// To be taken out.
    pub removed: Vec<Series>,
}

impl UpdatePlan {
    /// Holds a request against the node's list (`None`: not registered). An error is the reason for the subscriber.
    pub fn new(request: &Request, current: Option<&SeriesList>) -> Result<Self, String> {
        let has: HashSet<&Series> =
            current.into_iter().flatten().map(|subscription| &subscription.series).collect();
        let missing: Vec<_> = request.unsubscribe.iter().filter(|series| !has.contains(series)).collect();
        if !missing.is_empty() {
            let node = &request.node;
            return Err(match current {
                None => format!("{node} is a new site and has nothing to unsubscribe"),
                Some(_) => format!("{node} is not subscribed to {}", listed(missing)),
            });
        }
        let (skipped, added) = request.subscribe.iter().cloned().partition(|series| has.contains(series));
        let site = if current.is_some() { Site::Known } else { Site::New };
        Ok(Self { site, added, skipped, removed: request.unsubscribe.clone() })
    }

    /// The list that holds after the cut: the old one without what is taken out, then what is added.
    pub fn list(
        &self,
        current: Option<&SeriesList>,
        mut sequences: HashMap<Series, Vec<Sequence>>,
    ) -> SeriesList {
        let removed: HashSet<&Series> = self.removed.iter().collect();
        let kept = current
            .into_iter()
            .flatten()
            .filter(|subscription| !removed.contains(&subscription.series))
            .cloned();
        let added = self.added.iter().map(|series| Subscription {
            series: series.clone(),
            sequences: sequences.remove(series).unwrap_or_default(),
        });
        kept.chain(added).collect()
    }

    /// Whether logs after the cut are held back: the site must not run past the cut before it has the new series. A
    /// new site gets no logs before it is finished anyway.
    pub fn is_fenced(&self) -> bool {
        self.site == Site::Known && !self.added.is_empty()
    }
}

/// Series for a reason, cut short where they are many.
pub fn listed<'a>(series: impl IntoIterator<Item = &'a Series>) -> String {
    let mut series = series.into_iter();
    let mut text: String = series.by_ref().take(20).map(|one| format!("{one}, ")).collect();
    text.truncate(text.len().saturating_sub(2));
    match series.count() {
        0 => text,
        more => format!("{text} and {more} more"),
    }
}

/// Whether a new node's name can be told from those of the nodes that are there by the clients that look for it.
/// Deployed clients match names in listings without anchors, and take every name with `error` in it for a failure.
pub fn admit(node: &Node, stem: Stem, registry: &Registry) -> Result<(), String> {
    let name = node.as_str().to_ascii_lowercase();
    if name.contains("error") || (stem == Stem::Deployed && name.contains("failure")) {
        return Err("a node's name must not hold a word that deployed clients take for a failure".into());
    }
    let ends = |long: &str, short: &str| long != short && long.ends_with(short);
    let twin = registry.entries().filter_map(|entry| entry.name()).find(|other| {
        let other = other.strip_suffix(".new").unwrap_or(other);
        stem == Stem::Deployed && (ends(other, node.as_str()) || ends(node.as_str(), other))
    });
    match twin {
        Some(other) => {
            Err(format!("the name {node} cannot be told from {other} by deployed clients: take another"))
        }
        None => Ok(()),
    }
}

/// Makes room for a request: every answer to an older one is gone, durably, before the new one is accepted.
pub fn forget_answers(paths: &Paths, node: &Node) -> Vec<Step> {
    let mut steps = forget_ready(paths, node);
    for stem in Stem::ALL {
        for kind in [Kind::SqlDone, Kind::Done, Kind::Accepted, Kind::SqlApplied] {
            steps.push(Step::Remove(paths.trigger(node, stem, kind)));
        }
    }
    steps.extend(forget_sql(paths, node));
    steps
}

/// Removes the SQL that was shown.
pub fn forget_sql(paths: &Paths, node: &Node) -> Vec<Step> {
    sql_file_names(node).into_iter().map(|name| Step::Remove(paths.triggerdir.join(name))).collect()
}

/// Removes what was made for an answer and not shown.
pub fn forget_ready(paths: &Paths, node: &Node) -> Vec<Step> {
    Stem::ALL
        .into_iter()
        .flat_map(|stem| answer_names(node, stem))
        .map(|name| Step::Remove(paths.ready(&name)))
        .collect()
}

/// Every name that an answer may have, in the order in which they appear: `.sqldone` last, it says that the others are
/// there.
pub fn answer_names(node: &Node, stem: Stem) -> Vec<String> {
    let sqldone = TriggerFile { node: node.clone(), stem, kind: Kind::SqlDone };
    sql_file_names(node).into_iter().chain([sqldone.to_string()]).collect()
}

/// Adds `<node>.new` with its cut. Under the hold. The registry comes last: from then on the splitter fills `.new`.
pub fn add(paths: &Paths, site: &SitePaths, open: &OpenRequest, cut: &Cut, registry: &Registry) -> Vec<Step> {
    let mut steps = vec![
        Step::RemoveDirectory(site.new_directory.clone()),
        // Nothing should be there; what is, is the node's.
        Step::MoveLogs { from: site.held_directory.clone(), into: site.directory.clone() },
        Step::RemoveDirectory(site.held_directory.clone()),
        Step::MakeDirectory { path: site.new_directory.clone(), like: site.directory.clone() },
    ];
    if open.site == Site::New {
        // Of a namesake, or of a cut that was made again: what stopped its logs is in the SQL now.
        steps.extend(forget_stops(site));
    }
    if cut.fenced {
        steps.push(Step::MakeDirectory { path: site.held_directory.clone(), like: site.directory.clone() });
    }
    let mut registry = registry.clone();
    registry.enter(&site.new_directory, &site.new_list);
    steps.extend([
        Step::Write { path: site.new_list.clone(), bytes: write_names(&cut.list) },
        Step::Write { path: site.open_request.clone(), bytes: open.write() },
        write_registry(paths, &registry),
    ]);
    steps
}

/// Writes the registry, which operators edit too.
pub fn write_registry(paths: &Paths, registry: &Registry) -> Step {
    Step::Replace {
        path: paths.registry.clone(),
        before: registry.source().to_owned(),
        bytes: registry.write(),
    }
}

/// Closes the directories of an open request for all but a group.
pub fn keep_apart(site: &SitePaths, group: u32) -> [Step; 2] {
    [&site.new_directory, &site.held_directory].map(|path| Step::KeepApart { path: path.clone(), group })
}

/// Makes `<node>.new` the node. Under the hold. `cuts` is the node's before, `None` for a new site; `split` is the last
/// archive that is split: up to there logs by the old list may have been taken, unless a fence stood.
pub fn promote(
    paths: &Paths,
    site: &SitePaths,
    kind: Site,
    cut: &Cut,
    registry: &Registry,
    cuts: Option<&Cuts>,
    split: Option<Counter>,
) -> Vec<Step> {
    let mut cuts = cuts.cloned().unwrap_or_default();
    let shown = split.filter(|split| kind == Site::Known && !cut.fenced && *split > cut.counter);
    cuts.hold_from(cut.counter.next(), shown, cut.list.clone());
    let mut registry = registry.clone();
    registry.remove(&site.new_directory);
    let mut steps = Vec::new();
    if kind == Site::New {
        registry.enter(&site.directory, &site.list);
        steps.push(Step::MakeDirectory { path: site.directory.clone(), like: site.new_directory.clone() });
    }
    steps.extend([
        Step::Write { path: site.cuts.clone(), bytes: cuts.write() },
        Step::Write { path: site.list.clone(), bytes: write_names(&cut.list) },
        Step::MoveLogs { from: site.new_directory.clone(), into: site.directory.clone() },
    ]);
    steps.push(write_registry(paths, &registry));
    steps.extend(remove_new(site));
    steps
}

/// Takes `<node>.new` away again; the node is as it was before the request, with the logs that were held back. Under the
/// hold. The open request itself stays, and must not forget its cut before these steps are done. `stopped`: where its logs stop.
pub fn roll_back(
    paths: &Paths,
    site: &SitePaths,
    registry: &Registry,
    stopped: Option<&Stopped>,
) -> Vec<Step> {
    let mut without = registry.clone();
    without.remove(&site.new_directory);
    let mut steps = vec![Step::MoveLogs { from: site.held_directory.clone(), into: site.directory.clone() }];
    if without != *registry {
        if let Some(stopped) = stopped.filter(|stopped| matches!(stopped.why, Some(Why::Decide(_)))) {
            // The statement may have been about the new list only: the splitter finds out. A request that was not cut, and of
            // which the registry knows nothing, has stopped nobody.
            let bytes = Stopped { why: None, ..stopped.clone() }.write();
            steps.push(Step::Write { path: site.stopped.clone(), bytes });
        }
        steps.push(write_registry(paths, &without));
    }
    steps.extend(remove_new(site));
    // Of a new site nothing remains: what would, stops the next site of this name.
    if registry.entries().all(|entry| entry.directory != site.directory) {
        steps.extend(forget_stops(site));
    }
    steps
}

/// Where the logs of a node stopped, and what was decided, is forgotten with it.
fn forget_stops(site: &SitePaths) -> [Step; 2] {
    [Step::Remove(site.stopped.clone()), Step::Remove(site.decisions.clone())]
}

fn remove_new(site: &SitePaths) -> [Step; 3] {
    [
        Step::RemoveDirectory(site.held_directory.clone()),
        Step::RemoveDirectory(site.new_directory.clone()),
        Step::Remove(site.new_list.clone()),
    ]
}

/// Lets the answer be seen: what is ready under hidden names gets its names. The open request has said `published` before,
/// so that after a crash nobody makes another dump while the subscriber applies this one.
pub fn show_answer(paths: &Paths, node: &Node, stem: Stem) -> Vec<Step> {
    let show = |name: String| Step::Show { from: paths.ready(&name), to: paths.triggerdir.join(name) };
    answer_names(node, stem).into_iter().map(show).collect()
}

/// Ends a request: what lies of it in `triggerdir` goes, then the open request, and the subscriber sees `.done`.
pub fn finish(paths: &Paths, site: &SitePaths, node: &Node, stem: Stem) -> Vec<Step> {
    let trigger = |kind| paths.trigger(node, stem, kind);
    let mut steps: Vec<Step> = [Kind::SqlApplied, Kind::Accepted, Kind::SqlDone]
        .into_iter()
        .map(|kind| Step::Remove(trigger(kind)))
        .collect();
    steps.extend(forget_sql(paths, node));
    // A loss of power may have taken back a name that the subscriber saw; it has answered all the same.
    steps.extend(forget_ready(paths, node));
    steps.push(Step::Remove(site.open_request.clone()));
    steps.push(Step::Rename { from: trigger(Kind::Cleanup), to: trigger(Kind::Done) });
    steps
}

/// What the subscriber's word leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Finish.
    Finish,
    /// Roll back, for this reason.
    RollBack(String),
    /// Nothing: it speaks of another request.
    Another,
}

/// Judges the subscriber's word on the open request. `limit` is the last log that the site may have applied, see
/// [`limit`].
pub fn verdict(outcome: &Outcome, request: &Request, limit: Option<Counter>) -> Verdict {
    let beyond = limit.and_then(|limit| Some((limit, outcome.counter.filter(|counter| *counter > limit)?)));
    match (&outcome.id, &request.id) {
        (Some(said), asked) if asked.as_ref() != Some(said) => Verdict::Another,
        _ if !outcome.success => Verdict::RollBack("the site could not apply the SQL".into()),
        (None, Some(_)) => {
            Verdict::RollBack("the answer lacks the line `request` of the open request".into())
        }
        _ => match beyond {
            None => Verdict::Finish,
            Some((limit, counter)) => Verdict::RollBack(format!(
                "the site has applied logs up to {counter}, but the SQL holds the state of {limit}: ask again with a new request"
            )),
        },
    }
}

/// The last log that a site may have applied when it says that it has applied the SQL. None where a known site got no
/// rows: logs after the cut were published for it all the while.
pub fn limit(site: Site, cut: &Cut) -> Option<Counter> {
    (site == Site::New || cut.fenced).then_some(cut.counter)
}

/// Why a request ends that nobody has answered.
pub fn expiry(days: u64) -> String {
    format!("{EXPIRY} {days} days whether the SQL could be applied")
}

/// Whether a request ended for that reason.
pub fn is_expiry(reason: &str) -> bool {
    reason.starts_with(EXPIRY)
}

const EXPIRY: &str = "nobody said within";

/// The open request without its cut: where an interrupted one begins again. Nothing of it is registered.
pub fn begin_again(open: &OpenRequest) -> OpenRequest {
    OpenRequest { phase: Phase::Accepted, ..open.clone() }
}

/// The open request while [`roll_back`] takes back what was cut, by it or by the one before it. It is no longer published: its
/// subscriber must not finish what is half taken back. But the cut stays, and with it the fence: as long as `<node>.new` is
/// registered, whoever splits goes by it, and a log that came into the node's directory before those that are held back would
/// leave a gap.
pub fn taken_back(open: &OpenRequest, cut: Option<&Cut>) -> OpenRequest {
    let phase = cut.cloned().map_or(Phase::Accepted, Phase::Cut);
    OpenRequest { phase, ..open.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(names: &[&str]) -> SeriesList {
        names.iter().map(|name| Subscription::from_name(name.parse().unwrap())).collect()
    }

    fn request(lines: &str) -> Request {
        Request::parse(format!("node nso\n{lines}").as_bytes()).unwrap()
    }

    #[test]
    fn the_new_list_keeps_the_order_and_has_no_duplicates() {
        let current = list(&["hmi.m_45s", "hmi.m_45s_nrt", "mdi.fd"]);
        let request = request("aia.lev1 subscribe\nhmi.m_45s unsubscribe\nmdi.fd subscribe\n");
        let plan = UpdatePlan::new(&request, Some(&current)).unwrap();
        assert_eq!((plan.added.len(), plan.skipped.len(), plan.is_fenced()), (1, 1, true));
        let names = write_names(&plan.list(Some(&current), HashMap::new()));
        assert_eq!(String::from_utf8(names).unwrap(), "hmi.m_45s_nrt\nmdi.fd\naia.lev1\n");
    }

    #[test]
    fn what_is_not_there_cannot_be_unsubscribed() {
        let ask = request("a.b unsubscribe\na.c subscribe\n");
        assert_eq!(
            UpdatePlan::new(&ask, None),
            Err("nso is a new site and has nothing to unsubscribe".into())
        );
        let known = list(&["a.bc"]);
        assert_eq!(UpdatePlan::new(&ask, Some(&known)), Err("nso is not subscribed to a.b".into()));
    }

    #[test]
    fn only_adding_at_a_known_site_needs_the_fence() {
        let known = list(&["a.b"]);
        let fenced = |lines, current: Option<&SeriesList>| {
            UpdatePlan::new(&request(lines), current).unwrap().is_fenced()
        };
        assert!(fenced("a.c subscribe\n", Some(&known)));
        assert!(!fenced("a.b unsubscribe\n", Some(&known)));
        assert!(!fenced("a.b subscribe\n", Some(&known)));
        assert!(!fenced("a.c subscribe\n", None));
    }

    #[test]
    fn deployed_clients_must_be_able_to_tell_nodes_apart() {
        let registry = Registry::parse(b"/logs/NSO /etc/NSO.lst\n/logs/mps.new /etc/mps.new.lst\n").unwrap();
        let admitted = |name: &str, stem| admit(&name.parse().unwrap(), stem, &registry).is_ok();
        for name in ["SO", "xNSO", "ps"] {
            assert!(!admitted(name, Stem::Deployed), "{name}");
            assert!(admitted(name, Stem::Document), "{name}");
        }
        assert!(admitted("NSO2", Stem::Deployed) && admitted("NSO", Stem::Deployed));
        assert!(!admitted("terror", Stem::Document));
    }

    #[test]
    fn a_claim_beyond_the_cut_is_refused() {
        let cut = |fenced| Cut { counter: Counter::parse("10").unwrap(), fenced, list: list(&["a.b"]) };
        assert_eq!(limit(Site::Known, &cut(false)), None, "a request that only unsubscribes");
        assert_eq!(limit(Site::New, &cut(false)), limit(Site::Known, &cut(true)));
        let cut = limit(Site::Known, &cut(true));
        let said =
            |text: &str, request: &Request| verdict(&Outcome::parse(text.as_bytes()).unwrap(), request, cut);
        let rolls_back = |verdict| matches!(verdict, Verdict::RollBack(_));
        let plain = request("a.b subscribe\n");
        assert_eq!(said("success true\n", &plain), Verdict::Finish);
        assert_eq!(said("counter 10\nsuccess true\n", &plain), Verdict::Finish);
        assert!(rolls_back(said("counter 11\nsuccess true\n", &plain)));
        let beyond = Outcome::parse(b"counter 11\nsuccess true\n").unwrap();
        assert_eq!(verdict(&beyond, &plain, None), Verdict::Finish);
        assert!(rolls_back(said("success false\n", &plain)));
        let named = request("request r1\na.b subscribe\n");
        assert_eq!(said("request r1\nsuccess true\n", &named), Verdict::Finish);
        assert!(rolls_back(said("success true\n", &named)));
        for text in ["request r0\nsuccess true\n", "request r0\nsuccess false\n"] {
            assert_eq!(said(text, &named), Verdict::Another, "a late word on a superseded request");
        }
    }

    #[test]
    fn a_long_list_of_series_is_cut_short() {
        let many: Vec<_> = (0..23).map(|n| Series::new("s", format!("t{n}"))).collect();
        assert!(listed(&many).ends_with("s.t19 and 3 more"));
        assert_eq!(listed(&many[..2]), "s.t0, s.t1");
    }
}
