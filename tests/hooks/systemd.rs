//! What systemd is told, by a socket that listens in its place.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use crate::support::Site;
use crate::{cluster, send, station, support};

/// Listens in place of systemd.
struct Listener {
    socket: UnixDatagram,
    /// Everything that was said, a word with its value for each line.
    heard: Vec<(String, String)>,
}

impl Listener {
    /// Hears what comes until one says this; returns what it said.
    #[track_caller]
    fn until(&mut self, word: &str) -> String {
        let begun = std::time::Instant::now();
        let mut bytes = [0; 4096];
        while begun.elapsed() < support::station::LIMIT {
            let Ok(length) = self.socket.recv(&mut bytes) else { continue };
            let text = String::from_utf8(bytes[..length].to_vec()).expect("text");
            let said: BTreeMap<String, String> = text
                .lines()
                .map(|line| line.split_once('=').expect("word=value"))
                .map(|(word, value)| (word.to_owned(), value.to_owned()))
                .collect();
            let value = said.get(word).cloned();
            self.heard.extend(said);
            if let Some(value) = value {
                return value;
            }
        }
        panic!("waited in vain for {word}: {:?}", self.heard)
    }

    /// The words that were said from this one on, each once in its place.
    fn order(&self) -> Vec<&str> {
        let mut words: Vec<&str> = self.heard.iter().map(|(word, _)| word.as_str()).collect();
        words.dedup();
        words
    }
}

#[test]
fn it_hears_that_the_daemon_is_ready_turns_reloads_and_ends() {
    let station = station("rescan=1", &[]);
    let seen = station.at("environment");
    let settings = format!("rescan=1\nhook.started=sh -c 'env >{0}.part; mv {0}.part {0}'\n", seen.display());
    station.configure(&settings);
    let path = station.at("notify");
    let socket = UnixDatagram::bind(&path).expect("bind a socket");
    socket.set_read_timeout(Some(Duration::from_secs(1))).expect("set a limit");
    let mut listener = Listener { socket, heard: Vec::new() };
    let variables = [("NOTIFY_SOCKET", path.display().to_string()), ("WATCHDOG_USEC", "400000".to_owned())];
    station.start_with(&variables.map(|(variable, value)| (variable.to_owned(), value)));
    assert_eq!(listener.until("READY"), "1");
    assert!(listener.order().starts_with(&["EXTEND_TIMEOUT_USEC"]), "{:?}", listener.order());
    assert!(!listener.order().contains(&"WATCHDOG"), "{:?}", listener.order());
    assert_eq!(listener.until("STATUS"), "0 nodes, 0 requests under way");
    for _ in 0..3 {
        assert_eq!(listener.until("WATCHDOG"), "1");
    }
    let site = Site::new(cluster(), "nso");
    site.subscribe(&station, "seen.d subscribe");
    while listener.until("STATUS") != "1 node, 0 requests under way" {}

    // A daemon that stands still does not say that it turns.
    let beats = |listener: &Listener| listener.heard.iter().filter(|(word, _)| word == "WATCHDOG").count();
    send(&station, "STOP");
    while listener.socket.recv(&mut [0; 4096]).is_ok() {}
    let before = beats(&listener);
    send(&station, "CONT");
    listener.until("WATCHDOG");
    assert_eq!(beats(&listener), before + 1);

    for (settings, outcome) in [(settings, "is taken over"), ("rescan=0".to_owned(), "is not taken over")] {
        station.configure(&settings);
        listener.heard.clear();
        send(&station, "HUP");
        assert_eq!(listener.until("RELOADING"), "1");
        let (_, now) =
            listener.heard.iter().find(|(word, _)| word == "MONOTONIC_USEC").expect("a time").clone();
        assert!(now.parse::<u64>().is_ok_and(|now| now > 0), "{now}");
        assert_eq!(listener.until("READY"), "1");
        assert!(station.said().contains(outcome), "{}", station.said());
    }
    send(&station, "TERM");
    assert_eq!(listener.until("STOPPING"), "1");
    station.wait_for("the end", || station.has_ended().then_some(()));
    let environment = fs::read_to_string(seen).expect("what the hook saw");
    assert!(environment.contains("PATH="), "{environment}");
    for variable in ["NOTIFY_SOCKET", "WATCHDOG_USEC"] {
        assert!(!environment.contains(variable), "{environment}");
    }
}
