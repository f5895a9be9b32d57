//! `make demo`: the main job from end to end, on a throw-away PostgreSQL with a real Slony-I cluster, step by step.
//!
//! A remote site subscribes, applies its site logs, changes its mind, and in the end has the same rows as the origin;
//! if it has not, the program fails. `cargo test` runs it too.

mod site;
#[path = "../tests/support/mod.rs"]
mod support;
mod telling;

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;
use std::{env, fs};

use site::{Following, Remote};
use support::series::{SCHEMAS, schema_sql, seed_sql};
use support::site::OWNER;
use support::slony::ORIGIN;
use support::station::log_name;
use support::{Cluster, Comparison, Site, Sshd, Station, Writer};
use telling::{excerpt, file, say, shell, step};

/// The remote site's node.
const NODE: &str = "nso";

/// The series that the writer writes to.
const SERIES: [&str; 3] = ["hmi.m_45s", "hmi.v_45s", "mdi.fd_m_96m_lev18"];

/// What the site asks for at first, as people at sites write it.
const FIRST: &str = "hmi.M_45s subscribe\nmdi.fd_M_96m_lev18 subscribe";

/// What it asks for later.
const SECOND: &str = "hmi.V_45s subscribe\nmdi.fd_M_96m_lev18 unsubscribe";

/// What it has in the end, and what it had before.
const SUBSCRIBED: [&str; 2] = ["hmi.m_45s", "hmi.v_45s"];
const DROPPED: &str = "mdi.fd_m_96m_lev18";

