//! The remote site's tools, over the directories of this machine.

use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::process::Signal;

use crate::client::{Client, Run};
use crate::cluster;
use crate::deaths::Deaths;
use crate::desk::{Desk, LIMIT, tree};
use crate::support::{Station, wait};
use crate::walk::{Extent, Scenario, Time, walk};

/// Runs a program until it is not killed.
fn until_it_ends(deaths: &Deaths, command: &dyn Fn() -> Command) -> Output {
    loop {
        let output = command().envs(deaths.environment()).output().unwrap();
        if output.status.signal() != Some(9) {
            return output;
        }
        deaths.died(&|| String::from_utf8_lossy(&output.stderr).into_owned());
    }
}

/// `get_slony_logs` fetches logs and a bundle, applies them, and keeps what it has applied.
struct Ingesting;

impl Scenario for Ingesting {
    type World = Desk;

    fn world(&self) -> Desk {
        let desk = Desk::new("keep_logs=30\nbundle_after=2\n");
        desk.publish(6..=14);
        desk.bundle(6, 9);
        desk
    }

    fn root(&self, desk: &Desk) -> PathBuf {
        desk.root.path().to_owned()
    }

    fn run(&self, desk: &Desk, deaths: &Deaths) {
        let output = until_it_ends(deaths, &|| desk.command(&[]));
        assert!(output.status.success(), "{output:?}");
    }

    fn run_again(&self, desk: &Desk, deaths: &Deaths) {
        // Meanwhile there is another log.
        self.run(desk, deaths);
    }

    fn judge(&self, desk: &Desk, _: Time) {
        has_all_up_to(desk, 14);
    }
}

/// Each log is applied once and acknowledged, and nothing is left lying about.
#[track_caller]
fn has_all_up_to(desk: &Desk, last: u64) {
    assert_eq!(desk.state(), Desk::all_up_to(last));
    assert_eq!(desk.read("site_logs/nso/slony_counter.txt"), format!("{last}\n"));
    assert_eq!(desk.names("logs/jsoc/.nso"), "");
    let is_temporary = |path: &PathBuf| {
        path.components().any(|part| part.as_os_str().as_encoded_bytes().starts_with(b".tmp-"))
    };
    let left: Vec<_> = tree(desk.root.path()).into_keys().filter(is_temporary).collect();
    // What a killed run has left hidden in a directory that others share goes with the next change there.
    assert!(left.len() <= 1, "{left:?}");
}

#[test]
fn logs_are_ingested() {
    walk("get_slony_logs", Extent::Sample(14), &Ingesting);
}

/// `get_slony_logs --follow` does the same for as long as it runs; whenever it was started and has all, another log comes.
struct Following;

impl Following {
    /// Lets it run until the site has everything and has said so. Whether it was killed.
    fn follow(desk: &Desk, deaths: &Deaths) -> bool {
        let mut service = desk.follow_in(&deaths.environment());
        let newest = newest(desk);
        for last in [newest, newest + 1] {
            if last > newest {
                desk.publish([last]);
            }
            let ended = wait::within(LIMIT, || {
                service.ended().map(Some).or_else(|| has_told(desk, last).then_some(None))
            });
            match ended {
                Some(None) => {}
                Some(Some(status)) if status.signal() == Some(9) => return true,
                ended => panic!("{ended:?} before log {last}\n{}", service.said()),
            }
        }
        service.signal(Signal::TERM);
        let status = wait::within(LIMIT, || service.ended()).unwrap_or_else(|| panic!("{}", service.said()));
        assert!(status.success() || status.signal() == Some(9), "{status}\n{}", service.said());
        !status.success()
    }
}

/// The newest log at the server.
fn newest(desk: &Desk) -> u64 {
    desk.names("site_logs/nso").split(' ').filter_map(|name| name.parse().ok()).max().unwrap()
}

