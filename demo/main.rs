//! `make demo`: the main job from end to end, on a throw-away PostgreSQL with a real Slony-I cluster, step by step.
//!
//! A remote site subscribes, applies its site logs, changes its mind, and in the end has the same rows as the origin;
//! if it has not, the program fails. `cargo test` runs it too.

#[path = "../tests/support/mod.rs"]
mod support;
mod telling;

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;
use std::{env, fs, thread};

use support::series::{SCHEMAS, schema_sql, seed_sql};
use support::site::OWNER;
use support::slony::ORIGIN;
use support::station::log_name;
use support::{Cluster, Comparison, Ingester, Site, Station, Writer};
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

/// The six steps; returns whether the site equals the origin.
fn tell(cluster: &Cluster) -> bool {
    let writer = Writer::start(cluster, &SERIES);
    let station = Station::new(cluster, "");
    let site = Site::new(cluster, NODE);
    show_data_centre(cluster, &station);

    step(1, "The operator starts the daemon");
    shell("subscription_manager --config manager.cfg run");
    station.start();
    say("It watches `triggers`, where sites drop files, and cuts the archives down to what each site wants.");

    step(2, "The new site `nso` asks for two of the three series");
    say("It drops a trigger file. The daemon answers with SQL: the tables, and their rows as they are now.");
    let answer = ask(&station, &site, FIRST);
    show_answer(&station, &site, &answer);
    let cut = answer.cut;

    step(3, "The site applies the SQL and says so");
    finish(&station, &site, &writer);
    say("In the daemon's log:");
    excerpt(&logged(&station));

    // The ingester borrows from here what it shares with the steps.
    thread::scope(|scope| {
        step(4, "The site applies its site logs as they come");
        let ingester = Ingester::start(scope, &site, &station);
        follow(cluster, &station, &ingester, cut);

        step(5, "The site adds the third series and drops one of the first two, in one request");
        let Answer { cut, milliseconds, .. } = ask(&station, &site, SECOND);
        file("triggers/nso.subscription_series.tgr", "the site asks, among others with these lines:");
        excerpt(SECOND);
        file(
            "triggers/nso.subscription_series.sqldone",
            &format!("after {milliseconds} ms the SQL is whole"),
        );
        say(&format!(
            "The writer goes on. Logs after the cut, {cut}, are held back until the site has the new table."
        ));
        say("The site stops applying logs meanwhile, and then goes on with the log after the one it had.");
        {
            let _paused = ingester.pause();
            finish(&station, &site, &writer);
        }
        ingester.await_counter(&station, cut + 20);
        say(&format!("Since then it has applied its site logs up to {}.", ingester.counter()));

        step(6, "The writer stops, and every row at the site is compared with the origin");
        let statements = writer.rows();
        writer.stop();
        let counter = station.caught_up();
        ingester.await_counter(&station, counter);
        say(&format!(
            "After {statements} statements of the writer the last site log is {counter}; it is applied."
        ));
        compare(cluster, &site)
    })
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
    say("- the database of a remote site, which can reach none of this, only the files below.");
}

/// What the daemon says in `.sqldone`.
struct Answer {
    text: String,
    cut: u64,
    /// From the trigger to the answer.
    milliseconds: u128,
}

/// The site asks and gets its SQL.
fn ask(station: &Station<'_>, site: &Site<'_>, lines: &str) -> Answer {
    let start = Instant::now();
    site.ask(station, lines);
    let text = site.await_sql(station);
    let milliseconds = start.elapsed().as_millis();
    let cut = text.lines().next().and_then(|line| line.strip_prefix("cut ")?.parse().ok());
    let Some(cut) = cut else { panic!("{text}\n{}", station.said()) };
    Answer { text, cut, milliseconds }
}

/// All files of the first request.
fn show_answer(station: &Station<'_>, site: &Site<'_>, answer: &Answer) {
    let Answer { text, cut, milliseconds } = answer;
    file("triggers/nso.subscription_series.tgr", "the site asks");
    excerpt(&site.request(FIRST));
    file("triggers/nso.subscription_series.cfg", "the daemon has accepted the request");
    for name in ["triggers/nso.createns.sql", "triggers/nso.subscribe_series.sql"] {
        file(name, &format!("{} bytes", station.read(name).len()));
    }
    file("triggers/nso.subscription_series.sqldone", &format!("after {milliseconds} ms the SQL is whole"));
    excerpt(text);
    let next = cut + 1;
    say(&format!(
        "`cut {cut}`: the SQL holds every change up to archive {cut}; site logs begin with {next}."
    ));
}

/// The site applies the SQL, says so, and is told that its subscription is finished.
fn finish(station: &Station<'_>, site: &Site<'_>, writer: &Writer) {
    shell(&format!("psql -U {OWNER} -f nso.createns.sql; psql -U {OWNER} -f nso.subscribe_series.sql"));
    site.apply_sql(station);
    file("triggers/nso.subscription_series.sqlapplied", "the site adds `success true` to the .cfg");
    let done = site.answer(station, true);
    file("triggers/nso.subscription_series.done", "the daemon has finished; the site's series are");
    excerpt(&done);
    say(&format!("The writer has executed {} statements so far.", writer.rows()));
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
fn follow(cluster: &Cluster, station: &Station<'_>, ingester: &Ingester<'_>, cut: u64) {
    let server = cluster.server();
    let is_superuser =
        server.query("postgres", &format!("select rolsuper from pg_roles where rolname = '{OWNER}'"));
    assert_eq!(is_superuser, "f", "a site must not need a superuser");
    say(&format!(
        "It feeds each one to psql, as the role `{OWNER}`, which is no superuser. After fifty of them:"
    ));
    ingester.await_counter(station, cut + 50);
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
    let found = of(DROPPED);
    say(&format!(
        "{DROPPED}, which was dropped, stays at the site as it was: {} of its {} rows are not there.",
        found.missing.len(),
        found.rows
    ));
    is_equal
}
