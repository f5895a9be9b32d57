//! A splitter that is behind the cut of a request when the request is at its end.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::client::Client;
use crate::support::station::LIMIT;
use crate::support::{Station, wait};
use crate::{change, cluster};

/// Gives the daemon every archive that it does not have yet.
fn hand_over(archives: &Path) {
    for entry in fs::read_dir(cluster().archive_dir()).expect("list the archives").flatten() {
        let (name, from) = (entry.file_name(), entry.path());
        let into = archives.join(&name);
        if from.extension().is_some_and(|ending| ending == "sql") && !into.exists() {
            let hidden = archives.join(format!(".{}", name.to_string_lossy()));
            fs::copy(from, &hidden).expect("copy an archive");
            fs::rename(hidden, into).expect("rename an archive");
        }
    }
}

#[test]
fn a_table_goes_when_the_last_log_with_its_rows_is_applied() {
    // A directory that gets the archives when this test wants it.
    let archives = tempfile::tempdir().expect("make a directory");
    hand_over(archives.path());
    let station = Station::started(cluster(), &format!("archive_dir={}", archives.path().display()));
    let client = Client::new(&station, "nso", "");
    client.subscribed("leave.a subscribe\nleave.b subscribe\n", &[]);
    change("leave.b");
    cluster().sync();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let leaving = scope.spawn(|| client.subscribe("leave.b unsubscribe\n", &["--drop"]));
        station.wait_for("the end of the request", || {
            (station.read("etc/nso.lst") == "leave.a\n").then_some(())
        });
        let record = || fs::read_to_string(client.work("request")).unwrap_or_default();
        wait::until("the client to finish", LIMIT, || {
            (record().contains("phase finished") || leaving.is_finished()).then_some(())
        });
        assert_eq!(client.tables(), "leave.a leave.b", "rows of it are on their way");
        scope.spawn(|| {
            wait::within(LIMIT, || {
                hand_over(archives.path());
                is_over.load(Ordering::SeqCst).then_some(())
            })
        });
        leaving.join().expect("it runs to its end").is(0, "leave.b is dropped", &client);
        change("leave.a");
        client.site.assert_equal(&station, &["leave.a"]);
        is_over.store(true, Ordering::SeqCst);
    });
    client.is_at_rest();
    assert_eq!(client.tables(), "leave.a");
}
