//! Killed at one durable step after the other, in both flows: after a restart everything is as if nothing had happened.
//!
//! strace ends the daemon at its N-th fsync. Every step that matters is followed by one, and the next begins after it.

use std::cell::Cell;
use std::fs;

use crate::support::{Site, Station};
use crate::{change, cluster};

/// The syncs before are those of the directories at the start, when nothing has been done yet.
const FIRST_STEP: u32 = 6;

/// Leftovers of work that was cut off; none may remain.
const LEFTOVERS: &[&str] = &[".tmp-", ".ready", ".claim", ".new", ".held", ".cleanup"];

/// What a patient client has done for its open request; it survives the daemon.
struct Client<'a> {
    station: &'a Station<'a>,
    site: &'a Site<'a>,
    success: bool,
    /// How often the daemon was found dead.
    deaths: &'a Cell<u32>,
}

impl Client<'_> {
    /// Asks, and goes on like a client that only sees the drop directory, until `.done`; whenever the daemon is found
    /// dead, it is started again, as a service manager would.
    fn ask(&self, lines: &str) -> String {
        let station = self.station;
        self.site.ask(station, lines);
        let mut has_sql = false;
        let done = station.wait_for("the end of a request with a kill in it", || {
            if station.has_ended() {
                self.deaths.set(self.deaths.get() + 1);
                station.kill();
                station.start();
            }
            let at = |ending: &str| format!("triggers/nso.subscription_series.{ending}");
            if !has_sql && station.has(&at("sqldone")) {
                self.take_sql();
                has_sql = true;
            }
            let is_said = ["sqlapplied", "cleanup", "done"].iter().any(|ending| station.has(&at(ending)));
            if has_sql && !is_said {
                let text = format!("node nso\nsuccess {}\n", self.success);
                station.drop_file("nso.subscription_series.sqlapplied", &text);
            }
            fs::read_to_string(station.at(&at("done"))).ok()
        });
        fs::remove_file(station.at("triggers/nso.subscription_series.done")).expect("remove .done");
        done
    }

    fn take_sql(&self) {
        let sqldone = self.site.await_sql(self.station);
        assert!(sqldone.starts_with("cut "), "{sqldone}\n{}", self.station.said());
        if self.success {
            if self.station.has("etc/nso.lst") {
                self.site.apply_logs(self.station);
            }
            self.site.apply_sql(self.station);
        }
    }
}

/// Nothing of an ended request lies anywhere, and the node's logs have no gap. The daemon that does not die any more splits
/// what comes.
fn assert_tidy(station: &Station<'_>) {
    station.kill();
    station.start();
    let gone = || {
        let names = station.names();
        names.iter().all(|name| LEFTOVERS.iter().all(|part| !name.contains(part))).then_some(())
    };
    station.wait_for("a tidy tree", gone);
    let logs = station.logs("nso");
    let (first, last) = (logs.first().copied().unwrap_or(1), logs.last().copied().unwrap_or(0));
    assert_eq!(logs, (first..=last).collect::<Vec<_>>(), "the logs have a gap");
}

#[test]
fn a_known_site_is_served_whatever_step_the_daemon_dies_at() {
    let station = Station::started(cluster(), "");
    let site = Site::new(cluster(), "nso");
    site.subscribe(&station, "restart.a subscribe");
    let deaths = Cell::new(0);
    for step in FIRST_STEP..FIRST_STEP + 14 {
        station.kill();
        station.start_to_die(step);
        change("restart.a");
        let failing = Client { station: &station, site: &site, success: false, deaths: &deaths };
        let done = failing.ask("restart.b subscribe\nrestart.a unsubscribe");
        assert!(done.starts_with("success false\n"), "{done}");
        assert_eq!(station.read("etc/nso.lst"), "restart.a\n");
        assert_tidy(&station);

        station.kill();
        station.start_to_die(step);
        change("restart.b");
        let client = Client { station: &station, site: &site, success: true, deaths: &deaths };
        assert_eq!(client.ask("restart.b subscribe"), "success true\nrestart.a\nrestart.b\n", "step {step}");
        change("restart.b");
        assert_tidy(&station);
        site.assert_equal(&station, &["restart.a", "restart.b"]);

        station.kill();
        station.start_to_die(step);
        assert_eq!(client.ask("restart.b unsubscribe"), "success true\nrestart.a\n", "step {step}");
        change("restart.b");
        assert_tidy(&station);
        site.assert_equal(&station, &["restart.a"]);
        cluster().server().execute(site.database(), "drop table restart.b");
    }
    assert!(deaths.get() >= 30, "the daemon died only {} times: this test shows nothing", deaths.get());
}

#[test]
fn a_new_site_is_served_whatever_step_the_daemon_dies_at() {
    let deaths = Cell::new(0);
    for step in FIRST_STEP..FIRST_STEP + 14 {
        let station = Station::new(cluster(), "");
        let site = Site::new(cluster(), "nso");
        station.start_to_die(step);
        let failing = Client { station: &station, site: &site, success: false, deaths: &deaths };
        if step % 3 == 0 {
            assert_eq!(
                failing.ask("restart.a subscribe"),
                "success false\nreason the site could not apply the SQL\n"
            );
            assert!(
                !station.has("site_logs/nso") && !station.has("etc/nso.lst") && !station.has("etc/nso.cuts")
            );
            assert_tidy(&station);
            station.kill();
            station.start_to_die(step);
        }
        let client = Client { station: &station, site: &site, success: true, deaths: &deaths };
        let done = client.ask("restart.a subscribe\nrestart.c subscribe");
        assert_eq!(done, "success true\nrestart.a\nrestart.c\n", "step {step}");
        change("restart.c");
        assert_tidy(&station);
        site.assert_equal(&station, &["restart.a", "restart.c"]);
    }
    assert!(deaths.get() >= 10, "the daemon died only {} times: this test shows nothing", deaths.get());
}
