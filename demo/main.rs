//! `make demo`: the main job from end to end, on a throw-away PostgreSQL with a real Slony-I cluster, told step by step.
//!
//! A remote site subscribes, applies its site logs, changes its mind, and in the end has the same rows as the origin. The
//! program fails if it has not. `cargo test` runs it too.

#[path = "../tests/support/mod.rs"]
mod support;
mod telling;

use std::process::ExitCode;
use std::thread;
use std::time::Instant;

use support::series::{SCHEMAS, schema_sql, seed_sql};
use support::site::OWNER;
use support::slony::ORIGIN;
use support::{Cluster, Comparison, Ingester, Site, Station, Writer};
use telling::{excerpt, file, say, shell, step};

/// The remote site's node.
const NODE: &str = "nso";

/// The series that the writer writes to.
const SERIES: [&str; 3] = ["hmi.m_45s", "mdi.fd_m_96m_lev18", "hmi.v_45s"];

/// What the site asks for at first, as people at sites write it, and what it has then.
const FIRST: (&str, [&str; 2]) =
    ("hmi.M_45s subscribe\nmdi.fd_M_96m_lev18 subscribe", [SERIES[0], SERIES[1]]);

/// What it asks for later, and what it has in the end.
const SECOND: (&str, [&str; 2]) =
    ("hmi.V_45s subscribe\nmdi.fd_M_96m_lev18 unsubscribe", [SERIES[0], SERIES[2]]);

fn main() -> ExitCode {
    if is_filtered_out() {
        return ExitCode::SUCCESS;
    }
    let start = Instant::now();
    println!("A remote site subscribes to tables that Slony-I replicates, and gets exactly their changes.");
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

/// Whether `cargo test NAME` means other tests.
fn is_filtered_out() -> bool {
    let mut names = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).peekable();
    names.peek().is_some() && !names.any(|name| "demo".contains(&name))
}

/// The six steps; returns whether the site equals the origin.
fn tell(cluster: &Cluster) -> bool {
    let writer = Writer::start(cluster, &SERIES);
    let station = Station::new(cluster, "");
    let site = Site::new(cluster, NODE);
    show_data_centre(cluster, &station);

    step(1, "The operator starts the daemon");
    shell("subscription_manager --config manager.cfg run");
    station.start();
    say("It watches the directory `triggers`, where sites drop files, and the archives as they appear.");

    step(2, "The new site `nso` asks for two of the three series");
    say(
        "It drops a trigger file. The daemon answers with SQL: the tables, and their rows as they are just now.",
    );
    let cut = ask(&station, &site, FIRST.0);
    say(&format!(
        "`cut {cut}` says: the SQL holds all changes up to archive {cut}, and the first site log will be {}.",
        cut + 1
    ));

    step(3, "The site applies the SQL");
    answer(&station, &site, &writer);

    // The ingester borrows from here what it shares with the steps.
    thread::scope(|scope| {
        step(4, "The site applies its site logs as they come");
        let ingester = Ingester::start(scope, &site, &station);
        follow(cluster, &station, &ingester, cut);

        step(5, "The site adds the third series and drops one of the first two, in one request");
        let cut = ask(&station, &site, SECOND.0);
        say(
            "The writer goes on. Logs after the cut are held back until the site has the new table: it stops",
        );
        say("applying logs, applies the SQL, answers, and goes on with the logs after the one it had.");
        {
            let _paused = ingester.pause();
            answer(&station, &site, &writer);
        }
        ingester.await_counter(&station, cut + 20);
        say(&format!("Since then it has applied site logs up to {}.", ingester.counter()));

        step(6, "The writer stops, and every row at the site is compared with the original");
        say(&format!("The writer ends after {} statements.", writer.rows()));
        writer.stop();
        let counter = station.caught_up();
        ingester.await_counter(&station, counter);
        say(&format!("The site has applied its last site log, {counter}."));
        compare(cluster, &site)
    })
}

/// The scene, before the software comes into it.
fn show_data_centre(cluster: &Cluster, station: &Station<'_>) {
    let server = cluster.server();
    let version = server.query("postgres", "select split_part(version(), ' ', 2)");
    let slony = server.query(ORIGIN, "select _jsoc.getModuleVersion()");
    println!();
    say(&format!("All of it lives in {}, here called `.`:", station.at("").display()));
    say(&format!(
        "- PostgreSQL {version} with the database `origin` of a data centre. A writer inserts, updates and"
    ));
    say(&format!("  deletes there without a pause, in three series: {}.", SERIES.join(", ")));
    say(&format!(
        "- Slony-I {slony}, which replicates them to `archiver`. There `slon -a ../archives` writes every"
    ));
    say("  change as SQL files with rising numbers, the archives.");
    say("- the database of a remote site. It cannot reach the other two, only the files below.");
}

