//! The whole flow of a subscription: a new site, the same site again, two sites at once, odd names.

use crate::support::series::ODD;
use crate::support::{Site, Station, Writer};
use crate::{change, cluster};

#[test]
fn a_new_site_gets_its_series_and_then_another_one() {
    let cluster = cluster();
    let station = Station::started(cluster, "");
    let site = Site::new(cluster, "nso");
    let writer = Writer::calm(cluster, &["flow.a", "flow.b", "flow.c"]);

    let answer = site.subscribe(&station, "flow.A subscribe\nflow.c subscribe");
    assert!(answer.ends_with("\nflow.a\nflow.c\n"), "{answer}");
    site.apply_logs(&station);
    let answer = site.subscribe(&station, "flow.b subscribe\nflow.c unsubscribe\nFLOW.A subscribe");
    assert!(answer.ends_with("\nskipped flow.a already subscribed\nflow.b\n"), "{answer}");
    writer.stop();
    site.assert_equal(&station, &["flow.a", "flow.b"]);
}

#[test]
fn two_nodes_at_once_get_what_each_asked_for() {
    let cluster = cluster();
    let station = Station::started(cluster, "");
    let (nso, mps) = (Site::new(cluster, "nso"), Site::new(cluster, "mps"));
    nso.ask(&station, "couple.a subscribe");
    mps.ask(&station, "couple.b subscribe\ncouple.c subscribe");
    for site in [&nso, &mps] {
        site.await_sql(&station);
        site.apply_sql(&station);
    }
    change("couple.a");
    change("couple.b");
    // Crosswise: what one does must not end the request of the other.
    assert!(mps.answer(&station, true).starts_with("success true\n"));
    nso.ask(&station, "couple.b subscribe");
    mps.ask(&station, "couple.a subscribe\ncouple.b unsubscribe");
    for site in [&nso, &mps] {
        site.await_sql(&station);
    }
    // The first request of `nso` was superseded: its second one is a new site's again.
    let list = |node: &str| station.read(&format!("etc/{node}.new.lst"));
    assert_eq!((list("nso").as_str(), list("mps").as_str()), ("couple.b\n", "couple.c\ncouple.a\n"));
    let fresh = Site::new(cluster, "nso");
    fresh.apply_sql(&station);
    mps.apply_sql(&station);
    change("couple.c");
    for site in [&fresh, &mps] {
        assert!(site.answer(&station, true).starts_with("success true\n"));
    }
    change("couple.a");
    change("couple.b");
    fresh.assert_equal(&station, &["couple.b"]);
    mps.assert_equal(&station, &["couple.a", "couple.c"]);
    assert_eq!(station.read("etc/nso.lst"), "couple.b\n");
    assert_eq!(station.read("etc/mps.lst"), "couple.c\ncouple.a\n");
}

#[test]
fn a_name_that_needs_quotes_is_a_series_like_any_other() {
    let cluster = cluster();
    let station = Station::started(cluster, "");
    let site = Site::new(cluster, "nso");
    site.subscribe(&station, &format!("{ODD} subscribe"));
    assert_eq!(station.read("etc/nso.lst"), format!("{ODD}\n"));
    for sql in [
        "insert into TABLE values ('k''ey', 7, E'\\\\.', 'x\"; commit; create table pwned(x int); --')",
        "update TABLE set \"select\" = 'sel''ect', \"v\"\"q\" = null where \"k\\2\" % 3 = 0",
        "update TABLE set \"K ey\" = 'other {key},' || \"k\\2\" where \"k\\2\" % 5 = 0",
        "delete from TABLE where \"k\\2\" % 7 = 0",
    ] {
        cluster.origin(&sql.replace("TABLE", ODD));
    }
    site.assert_equal(&station, &[ODD]);
    assert_ne!(site.query(&format!("select count(*) from {ODD}")), "0");
    cluster.origin(&format!("truncate {ODD}; insert into {ODD} values ('after', 1, null, '')"));
    site.assert_equal(&station, &[ODD]);
    assert_eq!(site.query(&format!("select count(*) from {ODD}")), "1");
}

#[test]
fn generated_and_identity_columns_come_over() {
    let cluster = cluster();
    let station = Station::started(cluster, "");
    let site = Site::new(cluster, "nso");
    site.subscribe(&station, "hmi.with_identity subscribe");
    cluster.origin(
        "insert into hmi.with_identity (v) values ('one'), ('three'); \
         update hmi.with_identity set v = v || '!' where id % 10 = 0; \
         update hmi.with_identity set id = default where id = 5; \
         delete from hmi.with_identity where id % 11 = 0",
    );
    site.assert_equal(&station, &["hmi.with_identity"]);
    assert_eq!(site.query("select count(*) from hmi.with_identity where twice <> 2 * length(v)"), "0");
    let columns = "select string_agg(format('%s%s', attidentity, attgenerated), ',' order by attnum) from pg_attribute \
         where attrelid = 'hmi.with_identity'::regclass and attnum > 0";
    let there = cluster.server().query(crate::support::slony::ARCHIVER, columns);
    assert_eq!(site.query(columns), there);
}