/// Whether the site is so far, and the server knows it.
fn has_told(desk: &Desk, last: u64) -> bool {
    let is_there = |text: &str| text.trim().parse().is_ok_and(|place: u64| place >= last);
    is_there(&desk.query("select at_counter from _jsoc.sl_archive_tracking"))
        && is_there(&desk.read("site_logs/nso/slony_counter.txt"))
}

impl Scenario for Following {
    type World = Desk;

    fn world(&self) -> Desk {
        Ingesting.world()
    }

    fn root(&self, desk: &Desk) -> PathBuf {
        Ingesting.root(desk)
    }

    fn run(&self, desk: &Desk, deaths: &Deaths) {
        while Self::follow(desk, deaths) {
            deaths.died(&|| desk.read("service.log"));
        }
    }

    fn run_again(&self, desk: &Desk, deaths: &Deaths) {
        self.run(desk, deaths);
    }

    fn judge(&self, desk: &Desk, _: Time) {
        has_all_up_to(desk, newest(desk));
    }
}

#[test]
fn logs_are_followed() {
    walk("get_slony_logs --follow", Extent::Sample(10), &Following);
}

/// `subscribe_series` asks for series, applies their SQL and follows until the request is over.
struct Asking {
    /// What the site has subscribed to before.
    before: &'static str,
    list: &'static str,
    args: &'static [&'static str],
    /// What it has in the end.
    series: &'static [&'static str],
}

/// A site in front of a data centre.
struct Site {
    client: Client<'static>,
    station: &'static Station<'static>,
}

impl Asking {
    /// Runs the tool, which may find that nothing is left to do.
    fn ask(&self, client: &Client<'_>, deaths: &Deaths) {
        let list = client.list(self.list).display().to_string();
        let args = [&[list.as_str()], self.args].concat();
        let run = Run::of(until_it_ends(deaths, &|| client.command(&args)));
        let through = run.status == Some(4) && run.stderr.contains("is subscribed already");
        assert!(through || run.status == Some(0), "{run:#?}");
    }
}

impl Scenario for Asking {
    type World = Site;

    fn world(&self) -> Site {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        static STATION: OnceLock<Station<'static>> = OnceLock::new();
        let station = STATION.get_or_init(|| Station::started(cluster(), ""));
        let node = format!("site{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let client = Client::new(station, &node, "");
        if !self.before.is_empty() {
            client.subscribed(self.before, &[]);
        }
        Site { client, station }
    }

    fn root(&self, site: &Site) -> PathBuf {
        site.client.at("")
    }

    fn run(&self, site: &Site, deaths: &Deaths) {
        self.ask(&site.client, deaths);
    }

    fn run_again(&self, site: &Site, deaths: &Deaths) {
        self.ask(&site.client, deaths);
    }

    fn judge(&self, Site { client, station }: &Site, _: Time) {
        client.is_at_rest();
        assert_eq!(client.triggers(), [""; 0]);
        assert_eq!(client.tables(), self.series.join(" "));
        let list: String = self.series.iter().map(|series| format!("{series}\n")).collect();
        assert_eq!(station.read(&format!("etc/{}.lst", client.site.node())), list);
        client.site.assert_equal(station, self.series);
        let open = client.site.query("select count(*) from _jsoc.site_request where finished is null");
        assert_eq!(open, "0");
    }
}

#[test]
fn a_site_asks() {
    let scenario = Asking {
        before: "",
        list: "asked.a subscribe\nasked.b subscribe\n",
        args: &[],
        series: &["asked.a", "asked.b"],
    };
    walk("subscribe_series", Extent::Sample(10), &scenario);
}

#[test]
fn a_site_leaves() {
    let scenario = Asking {
        before: "asked.a subscribe\nasked.b subscribe\n",
        list: "asked.c subscribe\nasked.b unsubscribe\n",
        args: &["--drop"],
        series: &["asked.a", "asked.c"],
    };
    walk("subscribe_series --drop", Extent::Sample(10), &scenario);
}
