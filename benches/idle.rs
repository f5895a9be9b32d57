//! `make bench`: what the daemon costs while nothing happens. A thousand sites are registered, each with its directory and its
//! acknowledgement; slon is at rest, so that no archive comes.
//!
//! - processor time over a minute, as a share of one core, and resident memory;
//! - the same with a status file, and somebody who looks at the page and asks for the metrics every 15 seconds.
//!
//! It fails if either is more than there may be.

#[path = "../tests/support/mod.rs"]
mod support;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use support::station::log_name;
use support::{Cluster, Station};

/// Sites that are registered.
const NODES: usize = 1_000;
/// Logs that lie in each of their directories.
const LOGS: u64 = 10;
/// What a start has to do, and the first round of tidying, is over by then.
const SETTLED: Duration = Duration::from_secs(30);
/// How long is measured.
const MEASURED: Duration = Duration::from_secs(60);
/// How often somebody asks.
const ASKED: Duration = Duration::from_secs(15);

/// The share of a core that it may use, in hundredths.
const SHARE: f64 = 1.0;
/// The memory that it may have, in MiB.
const MEBIBYTES: f64 = 50.0;

fn main() -> ExitCode {
    // `cargo test --all-targets` runs benches once to see that they work; this one is for `make bench` only.
    if !std::env::args().any(|arg| arg == "--bench") {
        return ExitCode::SUCCESS;
    }
    let schema = "create schema idle; create table idle.a (id bigint primary key);";
    let cluster = Cluster::start(schema, "insert into idle.a values (1)", &["idle"]);
    while cluster.archiver_counter() <= LOGS {
        cluster.sync();
    }
    cluster.stop_slons();
    println!("\nthe daemon at rest, {NODES} nodes, a minute");
    let measured = [
        measure(&cluster, "alone", "", false),
        measure(&cluster, "page, metrics and status file", "http_listen=127.0.0.1:0\n", true),
    ];
    if measured.iter().all(|(share, mebibytes)| *share < SHARE && *mebibytes < MEBIBYTES) {
        return ExitCode::SUCCESS;
    }
    eprintln!("the daemon at rest costs more than {SHARE} % of a core, or {MEBIBYTES} MiB");
    ExitCode::FAILURE
}

/// The share of a core, in hundredths, and the memory in MiB.
fn measure(cluster: &Cluster, name: &str, settings: &str, watched: bool) -> (f64, f64) {
    let station = Station::new(cluster, settings);
    if watched {
        let file = station.at("status.json");
        station.configure(&format!("log_level=info\n{settings}status_file={}\n", file.display()));
    } else {
        station.configure(&format!("log_level=info\n{settings}"));
    }
    register(&station);
    station.start();
    std::thread::sleep(SETTLED);
    let ticks = station.cpu_ticks();
    let begun = Instant::now();
    while begun.elapsed() < MEASURED {
        if watched {
            let address = address(&station);
            for path in ["/", "/status.json", "/metrics"] {
                ask(&address, path);
            }
        }
        std::thread::sleep(ASKED.min(MEASURED.saturating_sub(begun.elapsed())));
    }
    // A tick is a hundredth of a second.
    let used = u32::try_from(station.cpu_ticks() - ticks).expect("a minute's ticks");
    let share = f64::from(used) / begun.elapsed().as_secs_f64();
    let mebibytes = f64::from(memory(&station, "VmRSS:")) / 1024.0;
    let peak = f64::from(memory(&station, "VmHWM:")) / 1024.0;
    println!(
        "  {name:<30} {share:6.2} % of a core (to reach: {SHARE})   {mebibytes:6.1} MiB (to reach: {MEBIBYTES}; at its peak {peak:.1})"
    );
    (share, mebibytes)
}

/// Registers the nodes. Each has still to fetch its logs, so that tidying leaves them where they are.
fn register(station: &Station<'_>) {
    let newest = station.cluster().archiver_counter();
    let mut registry = String::new();
    for node in (0..NODES).map(|number| format!("site{number:04}")) {
        let directory = station.at(&format!("site_logs/{node}"));
        let list = station.at(&format!("etc/{node}.lst"));
        fs::create_dir(&directory).expect("create a directory");
        fs::write(&list, "idle.a\n").expect("write a list");
        for counter in 1..=LOGS {
            fs::write(directory.join(log_name(newest + counter - LOGS)), "-- nothing\n")
                .expect("write a log");
        }
        fs::write(directory.join("slony_counter.txt"), format!("{}\n", newest - LOGS))
            .expect("write a counter");
        registry += &format!("{}\t{}\n", directory.display(), list.display());
    }
    fs::write(station.at("etc/slon_parser.cfg"), registry).expect("write the registry");
}

fn address(station: &Station<'_>) -> String {
    let said = station.said();
    let line = said.lines().find(|line| line.contains("the status page is served")).expect("it is served");
    let (_, address) = line.split_once("address=").expect("an address");
    address.chars().take_while(|c| c.is_ascii_digit() || ".:".contains(*c)).collect()
}

fn ask(address: &str, path: &str) {
    let mut stream = TcpStream::connect(address).expect("connect");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").expect("ask");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("read an answer");
    assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {}", &answer[..answer.len().min(200)]);
}

/// A line of the system's account of the daemon's memory, in KiB.
fn memory(station: &Station<'_>, key: &str) -> u32 {
    let status = fs::read_to_string(format!("/proc/{}/status", station.process())).expect("the daemon runs");
    let line = status.lines().find_map(|line| line.strip_prefix(key)).expect("the line");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}
