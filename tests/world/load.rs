//! A thousand sites ask within a second. All are served rightly, with few dumps at a time, in bounded memory.
//!
//! `WORLD_NODES=5000 cargo test --test world load` asks for more.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::Duration;

use crate::process::{open_files, peak_memory};
use crate::support::slony::ARCHIVER;
use crate::support::station::log_name;
use crate::support::{Site, Station, wait};
use crate::{change, cluster, tree};

/// What the sites ask for, in turn.
const LISTS: [&[&str]; 3] = [&["load.a"], &["load.b", "load.c"], &["load.a", "load.b", "load.c"]];

/// Dumps at a time.
const JOBS: u64 = 3;

/// For all of them together; the machine may be busy.
const LIMIT: Duration = Duration::from_secs(600);

/// A site that asks and answers, and what it was told.
struct Asker {
    node: String,
    list: &'static [&'static str],
    stage: Stage,
    cut: u64,
    sql: String,
}

#[derive(PartialEq, Eq)]
enum Stage {
    Asked,
    Answered,
    Done,
}

impl Asker {
    fn new(number: usize) -> Self {
        let node = format!("site{number:05}");
        Self { node, list: LISTS[number % LISTS.len()], stage: Stage::Asked, cut: 0, sql: String::new() }
    }

    fn request(&self) -> String {
        let lines: String = self.list.iter().map(|series| format!("{series} subscribe\n")).collect();
        format!("node {}\n{lines}end\n", self.node)
    }

    fn file(&self, ending: &str) -> String {
        format!("{}.subscription_series.{ending}", self.node)
    }

    /// Does what a client would do now.
    fn proceed(&mut self, station: &Station<'_>) {
        let read = |name: &str| fs::read_to_string(station.at(&format!("triggers/{name}"))).ok();
        match self.stage {
            Stage::Asked => {
                let Some(sqldone) = read(&self.file("sqldone")) else { return };
                self.cut = tree::cut(&sqldone);
                self.sql = station.read(&format!("triggers/{}.subscribe_series.sql", self.node));
                // A real site's SQL is applied before it says so.
                if !self.is_real() {
                    self.answer(station);
                }
                self.stage = Stage::Answered;
            }
            Stage::Answered => {
                let Some(done) = read(&self.file("done")) else { return };
                let names: String = self.list.iter().map(|series| format!("{series}\n")).collect();
                assert_eq!(done, format!("success true\n{names}"), "{}", self.node);
                fs::remove_file(station.at(&format!("triggers/{}", self.file("done"))))
                    .expect("remove .done");
                self.stage = Stage::Done;
            }
            Stage::Done => {}
        }
    }

    fn answer(&self, station: &Station<'_>) {
        station.drop_file(&self.file("sqlapplied"), "success true\n");
    }

    /// The first that asks for a list has a database.
    fn is_real(&self) -> bool {
        self.node.trim_start_matches("site").parse::<usize>().is_ok_and(|number| number < LISTS.len())
    }

    /// The SQL without what differs from site to site.
    fn common_sql(&self) -> String {
        let place = format!("values ({}, now(), now())", self.cut);
        assert!(self.sql.contains(&place), "{}", self.sql);
        let state = format!("the state of archive {}\n", self.cut);
        assert!(self.sql.contains(&state), "{}", self.sql);
        self.sql.replace(&place, "CUT").replace(&state, "CUT").replace(&self.node, "NODE")
    }
}

/// How many sessions of the role hold a lock on one of the series: the dumps that run.
fn dumps() -> u64 {
    let sql = "select count(distinct l.pid) from pg_locks l join pg_stat_activity a using (pid) \
         join pg_class c on c.oid = l.relation \
         where a.usename = 'load' and l.granted and c.relnamespace = 'load'::regnamespace";
    cluster().server().query(ARCHIVER, sql).parse().expect("a number")
}

