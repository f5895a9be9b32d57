//! slon stands still while much is written, and then puts many SYNCs into one archive.

use std::fs;

use crate::support::slony::ARCHIVER;
use crate::support::station::log_name;
use crate::support::{Site, Station, Writer};
use crate::{alone, cluster};

/// The SYNCs of the origin that the archive stands for ends with this event.
fn event(counter: u64) -> Option<u64> {
    let path = cluster().archive_dir().join(log_name(counter));
    let text = fs::read_to_string(path).expect("read an archive");
    let line = text.lines().find(|line| line.starts_with("-- Node 1, Event "))?;
    line.strip_prefix("-- Node 1, Event ")?.parse().ok()
}

#[test]
fn an_archive_of_many_syncs_is_as_good_as_many_archives() {
    let _turn = alone();
    let cluster = cluster();
    let station = Station::started(cluster, "");
    let (nso, mps) = (Site::new(cluster, "nso"), Site::new(cluster, "mps"));
    nso.subscribe(&station, "grouped.a subscribe\ngrouped.b subscribe");
    mps.subscribe(&station, "grouped.a subscribe");
    let before = cluster.archiver_counter();
    let writer = Writer::start(cluster, &["grouped.a", "grouped.b"]);
    cluster.stop_slon(ARCHIVER);
    let rows = writer.rows();
    // Its SYNCs go on meanwhile.
    let syncs = || -> u64 {
        let count = "select count(*) from _jsoc.sl_event where ev_origin = 1 and ev_type = 'SYNC'";
        cluster.server().query(crate::support::slony::ORIGIN, count).parse().expect("a number")
    };
    let first = syncs();
    cluster.wait_for("many SYNCs", || (syncs() >= first + 20 && writer.rows() > rows + 1000).then_some(()));
    writer.stop();
    cluster.start_slon(ARCHIVER, &[]);
    let after = cluster.sync();

    nso.assert_equal(&station, &["grouped.a", "grouped.b"]);
    mps.assert_equal(&station, &["grouped.a"]);
    let events: Vec<u64> = (before + 1..=after).filter_map(event).collect();
    let widest = events.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).max();
    assert!(widest >= Some(4), "no SYNCs were grouped: {events:?}");
    for table in ["grouped.a", "grouped.b"] {
        let rows = crate::support::slony::rows(table);
        let there = cluster.server().query(crate::support::slony::ORIGIN, &rows);
        assert_eq!(nso.rows(table).len(), there.len());
    }
}
