//! The client dies at every step, and is run again.

use std::process::Stdio;

use crate::client::{Client, Run, SUBSCRIBE};
use crate::support::{Station, programs};
use crate::{change, cluster};

/// Kills the client at every call of this kind in turn, until a run has no call of that number; the next run must end as
/// if nothing had been.
fn killed_at(call: &str, node: &str) {
    let strace = programs::find("strace");
    let station = Station::started(cluster(), "");
    let mut kills = 0;
    for step in 1.. {
        let node = format!("{node}{step}");
        let client = Client::new(&station, &node, "");
        let list = client.list("killed.a subscribe\nkilled.b subscribe\n");
        let inject = format!("inject={call}:signal=SIGKILL:when={step}");
        let trace = format!("trace={call}");
        let mut command = std::process::Command::new(&strace);
        command.args(["-f", "-qq", "-o", "/dev/null", "-e", &trace, "-e", &inject, SUBSCRIBE]);
        command.arg(client.at("site.cfg")).arg(&list).stdin(Stdio::null());
        let first = Run::of(command.output().expect("run strace"));
        if first.status != Some(0) {
            kills += 1;
            let is_open = client.names().contains(&"request".to_owned());
            let again = if is_open && step % 2 == 0 {
                client.go_on(&["-r"])
            } else {
                client.subscribe("killed.a subscribe\nkilled.b subscribe\n", &[])
            };
            // Killed when nothing was left to be done, it may have been through.
            let through =
                !is_open && again.status == Some(4) && again.stderr.contains("is subscribed already");
            assert!(through || again.status == Some(0), "{call} {step}:\n{}\n{}", first.stderr, again.stderr);
            if through {
                client.subscribe("killed.c subscribe\n", &[]).is(0, "", &client);
            }
        }
        client.is_at_rest();
        assert_eq!(client.triggers(), [""; 0], "{call} {step}");
        let list = station.read(&format!("etc/{node}.lst"));
        assert!(list.starts_with("killed.a\nkilled.b\n"), "{call} {step}: {list}");
        client.site.assert_equal(&station, &["killed.a", "killed.b"]);
        assert_eq!(
            client.site.query("select count(*) from _jsoc.site_request where finished is null"),
            "0",
            "{call} {step}"
        );
        if first.status == Some(0) {
            break;
        }
    }
    assert!(kills >= 2, "{call}: {kills}");
    change("killed.a");
}

#[test]
fn killed_at_every_rename() {
    // The two ways in which it renames.
    killed_at("rename", "ren");
    killed_at("renameat", "ret");
}

#[test]
fn killed_at_every_removal() {
    killed_at("unlink", "unl");
}

#[test]
fn killed_at_every_connection() {
    killed_at("connect", "con");
}
