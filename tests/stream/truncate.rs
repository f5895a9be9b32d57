//! TRUNCATE at the origin: of a table alone, and with CASCADE of those that refer to it.

use crate::support::{Site, Station};
use crate::{beside_others, change, cluster};

/// `parent` is referred to by `child`, which is replicated, and by `loose`, which is not: it has no key.
pub(crate) const TABLES: &str = "
create table truncate.parent (recnum bigint primary key, v text);
create table truncate.child (recnum bigint primary key, parent bigint references truncate.parent);
create table truncate.loose (parent bigint references truncate.parent);
";

pub(crate) const ROWS: &str = "
insert into truncate.parent select i, 'seed ' || i from generate_series(1, 20) i;
insert into truncate.child select i, i from generate_series(1, 20) i;
insert into truncate.loose select i from generate_series(1, 20) i;
";

#[test]
fn rows_before_and_after_a_truncate_in_one_transaction() {
    let _turn = beside_others();
    let station = Station::started(cluster(), "");
    let (nso, mps) = (Site::new(cluster(), "nso"), Site::new(cluster(), "mps"));
    nso.subscribe(&station, "truncate.a subscribe\ntruncate.b subscribe");
    mps.subscribe(&station, "truncate.b subscribe");
    let again = "insert into truncate.a select i, now(), 3, 'again' from generate_series(1, 5) i;";
    for sql in [
        format!(
            "begin; {} truncate truncate.a; {again} {} commit",
            change("truncate.a"),
            change("truncate.b")
        ),
        "begin; truncate truncate.a, truncate.b; insert into truncate.b values (3, now(), 3, 'both'); commit"
            .to_owned(),
        format!(
            "begin; savepoint s; truncate truncate.b; rollback to s; {again} {} commit",
            change("truncate.b")
        ),
        format!(
            "begin; truncate truncate.a; truncate only truncate.a restart identity; {again} truncate truncate.b; commit"
        ),
    ] {
        cluster().origin(&sql);
        nso.assert_equal(&station, &["truncate.a", "truncate.b"]);
        mps.assert_equal(&station, &["truncate.b"]);
    }
    assert_eq!(
        nso.query("select count(*) from truncate.a") + &mps.query("select count(*) from truncate.b"),
        "50"
    );
}

#[test]
fn a_truncate_with_cascade_empties_what_is_replicated_and_nothing_of_the_sites_own() {
    let _turn = beside_others();
    let station = Station::started(cluster(), "");
    let (nso, mps) = (Site::new(cluster(), "nso"), Site::new(cluster(), "mps"));
    nso.subscribe(&station, "truncate.parent subscribe\ntruncate.child subscribe");
    mps.subscribe(&station, "truncate.parent subscribe");
    // What the sites keep for themselves.
    for site in [&nso, &mps] {
        site.execute(
            "create schema own;
             create table own.kept (parent bigint references truncate.parent deferrable initially deferred);
             insert into own.kept values (3);
             create table own.loose (parent bigint references truncate.parent on delete set null, v text);
             insert into own.loose select i, 'mine ' || i from generate_series(1, 20) i;",
        );
    }
    nso.execute(
        "alter table truncate.child add foreign key (parent) references truncate.parent deferrable initially deferred",
    );
    cluster().origin(
        "begin;
         insert into truncate.parent values (21, 'before');
         insert into truncate.child values (21, 21);
         update truncate.child set parent = 3;
         truncate truncate.parent cascade;
         insert into truncate.parent values (3, 'after'), (21, 'after');
         insert into truncate.child values (1, 3), (2, 21);
         update truncate.parent set v = v || '!' where recnum = 21;
         commit;
         delete from truncate.child where recnum = 2;",
    );
    nso.assert_equal(&station, &["truncate.parent", "truncate.child"]);
    mps.assert_equal(&station, &["truncate.parent"]);
    for site in [&nso, &mps] {
        assert_eq!(site.query("select count(*), min(parent) from own.kept"), "1|3");
        assert_eq!(site.query("select count(*), count(parent), min(v) from own.loose"), "20|0|mine 1");
    }
    // The child alone, and the parent where only a table without a key refers to it now.
    cluster().origin("truncate truncate.child; insert into truncate.child values (7, 3)");
    cluster().origin("delete from truncate.child; truncate truncate.loose");
    nso.assert_equal(&station, &["truncate.parent", "truncate.child"]);
    mps.assert_equal(&station, &["truncate.parent"]);
}
