//! The end: everybody catches up, and then every copy equals the original, and nothing is left lying about.

use std::fs;
use std::path::Path;

use crate::NODES;
use crate::site::Site;
use crate::support::slony::ORIGIN;
use crate::support::{Comparison, wait};
use crate::world::{LIMIT, World};
use crate::{operator, shelf, warden};

/// Lets everybody catch up, and judges.
pub(crate) fn judge(world: &World<'_>, sites: &[Site<'_>]) {
    // What commands have left that were killed goes with the next start.
    world.station.stop();
    world.station.start();
    // A slon that came back while the server still had a session of the one before has given up for good.
    world.cluster.stop_slons();
    world.cluster.start_slons();
    let last = world.cluster.sync();
    world.station.wait_for("the splitter", || world.station.counter().filter(|at| *at >= last));
    let mut series = 0;
    for site in sites {
        catch_up(world, site, last);
        series += compare(world, site);
    }
    world.journal.note("verdict", format!("{series} series are equal after log {last}"));
    assert!(series > 0, "nobody is subscribed to anything at the end: there is nothing to compare");
    check_is_silent(world);
    warden::registry(world);
    for node in NODES {
        assert_eq!(shelf::gap(&shelf::logs(world, node)), None, "{node}");
    }
    world.station.stop();
    nothing_is_left(world, sites);
}

/// Decides what is still to be decided, and applies until the last log is in.
fn catch_up(world: &World<'_>, site: &Site<'_>, last: u64) {
    if site.series().is_empty() && site.place().is_none() {
        return;
    }
    let mut dice = world.dice("the last decisions");
    let mut said = String::new();
    let there = wait::within(LIMIT, || {
        operator::decide(world, &mut dice);
        let ended = site.follower.run(site.get_slony_logs(&[]), &site.at("follower.log"), || {});
        assert_eq!(ended.status, Some(0), "{}: {}", site.node, ended.said);
        said = ended.said;
        (site.place() >= Some(last)).then_some(())
    });
    let newest = shelf::newest(world, site.node);
    assert!(
        there.is_some(),
        "{} is at {:?} of {last}; the newest log is {newest:?}\n{said}",
        site.node,
        site.place()
    );
}

/// Compares every series of the site, and its record with the list; returns how many there are.
fn compare(world: &World<'_>, site: &Site<'_>) -> usize {
    let all = site.series();
    assert_eq!(site.listed(), all, "{}: the list of the data centre", site.node);
    let (origin, copy) = ((world.cluster.server(), ORIGIN), (world.remote, site.database.as_str()));
    for series in &all {
        let found = Comparison::between(origin, copy, series);
        assert!(
            found.is_equal(),
            "{series} of {} differs, of {} rows\nmissing: {:#?}\nextra: {:#?}",
            site.node,
            found.rows,
            &found.missing[..found.missing.len().min(5)],
            &found.extra[..found.extra.len().min(5)]
        );
    }
    all.len()
}

/// `subscription_manager check` finds nothing that an operator would have to do something about.
fn check_is_silent(world: &World<'_>) {
    let check = world.station.command(&["check"]);
    let said = [check.stdout, check.stderr].concat();
    assert!(check.status.success(), "check: {}", String::from_utf8_lossy(&said));
}

/// No temporary file, no open request, no process.
fn nothing_is_left(world: &World<'_>, sites: &[Site<'_>]) {
    let mut left = Vec::new();
    for part in ["triggers", "etc", "work", "site_logs"] {
        collect(&world.station.at(part), &mut left);
    }
    for site in sites {
        for name in ["request", "sql"] {
            assert!(!site.work(name).exists(), "{}: `{name}` is left", site.node);
        }
        collect(&site.at("bin"), &mut left);
    }
    let of_request = |name: &str| {
        [".new", ".held", ".part", ".die"].iter().any(|ending| name.ends_with(ending))
            || [".new.lst", ".new.cut", ".new_"].iter().any(|part| name.contains(part))
    };
    // A directory of ours where logs lie before they are applied.
    let is_known = |path: &Path| {
        path.is_dir()
            && sites.iter().any(|site| {
                path.ends_with(format!("logs/jsoc/.{}", site.node))
                    || path.ends_with(format!("logs/.{}", site.node))
            })
    };
    left.retain(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        (name.starts_with('.') && !is_known(path)) || of_request(&name)
    });
    assert!(left.is_empty(), "left: {left:#?}");
    let triggers = world.station.at("triggers");
    let open: Vec<_> = fs::read_dir(&triggers)
        .expect("list the drop directory")
        .flatten()
        .map(|entry| entry.file_name())
        .collect();
    let is_open = |name: &std::ffi::OsString| {
        let name = name.to_string_lossy();
        name != "rejected" && !name.ends_with(".counter")
    };
    assert!(!open.iter().any(is_open), "left in the drop directory: {open:?}");
    let ours = [
        world.station.at("manager.cfg").display().to_string(),
        world.remote.home().path().display().to_string() + "/",
        world.sshd.ssh_cmd().split(' ').next_back().unwrap_or_default().to_owned(),
    ];
    wait::within(LIMIT, || running(&ours).is_empty().then_some(()))
        .unwrap_or_else(|| panic!("these still run: {:#?}", running(&ours)));
}

fn collect(directory: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        found.push(entry.path());
        if entry.path().is_dir() {
            collect(&entry.path(), found);
        }
    }
}

/// The command lines of processes that name one of these files.
fn running(files: &[String]) -> Vec<String> {
    let processes = fs::read_dir("/proc").expect("list /proc").flatten();
    let line = |path: std::path::PathBuf| fs::read(path.join("cmdline")).ok();
    let lines = processes.filter_map(|entry| line(entry.path()));
    let lines = lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
    let names =
        |line: &String| files.iter().any(|file| line.split(' ').any(|word| word.starts_with(file.as_str())));
    lines.filter(names).collect()
}
