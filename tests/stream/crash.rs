//! slon dies between the name of an archive and its commit: the number is given again, to other content.

use std::fs;
use std::path::PathBuf;

use crate::support::slony::ARCHIVER;
use crate::support::station::log_name;
use crate::support::{Site, Station};
use crate::{alone, change, cluster};

/// What the archive in question holds, and no other.
const MARK: &str = "the row of the archive in question";

/// slon runs it when an archive has its name, and commits when it has ended: it says which archive holds the mark, and
/// waits while a file is there.
const HOOK: &str = r#"
case $(cat "$1") in
*"MARK"*) cp "$1" "DIR/first.part"; echo "$1" >"DIR/name"; mv "DIR/first.part" "DIR/first"
    while [ -e "DIR/block" ]; do sleep 0.05; done ;;
esac
"#;

/// A directory in which slon's command finds its way.
fn hook() -> (PathBuf, String) {
    let directory = cluster().server().home().directory("hook");
    let script = HOOK.replace("MARK", MARK).replace("DIR", &directory.display().to_string());
    fs::write(directory.join("hook.sh"), script).expect("write the hook");
    fs::write(directory.join("block"), "").expect("write a file");
    let command = format!("sh {}/hook.sh", directory.display());
    (directory, command)
}

#[test]
fn an_archive_that_is_written_anew_under_its_number_is_split_as_it_became_true() {
    let _turn = alone();
    let cluster = cluster();
    let station = Station::started(cluster, "rescan=1");
    let (nso, mps) = (Site::new(cluster, "nso"), Site::new(cluster, "mps"));
    nso.subscribe(&station, "crash.a subscribe\ncrash.b subscribe");
    mps.subscribe(&station, "crash.b subscribe");
    let (directory, command) = hook();
    cluster.stop_slon(ARCHIVER);
    cluster.start_slon(ARCHIVER, &["-x", &command]);
    cluster.origin(&(change("crash.a") + &change("crash.b")));
    cluster.sync();

    cluster.origin(&format!("insert into crash.a values (-1, now(), 1, '{MARK}'); {}", change("crash.b")));
    let first = cluster.wait_for("slon to wait", || fs::read_to_string(directory.join("first")).ok());
    let committed = cluster.archiver_counter();
    let name = log_name(committed + 1);
    let archive = cluster.archive_dir().join(&name);
    assert_eq!(
        fs::read_to_string(directory.join("name")).expect("the name"),
        format!("{}\n", archive.display())
    );
    assert_eq!(fs::read_to_string(&archive).expect("the archive is there"), first);
    // Another manager, asked to split whatever is true, comes as far as the daemon, and no further.
    station.wait_for("the splitter", || station.counter().filter(|at| *at == committed));
    let witness = Station::new(cluster, "");
    fs::write(witness.at("etc/slon_parser.cfg"), "").expect("write a registry");
    fs::write(witness.at("work/split.counter"), format!("{}\n", committed - 1)).expect("write a counter");
    let output = witness.command(&["split"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(witness.counter(), Some(committed));
    let is_untouched = || {
        assert_eq!(station.counter(), Some(committed));
        for site in [&nso, &mps] {
            assert!(!site.log(&station, committed + 1).exists(), "{name} is split before it is true");
        }
    };
    is_untouched();
    cluster.stop_slon(ARCHIVER);
    is_untouched();
    assert_eq!(cluster.archiver_counter(), committed);
    assert_eq!(fs::read_to_string(&archive).expect("the archive is there"), first);
    fs::remove_file(directory.join("block")).expect("remove a file");

    // The archiver cannot reach the origin until the number is taken by one of the third node's events.
    let path = |from: &str, to: &str| {
        let sql = format!(
            "update _jsoc.sl_path set pa_conninfo = replace(pa_conninfo, '{from}', '{to}') where pa_server = 1 and pa_client = 2"
        );
        cluster.server().execute(ARCHIVER, &sql);
    };
    path("dbname=origin", "dbname=nowhere");
    cluster.start_slon(ARCHIVER, &[]);
    cluster.wait_for("the number to be taken", || (cluster.archiver_counter() > committed).then_some(()));
    cluster.stop_slon(ARCHIVER);
    path("dbname=nowhere", "dbname=origin");
    cluster.start_slon(ARCHIVER, &[]);

    cluster.origin(&change("crash.a"));
    nso.assert_equal(&station, &["crash.a", "crash.b"]);
    mps.assert_equal(&station, &["crash.b"]);
    let second = fs::read_to_string(&archive).expect("the archive is there");
    assert!(first.contains(MARK) && first.contains("\n-- Node 1, Event "));
    assert!(!second.contains(MARK) && second.contains("\n-- Node 3, Event "), "{second}");
    for log in [nso.log(&station, committed + 1), mps.log(&station, committed + 1)] {
        let log = fs::read_to_string(log).expect("a site log");
        assert!(log.contains("\n-- Node 3, Event ") && !log.contains("\tcrash\t"), "{log}");
    }
    assert_eq!(nso.query(&format!("select count(*) from crash.a where note = '{MARK}'")), "1");
}
