//! The daemon serves a request; its client is patient and sees only the drop directory.

use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;

use crate::deaths::Deaths;
use crate::support::{Site, Station};
use crate::tree::{Contents, assert_contents, contents, cut, node, nothing, without_logs};
use crate::walk::{Extent, Scenario, Time, walk};
use crate::{change, cluster};

const DONE: &str = "triggers/nso.subscription_series.done";
const SQLDONE: &str = "triggers/nso.subscription_series.sqldone";

/// By this line the answers to a request that supersedes another are told from those to that.
const SECOND: &str = "request second";

/// How a request ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Success,
    /// The site could not apply the SQL.
    Failure,
    /// The site has said nothing for `request_days`.
    Expiry,
    /// The data centre says no.
    Refusal,
}

/// A request.
struct Serving {
    /// What the site has before; nothing: it is new.
    before: &'static [&'static str],
    /// What it asks for first, and supersedes when that is answered.
    superseded: Option<&'static str>,
    ask: &'static str,
    end: End,
    /// What it has in the end.
    after: &'static [&'static str],
    /// Its last line; without one it is whole because it was renamed into place.
    last_line: &'static str,
    /// What a refusal has left in the undisturbed run.
    refusal: OnceLock<Contents>,
}

/// A data centre with one site.
struct World {
    station: Station<'static>,
    site: Site<'static>,
    /// The cut of its first request.
    first: Option<u64>,
    /// What lay there before.
    before: Contents,
    /// The cut of its last request.
    cut: OnceLock<u64>,
}

impl Serving {
    fn new(
        before: &'static [&'static str],
        ask: &'static str,
        end: End,
        after: &'static [&'static str],
    ) -> Self {
        Self { before, superseded: None, ask, end, after, last_line: "end\n", refusal: OnceLock::new() }
    }

    /// What must lie there in the end, but for `.done`.
    fn expected(&self, world: &World) -> Contents {
        let mut expected = world.before.clone();
        let cut = world.cut.get().copied().unwrap_or_default();
        match self.end {
            End::Success => {
                let first = world.first.map(|first| (first + 1, self.before));
                let cuts: Vec<_> = first.into_iter().chain([(cut + 1, self.after)]).collect();
                expected.extend(node(&world.station, "nso", &cuts));
            }
            End::Failure | End::Expiry => {}
            End::Refusal => {
                expected.extend(self.refusal.get().cloned().unwrap_or_default());
            }
        }
        expected
    }

    /// What lies there, but for `.done`, which the client has read.
    fn found(world: &World) -> Contents {
        let mut found = without_logs(contents(&world.station));
        found.remove(DONE);
        // A refused request is kept for people only: one that has its answer is closed without it.
        found.retain(|name, _| !name.starts_with("triggers/rejected/nso."));
        found
    }

    /// Waits until everything is as it must be; whenever the daemon is found dead, it is started again.
    fn settle(&self, world: &World, deaths: &Deaths) {
        let expected = self.expected(world);
        let station = &world.station;
        let reached = crate::support::wait::within(crate::support::station::LIMIT, || {
            revive(world, deaths);
            (Self::found(world) == expected).then_some(())
        });
        if reached.is_none() {
            println!("{}", station.said());
            assert_contents(&Self::found(world), &expected);
        }
    }

    /// Asks, and returns the answer to that.
    fn ask(&self, world: &World, deaths: &Deaths) -> String {
        let World { station, site, .. } = world;
        let answer = |line: &str| {
            station.wait_for("an answer", || {
                revive(world, deaths);
                fs::read_to_string(station.at(SQLDONE)).ok().filter(|text| text.contains(line))
            })
        };
        let ask = |lines: &str| {
            let request = site.request(lines);
            let request = request.strip_suffix("end\n").unwrap().to_owned() + self.last_line;
            station.drop_file("nso.subscription_series.tgr", &request);
        };
        let Some(first) = self.superseded else {
            ask(self.ask);
            // Where nobody is waited for, it may be gone before it is seen.
            return if self.end == End::Expiry { String::new() } else { answer("") };
        };
        ask(first);
        answer("");
        ask(&format!("{SECOND}\n{}", self.ask));
        answer(SECOND)
    }

    /// Applies the SQL, as plain psql does.
    fn apply(&self, world: &World) {
        if !self.before.is_empty() {
            world.site.apply_logs(&world.station);
        }
        world.site.apply_sql(&world.station);
    }

    fn done(&self) -> String {
        let mut text = match self.end {
            End::Success => "success true\n".to_owned(),
            End::Expiry => {
                "success false\nreason nobody said within 0 days whether the SQL could be applied\n"
                    .to_owned()
            }
            End::Failure | End::Refusal => {
                "success false\nreason the site could not apply the SQL\n".to_owned()
            }
        };
        if self.superseded.is_some() {
            text += &format!("{SECOND}\n");
        }
        self.after.iter().for_each(|series| text += &format!("{series}\n"));
        text
    }
}

fn revive(world: &World, deaths: &Deaths) {
    let station = &world.station;
    if station.has_ended() {
        station.kill();
        deaths.died(&|| station.said());
        station.start_with(&deaths.environment());
    }
}

impl Scenario for Serving {
    type World = World;

