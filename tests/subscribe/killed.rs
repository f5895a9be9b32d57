//! The client dies at every step, and is run again.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::client::{Client, Run, SUBSCRIBE};
use crate::cluster;
use crate::support::{Station, programs};

/// A run that is killed.
struct Case {
    /// What the site has subscribed to before.
    before: &'static str,
    list: &'static str,
    args: &'static [&'static str],
    /// What it is subscribed to in the end.
    series: &'static [&'static str],
}

const SUBSCRIBING: Case = Case {
    before: "",
    list: "killed.a subscribe\nkilled.b subscribe\n",
    args: &[],
    series: &["killed.a", "killed.b"],
};

const LEAVING: Case = Case {
    before: "killed.a subscribe\nkilled.b subscribe\n",
    list: "killed.c subscribe\nkilled.b unsubscribe\n",
    args: &["--drop"],
    series: &["killed.a", "killed.c"],
};

impl Case {
    /// Kills the client at every call of this kind in turn, until a run has no call of that number; the next run must end
    /// as if nothing had been.
    fn killed_at(&self, call: &str, node: &str) {
        let station = Station::started(cluster(), "");
        let mut kills = 0;
        for step in 1.. {
            let node = format!("{node}{step}");
            let client = Client::new(&station, &node, "");
            if !self.before.is_empty() {
                client.subscribed(self.before, &[]);
            }
            let first = self.run_to_die(&client, call, step);
            if first.status != Some(0) {
                kills += 1;
                self.run_again(&client, step % 2 == 0, &format!("{call} {step}:\n{}", first.stderr));
            }
            client.is_at_rest();
            assert_eq!(client.triggers(), [""; 0], "{call} {step}");
            assert_eq!(client.tables(), self.series.join(" "), "{call} {step}");
            let list: String = self.series.iter().map(|series| format!("{series}\n")).collect();
            assert_eq!(station.read(&format!("etc/{node}.lst")), list, "{call} {step}");
            client.site.assert_equal(&station, self.series);
            let open = client.site.query("select count(*) from _jsoc.site_request where finished is null");
            assert_eq!(open, "0", "{call} {step}");
            if first.status == Some(0) {
                break;
            }
        }
        assert!(kills >= 2, "{call}: {kills}");
    }

    fn run_to_die(&self, client: &Client<'_>, call: &str, step: u32) -> Run {
        let inject = format!("inject={call}:signal=SIGKILL:when={step}");
        let trace = format!("trace={call}");
        let strace = programs::find("strace");
        let mut command = Command::new(strace);
        command.args(["-f", "-qq", "-o", "/dev/null", "-e", &trace, "-e", &inject]);
        command.arg(Path::new(SUBSCRIBE)).arg(client.at("site.cfg")).arg(client.list(self.list));
        Run::of(command.args(self.args).stdin(Stdio::null()).output().expect("run strace"))
    }

    fn run_again(&self, client: &Client<'_>, resume: bool, what: &str) {
        let is_open = client.names().contains(&"request".to_owned());
        let again = if is_open && resume {
            client.go_on(&[&["-r"], self.args].concat())
        } else {
            client.subscribe(self.list, self.args)
        };
        // Killed when nothing was left to be done, it was through.
        let through = !is_open && again.status == Some(4) && again.stderr.contains("is subscribed already");
        assert!(through || again.status == Some(0), "{what}\n{}", again.stderr);
    }
}

#[test]
fn killed_at_every_rename() {
    // The two ways in which it renames.
    SUBSCRIBING.killed_at("rename", "ren");
    SUBSCRIBING.killed_at("renameat", "ret");
}

#[test]
fn killed_at_every_removal() {
    SUBSCRIBING.killed_at("unlink", "unl");
    LEAVING.killed_at("unlink", "lul");
}

#[test]
fn killed_at_every_connection() {
    SUBSCRIBING.killed_at("connect", "con");
}

#[test]
fn killed_while_it_leaves_a_series() {
    LEAVING.killed_at("connect", "lco");
}