#[test]
fn a_thousand_sites_at_once_are_all_served() {
    let nodes: usize = std::env::var("WORLD_NODES").map_or(1000, |number| number.parse().expect("a number"));
    cluster().server().execute("postgres", "create role load superuser login");
    let station = Station::started(
        cluster(),
        &format!("pg_user=load\nlog_level=info\ndump_jobs={JOBS}\nbundle_after=0"),
    );
    let mut askers: Vec<Asker> = (0..nodes).map(Asker::new).collect();
    for asker in &askers {
        station.drop_file(&asker.file("tgr"), &asker.request());
    }
    let real: Vec<Site<'_>> =
        askers[..LISTS.len()].iter().map(|asker| Site::new(cluster(), &asker.node)).collect();

    let (mut most_dumps, mut most_files) = (0, 0);
    let served = wait::within(LIMIT, || {
        most_dumps = most_dumps.max(dumps());
        most_files = most_files.max(open_files(&station));
        for asker in &mut askers {
            let waited = asker.stage == Stage::Asked;
            asker.proceed(&station);
            if waited && asker.stage == Stage::Answered && asker.is_real() {
                let site = real.iter().find(|site| site.node() == asker.node).expect("a site for each list");
                site.apply_sql(&station);
                asker.answer(&station);
            }
        }
        askers.iter().all(|asker| asker.stage == Stage::Done).then_some(())
    });
    let left: Vec<&str> =
        askers.iter().filter(|asker| asker.stage != Stage::Done).map(|asker| asker.node.as_str()).collect();
    assert!(served.is_some(), "{} are not served: {left:?}\n{}", left.len(), station.said());
    assert!((1..=JOBS).contains(&most_dumps), "{most_dumps} dumps at once");

    for asker in &askers {
        let first = askers.iter().find(|first| first.list == asker.list).expect("at least itself");
        assert!(asker.common_sql() == first.common_sql(), "{} and {}", asker.node, first.node);
    }
    assert_registered(&station, &askers);

    for series in LISTS[2] {
        change(cluster(), series);
    }
    for (site, asker) in real.iter().zip(&askers) {
        site.assert_equal(&station, asker.list);
    }
    assert_logs(&station, &askers);
    assert!(most_files < 200, "{most_files} files open at once");
    let megabytes = peak_memory(&station);
    assert!(megabytes < 256, "{megabytes} MB");
}

/// What lies there, but for the site logs, is what must lie there, for all sites and nothing else.
#[track_caller]
fn assert_registered(station: &Station<'_>, askers: &[Asker]) {
    let registry = "etc/slon_parser.cfg";
    let mut expected = tree::nothing();
    let mut lines = BTreeSet::new();
    for asker in askers {
        let mut node = tree::node(station, &asker.node, &[(asker.cut + 1, asker.list)]);
        lines.extend(node.remove(registry));
        expected.extend(node);
    }
    let mut found = tree::without_logs(tree::contents(station));
    let registered = found.remove(registry).expect("a registry");
    tree::assert_contents(&found, &expected);
    assert_eq!(registered.lines().map(|line| format!("{line}\n")).collect::<BTreeSet<_>>(), lines);
    assert_eq!(registered.lines().count(), askers.len(), "each site is registered once");
}

/// Every site has a log for each archive after its cut, and each is what an installation with this list makes of it.
#[track_caller]
fn assert_logs(station: &Station<'_>, askers: &[Asker]) {
    let last = station.caught_up();
    let found = station.tree();
    for list in LISTS {
        let mine = || askers.iter().filter(move |asker| asker.list == list);
        let first = mine().map(|asker| asker.cut + 1).min().expect("a site for each list");
        let right: BTreeMap<u64, String> = tree::logs(cluster(), "x", list, first, last)
            .into_iter()
            .map(|(name, digest)| (counter_in(&name), digest))
            .collect();
        for asker in mine() {
            assert!(station.logs(&asker.node).contains(&last), "{} has no log {last}", asker.node);
            for counter in asker.cut + 1..=last {
                let name = format!("site_logs/{}/{}", asker.node, log_name(counter));
                assert_eq!(found.get(&name), right.get(&counter), "{name}");
            }
        }
    }
}

fn counter_in(name: &str) -> u64 {
    let number = name.rsplit('_').next().and_then(|number| number.strip_suffix(".sql"));
    number.and_then(|number| number.parse().ok()).expect("a counter in the name of a log")
}