    fn world(&self) -> World {
        let station = Station::new(cluster(), "");
        let site = Site::new(cluster(), "nso");
        let first = (!self.before.is_empty()).then(|| {
            station.start();
            let lines: Vec<_> = self.before.iter().map(|series| format!("{series} subscribe")).collect();
            let cut = cut(&site.subscribe(&station, &lines.join("\n")));
            station.stop();
            cut
        });
        if self.end == End::Expiry {
            station.configure("request_days=0");
        }
        let mut before = without_logs(contents(&station));
        // The daemon makes it when it first starts.
        before.entry("etc/slon_parser.cfg".to_owned()).or_default();
        before.extend(nothing());
        World { station, site, first, before, cut: OnceLock::new() }
    }

    fn root(&self, world: &World) -> PathBuf {
        world.station.at("")
    }

    fn run(&self, world: &World, deaths: &Deaths) {
        let station = &world.station;
        station.start_with(&deaths.environment());
        let sqldone = self.ask(world, deaths);
        if self.end == End::Refusal {
            assert!(sqldone.contains("unknown: served.none"), "{sqldone}");
            let left =
                || (!Self::found(world).keys().any(|name| name.starts_with("etc/nso.new"))).then_some(());
            station.wait_for("the end of the refusal", || {
                revive(world, deaths);
                left()
            });
            self.refusal.get_or_init(|| {
                let mut left = Self::found(world);
                left.retain(|name, _| !world.before.contains_key(name));
                left
            });
        } else {
            if self.end == End::Success {
                world.cut.set(cut(&sqldone)).unwrap();
                self.apply(world);
                change("served.b");
            }
            let done = station.wait_for(".done", || {
                revive(world, deaths);
                let is_said = ["sqlapplied", "cleanup", "done"]
                    .iter()
                    .any(|ending| station.has(&format!("triggers/nso.subscription_series.{ending}")));
                if !is_said && self.end != End::Expiry {
                    let second = self.superseded.map_or_else(String::new, |_| format!("{SECOND}\n"));
                    let text = format!("node nso\n{second}success {}\n", self.end == End::Success);
                    station.drop_file("nso.subscription_series.sqlapplied", &text);
                }
                fs::read_to_string(station.at(DONE)).ok()
            });
            assert_eq!(done, self.done());
        }
        self.settle(world, deaths);
        // It may be dying at this moment, behind what was waited for.
        if deaths.are_planned() {
            station.kill();
            station.start_with(&deaths.peaceful_environment());
        }
    }

    fn stop(&self, world: &World) {
        world.station.kill();
    }

    fn run_again(&self, world: &World, deaths: &Deaths) {
        world.station.start_with(&deaths.peaceful_environment());
        self.settle(world, deaths);
    }

    fn judge(&self, world: &World, time: Time) {
        let World { station, site, .. } = world;
        assert_contents(&Self::found(world), &self.expected(world));
        if self.end != End::Refusal {
            let done = fs::read_to_string(station.at(DONE)).unwrap();
            assert_eq!(done, self.done());
        }
        if self.after.is_empty() || time == Time::Ended {
            return;
        }
        site.assert_equal(station, self.after);
        let logs = station.logs("nso");
        let (first, last) = (logs[0], logs[logs.len() - 1]);
        assert_eq!(logs, (first..=last).collect::<Vec<_>>(), "the logs have a gap");
    }
}

#[test]
fn a_new_site_is_served() {
    let scenario =
        Serving::new(&[], "served.a subscribe\nserved.b subscribe", End::Success, &["served.a", "served.b"]);
    walk("a new site", Extent::Sample(10), &scenario);
}

#[test]
fn a_known_site_adds_and_drops() {
    let wish = "served.b subscribe\nserved.a unsubscribe";
    let scenario = Serving::new(&["served.a", "served.c"], wish, End::Success, &["served.c", "served.b"]);
    walk("a known site", Extent::Sample(10), &scenario);
}

/// It is given back, and does not say by itself that it is whole.
#[test]
fn a_request_without_an_end_is_taken_once() {
    let wish = "served.b subscribe\nserved.a unsubscribe";
    let served = Serving::new(&["served.a", "served.c"], wish, End::Success, &["served.c", "served.b"]);
    let taking = &["remove .nso.subscription_series.tgr.claim", "rename nso.subscription_series.cfg"];
    walk("a request without an end", Extent::At(taking), &Serving { last_line: "", ..served });
}

#[test]
fn a_known_site_fails() {
    let before = &["served.a", "served.c"];
    let scenario = Serving::new(before, "served.b subscribe", End::Failure, before);
    walk("a failure", Extent::Sample(8), &scenario);
}

#[test]
fn a_request_is_refused() {
    let before = &["served.a"];
    let scenario = Serving::new(before, "served.none subscribe", End::Refusal, before);
    walk("a refusal", Extent::Sample(8), &scenario);
}

#[test]
fn a_request_that_nobody_answers_expires() {
    let before = &["served.a", "served.c"];
    let scenario = Serving::new(before, "served.b subscribe", End::Expiry, before);
    walk("an expiry", Extent::Sample(8), &scenario);
}

#[test]
fn a_request_supersedes_the_one_before() {
    let served = Serving::new(&["served.a"], "served.c subscribe", End::Success, &["served.a", "served.c"]);
    let scenario = Serving { superseded: Some("served.b subscribe"), ..served };
    walk("a newer request", Extent::Sample(8), &scenario);
}
