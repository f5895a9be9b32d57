//! What is on a terminal only: colours, and a list that is drawn again.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use crate::place::Place;
use crate::support::home::send;
use crate::support::programs;
use crate::support::station::MANAGER;

/// A node that needs a person.
fn one() -> Place {
    let place = Place::new(&[("nso", &["a.x"])], "");
    place.archives(1..=2);
    place.archive(2, &crate::text::undecided(2));
    place.split(2);
    place
}

/// What `list` shows on a terminal, with this in the environment.
fn on_terminal(place: &Place, variable: (&str, &str)) -> String {
    let list = format!("{MANAGER} --config {} list", place.at("manager.cfg").display());
    let mut script = Command::new(programs::find("script"));
    script
        .args(["-qec", &list, "/dev/null"])
        .env_remove("NO_COLOR")
        .env("TERM", "xterm")
        .env(variable.0, variable.1);
    let output = script.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn colours_are_for_terminals_that_want_them() {
    let place = one();
    let red = "\u{1b}[1m\u{1b}[31mstopped before 2: ";
    assert!(on_terminal(&place, ("SOME", "thing")).contains(red));
    for plain in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let text = on_terminal(&place, plain);
        assert!(text.contains("stopped before 2: ") && !text.contains('\u{1b}'), "{plain:?}: {text:?}");
    }
    assert!(!place.run(&["list"]).contains('\u{1b}'));
}

#[test]
fn what_is_watched_comes_again_until_ctrl_c() {
    let place = one();
    for (args, begin) in [
        (&["list", "--watch", "1"][..], "node "),
        (&["list", "--watch", "1", "--json"], "{\"version\""),
        (&["show", "nso", "--watch", "1"], "nso"),
        (&["show", "nso", "--watch", "1", "--json"], "{\"node\""),
        (&["status", "--watch", "1"], "manager "),
    ] {
        let mut command = Command::new(MANAGER);
        command.arg("--config").arg(place.at("manager.cfg")).args(args).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // Kept until the end: nobody who reads is a reason to stop, too.
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let seen: Vec<String> = lines.by_ref().filter(|line| line.starts_with(begin)).take(2).collect();
        assert_eq!(seen.len(), 2, "{args:?}");
        send("INT", child.id());
        assert!(child.wait().unwrap().success(), "{args:?}");
        drop(lines);
    }
}

#[test]
fn what_cannot_be_written_is_no_success() {
    let place = crate::by_hand::three();
    for (args, status) in [(&["list"][..], 1), (&["history"], 1), (&["status", "--json"], 2)] {
        let mut command = std::process::Command::new(MANAGER);
        command.arg("--config").arg(place.at("manager.cfg")).args(args);
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let output = command.stdout(full).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("write to standard output: No space left on device"), "{said}");
        assert_eq!(output.status.code(), Some(status), "{args:?}");
    }
    // The configuration may be named behind the command, too.
    let mut command = std::process::Command::new(MANAGER);
    command.arg("list").arg("--config").arg(place.at("manager.cfg"));
    assert!(command.output().unwrap().status.success());
}