/// The site asks and gets its SQL; returns the cut.
fn ask(station: &Station<'_>, site: &Site<'_>, lines: &str) -> u64 {
    let start = Instant::now();
    site.ask(station, lines);
    file("triggers/nso.subscription_series.tgr", "by the site: its request");
    excerpt(&format!("node {NODE}\narchive 0\nretention 21\ntapegroup 1\n{lines}\nend\n"));
    let text = site.await_sql(station);
    let milliseconds = start.elapsed().as_millis();
    let cut = text.lines().next().and_then(|line| line.strip_prefix("cut ")?.parse().ok());
    let Some(cut) = cut else { panic!("{text}\n{}", station.said()) };
    file("triggers/nso.subscription_series.cfg", "by the daemon: the request is accepted");
    for name in ["nso.createns.sql", "nso.subscribe_series.sql"] {
        let bytes = station.read(&format!("triggers/{name}")).len();
        file(&format!("triggers/{name}"), &format!("{bytes} bytes"));
    }
    file("triggers/nso.subscription_series.sqldone", &format!("the SQL is whole, after {milliseconds} ms"));
    excerpt(&text);
    cut
}

/// The site applies the SQL, says so, and is told that its subscription is finished.
fn answer(station: &Station<'_>, site: &Site<'_>, writer: &Writer) {
    shell(&format!("psql -U {OWNER} -f nso.createns.sql; psql -U {OWNER} -f nso.subscribe_series.sql"));
    site.apply_sql(station);
    file("triggers/nso.subscription_series.sqlapplied", "by the site: the .cfg and a line `success true`");
    let done = site.answer(station, true);
    file("triggers/nso.subscription_series.done", "by the daemon: these are the site's series now");
    excerpt(&done);
    say(&format!("The writer has executed {} statements so far.", writer.rows()));
}

/// Lets the site follow the writer for a while, and shows what it gets.
fn follow(cluster: &Cluster, station: &Station<'_>, ingester: &Ingester<'_>, cut: u64) {
    ingester.await_counter(station, cut + 50);
    say(&format!(
        "The daemon cuts each archive down to the series of {NODE}. The site feeds every one to psql, as the"
    ));
    let server = cluster.server();
    let is_superuser =
        server.query("postgres", &format!("select rolsuper from pg_roles where rolname = '{OWNER}'"));
    assert_eq!(is_superuser, "f", "a site must not need a superuser");
    say(&format!("role `{OWNER}`, which is no superuser. Since the cut:"));
    let counter = ingester.counter();
    let size = |path: std::path::PathBuf| path.metadata().map_or(0, |it| it.len());
    let total = |directory: std::path::PathBuf| -> u64 {
        (cut + 1..=counter).map(|number| size(directory.join(support::station::log_name(number)))).sum()
    };
    file(
        &format!("../archives/{}", support::station::log_name(counter)),
        &format!("{} archives, {} kB", counter - cut, total(cluster.archive_dir().to_owned()) / 1024),
    );
    file(
        &format!("site_logs/nso/{}", support::station::log_name(counter)),
        &format!("{} site logs, {} kB", counter - cut, total(station.at("site_logs/nso")) / 1024),
    );
    shell("subscription_manager --config manager.cfg list");
    let listed = station.command(&["list"]);
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    excerpt(&String::from_utf8_lossy(&listed.stdout));
}

/// Prints the table, and returns whether nothing differs.
fn compare(cluster: &Cluster, site: &Site<'_>) -> bool {
    let server = cluster.server();
    println!("\n    {:<24}{:>8}   equal", "series", "rows");
    let mut is_equal = true;
    for series in SECOND.1 {
        let found = Comparison::of(server, series, ORIGIN, site.database());
        let verdict = match found.is_equal() {
            true => "yes".to_owned(),
            false => format!(
                "NO: {} rows only at the origin, {} only at the site",
                found.missing.len(),
                found.extra.len()
            ),
        };
        println!("    {series:<24}{:>8}   {verdict}", found.rows);
        is_equal &= found.is_equal();
    }
    println!();
    let dropped = SERIES[1];
    let found = Comparison::of(server, dropped, ORIGIN, site.database());
    say(&format!(
        "{dropped} was dropped: its table stays at the site as it was then; {} of its {} rows differ.",
        found.missing.len(),
        found.rows
    ));
    is_equal
}
