//! A set moves to another origin and back: the archives go on, and so do the sites.

use crate::support::slony::{ARCHIVER, ORIGIN};
use crate::support::{Site, Station};
use crate::{THIRD, alone, change, cluster};

/// Moves set 2 and waits until the archiver knows it.
fn move_set(from: u32, to: u32) {
    let cluster = cluster();
    cluster.slonik(&format!(
        "lock set (id = 2, origin = {from});\n\
         move set (id = 2, old origin = {from}, new origin = {to});"
    ));
    let origin = format!("select 1 from _jsoc.sl_set where set_id = 2 and set_origin = {to}");
    for database in [ORIGIN, ARCHIVER, THIRD] {
        cluster
            .wait_for("the set to move", || (cluster.server().query(database, &origin) == "1").then_some(()));
    }
}

#[test]
fn a_set_moves_to_a_third_node_and_back() {
    let _turn = alone();
    let cluster = cluster();
    let station = Station::started(cluster, "");
    let (nso, mps) = (Site::new(cluster, "nso"), Site::new(cluster, "mps"));
    nso.subscribe(&station, "moved.a subscribe\nmoved.b subscribe");
    mps.subscribe(&station, "moved.b subscribe");
    let compare = |database: &str| {
        cluster.sync_from(database);
        nso.assert_equal(&station, &["moved.a", "moved.b"]);
        mps.assert_equal(&station, &["moved.b"]);
        for table in ["moved.a", "moved.b"] {
            let rows = crate::support::slony::rows(table);
            assert_eq!(cluster.server().query(database, &rows), cluster.server().query(ARCHIVER, &rows));
        }
    };
    let write = |database: &str| {
        cluster.server().execute(database, &(change("moved.a") + &change("moved.b")));
    };
    write(ORIGIN);
    move_set(1, 3);
    write(THIRD);
    compare(THIRD);
    write(THIRD);
    move_set(3, 1);
    write(ORIGIN);
    compare(ORIGIN);
}