fn main() -> ExitCode {
    if is_filtered_out() {
        return ExitCode::SUCCESS;
    }
    let start = Instant::now();
    println!("A remote site subscribes to tables that Slony-I replicates, and gets exactly their changes.");
    println!("(It takes ten seconds to start PostgreSQL and Slony-I.)");
    let cluster = Cluster::start(&schema_sql(), &seed_sql(), SCHEMAS);
    let home = cluster.server().socket_dir().to_owned();
    let is_equal = tell(&cluster);
    drop(cluster);
    assert!(!home.exists(), "{} is still there", home.display());
    say(&format!(
        "Took {} s. All servers have ended, and {} is removed.",
        start.elapsed().as_secs(),
        home.display()
    ));
    println!("\ndemo: {}", if is_equal { "1 passed, 0 failed" } else { "0 passed, 1 failed" });
    if is_equal { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Whether the arguments of `cargo test` mean other tests, or only want to know what there is.
fn is_filtered_out() -> bool {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    if has("--list") && !has("--ignored") {
        println!("demo: test");
    }
    let mut names = arguments.iter().filter(|argument| !argument.starts_with('-')).peekable();
    let is_named = names.peek().is_none() || names.any(|name| "demo".contains(name.as_str()));
    has("--list") || has("--ignored") || !is_named
}

/// The steps; returns whether the site equals the origin.
fn tell(cluster: &Cluster) -> bool {
    let writer = Writer::start(cluster, &SERIES);
    let station = Station::new(cluster, "");
    let site = Site::new(cluster, NODE);
    let sshd = Sshd::start();
    show_data_centre(cluster, &station);

    step(1, "The operator starts the daemon");
    shell("subscription_manager --config manager.cfg run");
    station.start();
    say("It watches `triggers`, where sites drop files, and cuts the archives down to what each site wants.");
    say("sshd lets sites in, for sftp and nothing else. The site `nso` has this configuration:");
    let remote = Remote::new(cluster, &station, &sshd, &site);
    file("nso.cfg", "");
    excerpt(&remote.config());

    step(2, "The new site `nso` subscribes to two of the three series");
    file("nso.list", "");
    excerpt(FIRST);
    shell("subscribe_series nso.cfg nso.list");
    remote.subscribe(FIRST, &[]);
    say("In the daemon's log:");
    excerpt(&logged(&station));
    let cut = site.counter();
    say(&format!(
        "The SQL held every change up to archive {cut}. The writer has executed {} statements so far.",
        writer.rows()
    ));

    step(3, "The site follows: it fetches its site logs and applies them as they come");
    let mut following = remote.follow();
    follow(cluster, &station, &site, &mut following, cut);

    step(4, "The site adds the third series and drops one of the first two, in one request");
    file("nso.list", "");
    excerpt(SECOND);
    shell("subscribe_series nso.cfg nso.list --drop");
    say("The writer goes on. get_slony_logs pauses meanwhile, and logs after the cut are held back for it.");
    remote.subscribe(SECOND, &["--drop"]);
    let here = site.counter();
    following.await_counter(&station, &site, here + 20);
    shell("subscribe_series status nso.cfg");
    excerpt(&remote.status());

    step(5, "The writer stops, and every row at the site is compared with the origin");
    let statements = writer.rows();
    writer.stop();
    let counter = station.caught_up();
    following.await_counter(&station, &site, counter);
    following.stop();
    say(&format!(
        "After {statements} statements of the writer the last site log is {counter}; it is applied."
    ));
    compare(cluster, &site)
}

/// The scene, before the software comes into it.
fn show_data_centre(cluster: &Cluster, station: &Station<'_>) {
    let server = cluster.server();
    let version = server.query("postgres", "select split_part(version(), ' ', 2)");
    let slony = server.query(ORIGIN, "select _jsoc.getModuleVersion()");
    let [first, second, third] = SERIES;
    println!();
    say(&format!("What runs now, in {}:", station.at("..").canonicalize().expect("it exists").display()));
    say(&format!(
        "- PostgreSQL {version} with the database `origin` of a data centre, and a writer who inserts,"
    ));
    say(&format!("  updates and deletes there without a pause, in {first}, {second} and {third};"));
    say(&format!(
        "- Slony-I {slony}, which replicates these series to the database `archiver`, whose `slon -a`"
    ));
    say("  writes all changes as SQL files with rising numbers, the archives;");
    say("- the database of a remote site, which can reach none of this, only some files, by sftp.");
}

/// The daemon's log of the request so far, without times and what the files have told already.
fn logged(station: &Station<'_>) -> String {
    let said = station.said();
    let about = format!(" node={NODE}");
    let lines = said.lines().filter_map(|line| Some(line.split_once(" INFO ")?.1));
    let told = ["stage ", "the SQL ", "the site "];
    let lines = lines.filter(|line| line.contains(&about) && !told.iter().any(|it| line.starts_with(it)));
    lines.map(|line| line.to_owned() + "\n").collect()
}

/// Lets the site follow the writer for a while, and shows what it gets.
fn follow(cluster: &Cluster, station: &Station<'_>, site: &Site<'_>, following: &mut Following, cut: u64) {
    let server = cluster.server();
    let is_superuser =
        server.query("postgres", &format!("select rolsuper from pg_roles where rolname = '{OWNER}'"));
    assert_eq!(is_superuser, "f", "a site must not need a superuser");
    shell("get_slony_logs nso.cfg --follow");
    say(&format!("It applies each once, as the role `{OWNER}`, which is no superuser. After fifty of them:"));
    following.await_counter(station, site, cut + 50);
    let counters = cut + 1..=cut + 50;
    let log = log_name(cut + 50);
    let kilobytes = |directory: &Path| {
        let bytes = counters
            .clone()
            .map(|counter| fs::metadata(directory.join(log_name(counter))).map(|it| it.len()));
        bytes.sum::<Result<u64, _>>().expect("every log is there") / 1024
    };
    file(
        &format!("archives/{log}"),
        &format!("all changes; the fifty: {} kB", kilobytes(cluster.archive_dir())),
    );
    let site_logs = station.at("site_logs/nso");
    file(&format!("site_logs/nso/{log}"), &format!("of its series only; {} kB", kilobytes(&site_logs)));
    shell("subscription_manager --config manager.cfg list");
    let listed = station.command(&["list"]);
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    excerpt(&String::from_utf8_lossy(&listed.stdout));
}

/// Prints the table, and returns whether nothing differs.
fn compare(cluster: &Cluster, site: &Site<'_>) -> bool {
    let of = |series| Comparison::of(cluster.server(), series, ORIGIN, site.database());
    println!("\n   {:<24}{:>8}   equal", "series", "rows");
    let mut is_equal = true;
    for series in SUBSCRIBED {
        let found = of(series);
        let verdict = if found.is_equal() {
            "yes".to_owned()
        } else {
            format!("NO: {} rows are missing, {} should not be there", found.missing.len(), found.extra.len())
        };
        println!("   {series:<24}{:>8}   {verdict}", found.rows);
        is_equal &= found.is_equal();
    }
    println!();
    let is_there = site.query(&format!("select to_regclass('{DROPPED}') is not null"));
    is_equal &= is_there == "f";
    say(&format!(
        "{DROPPED}, which was dropped, is {} at the site.",
        if is_there == "f" { "gone" } else { "STILL THERE" }
    ));
    is_equal
}
