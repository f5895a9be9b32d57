//! What happens in a log in which order.

use crate::log::{log, row, rows};
use crate::pair::Pair;

fn of(table: &str, command: &str, changed: usize, args: &[&str]) -> String {
    let args: Vec<_> = args.iter().map(|text| Some(*text)).collect();
    row("public", table, command, changed, &args)
}

#[test]
fn a_key_that_comes_and_goes() {
    let mut pair = Pair::new("c", "create table t (id int primary key, u int unique, v text)");
    let mut all = Vec::new();
    for id in 0..12 {
        all.push(of("t", "I", 0, &["id", &id.to_string(), "u", &id.to_string(), "v", "first"]));
    }
    for id in 0..12 {
        let id = id.to_string();
        all.push(of("t", "U", 1, &["v", "one", "id", &id]));
        all.push(of("t", "U", 1, &["v", "two", "id", &id]));
        all.push(of("t", "D", 0, &["id", &id]));
        all.push(of("t", "I", 0, &["id", &id, "u", &id, "v", "again"]));
    }
    // Values of a unique column move one up: from the top each has room, in another order they have not.
    for id in (0..12).rev() {
        all.push(of("t", "U", 1, &["u", &(id + 1).to_string(), "id", &id.to_string()]));
    }
    // Keys move too.
    for id in (0..12).rev() {
        all.push(of("t", "U", 1, &["id", &(id + 1).to_string(), "id", &id.to_string()]));
    }
    // The same key many times in one group, then all keys of a chain.
    for round in 0..40 {
        all.push(of("t", "U", 1, &["v", &format!("round {round}"), "id", &(1 + round % 3).to_string()]));
    }
    for id in 1..10 {
        all.push(of("t", "D", 0, &["id", &id.to_string()]));
    }
    all.push(of("t", "D", 0, &["id", "5"]));
    let applied = pair.applies(log("c", 1, false, &rows("c", &all)).as_bytes(), 1);
    assert_eq!(applied.drift, ["delete of public.t where id = 5 meets no row"]);
    assert_eq!(pair.query("select count(*) from t"), "3");
}

#[test]
fn tables_that_see_each_other_keep_their_order() {
    let mut pair = Pair::new(
        "c",
        "create table parent (id int primary key, v text);
         create table child (id int primary key, parent int references parent on delete cascade, up int references child);
         create table seen (n serial, what text);
         create table watched (id int primary key, v text);
         create function watch() returns trigger language plpgsql as $$ begin
             insert into seen (what) select concat(tg_op, ' ', new.id, old.id, ' of ', (select count(*) from watched), ' and ',
                 (select count(*) from free), ' at ', pg_trigger_depth()); return new; end $$;
         create table free (id int primary key, v text);
         create trigger watch after insert or update on watched for each row execute procedure watch();
         create trigger each after insert on watched for each statement execute procedure watch();
         create table base (id int primary key, v text); create table heir () inherits (base);
         create table ruled (id int primary key, v text);
         create rule r as on insert to ruled do also insert into seen (what) values (new.v);
         create table parted (id int primary key, v text) partition by range (id);
         create table parted1 partition of parted for values from (0) to (15);
         create table parted2 partition of parted default;
         create view seen_view as select id, v from free",
    );
    let mut all = Vec::new();
    for id in 0..20 {
        let (id, before) = (id.to_string(), (id - 1).max(0).to_string());
        all.push(of("parent", "I", 0, &["id", &id, "v", "x"]));
        all.push(of("child", "I", 0, &["id", &id, "parent", &id, "up", &before]));
        all.push(of("free", "I", 0, &["id", &id, "v", "x"]));
        for table in ["watched", "base", "heir", "ruled", "parted"] {
            all.push(of(table, "I", 0, &["id", &id, "v", table]));
        }
        all.push(of("watched", "U", 1, &["v", "y", "id", &id]));
        all.push(of("base", "U", 1, &["v", "only the base", "id", &id]));
    }
    pair.own("insert into base values (3, 'own') on conflict do nothing; delete from base where id = 3");
    pair.applies(log("c", 1, false, &rows("c", &all)).as_bytes(), 1);
    let mut all = Vec::new();
    // Rows that go with another, in many and in few.
    for id in (5..20).rev() {
        all.push(of("child", "D", 0, &["id", &id.to_string()]));
    }
    for id in 0..20 {
        let id = id.to_string();
        all.push(of("parted", "D", 0, &["id", &id]));
        all.push(of("seen_view", "U", 1, &["v", "through the view", "id", &id]));
        all.push(of("watched", "U", 1, &["v", "z", "id", &id]));
    }
    for id in (5..20).rev() {
        all.push(of("parent", "D", 0, &["id", &id.to_string()]));
    }
    pair.applies(log("c", 2, false, &rows("c", &all)).as_bytes(), 2);
}

#[test]
fn tables_that_are_free_may_come_in_any_order() {
    let tables: String =
        (0..5).map(|n| format!("create table t{n} (id int primary key, a text, b int, c text);")).collect();
    let mut pair = Pair::new("c", &tables);
    let mut all = Vec::new();
    for id in 0..300 {
        let table = format!("t{}", id % 5);
        let id = id.to_string();
        all.push(of(&table, "I", 0, &["id", &id, "a", "x", "b", &id, "c", ""]));
        if id.ends_with('3') {
            all.push(of(&table, "U", 1, &["a", "y", "id", &id]));
        }
        if id.ends_with('8') {
            all.push(of(&table, "D", 0, &["id", &id]));
        }
        if id.ends_with("50") {
            all.push(of("t1", "T", 0, &[]));
        }
    }
    assert_eq!(pair.applies(log("c", 1, false, &rows("c", &all)).as_bytes(), 1).rows, all.len() as u64);
    // One bad row among them, and nothing of the log is there.
    all.retain(|row| !row.contains("\tT\t"));
    for row in &mut all {
        *row = row.replace("{id,", "{id,9");
    }
    all.push(of("t0", "I", 0, &["id", "not a number"]));
    pair.apply(log("c", 2, false, &rows("c", &all)).as_bytes(), 2).unwrap_err();
}

#[test]
fn a_script_among_the_rows_changes_what_follows() {
    let mut pair =
        Pair::new("c", "create table t (id int primary key, v text); create schema other; create sequence s");
    let script = |text: &str| {
        row("", "", "S", 0, &[Some(text), Some(""), Some("1,1,1")]).replacen("\t\t", "\\N\t\\N\t", 0)
    };
    let mut all: Vec<_> = (0..10).map(|id| of("t", "I", 0, &["id", &id.to_string(), "v", "x"])).collect();
    all.push(script(
        "alter table public.t add column more text default 'a;\\b', alter column v type int using length(v)",
    ));
    all.extend((10..20).map(|id| of("t", "I", 0, &["id", &id.to_string(), "v", "7", "more", "y"])));
    all.push(script("alter table public.t add column twice int generated always as (v * 2) stored; drop table if exists nothing"));
    all.extend(
        (20..30).map(|id| of("t", "I", 0, &["id", &id.to_string(), "v", "7", "more", "y", "twice", "14"])),
    );
    all.push(row("", "", "s", 0, &[]));
    all.push(script("set search_path = other; create table here (id int primary key)"));
    all.push(of("t", "U", 1, &["v", "8", "id", "3"]));
    let body = rows("c", &all)
        + "select \"_c\".sequenceSetValue_offline('public','s','23');\n\
        select \"_c\".sequenceSetValue_offline('public','none','23');\n";
    pair.applies(log("c", 1, false, &body).as_bytes(), 1);
    assert_eq!(pair.query("select to_regclass('other.here') is not null"), "t");
    // What the script has set is over with its log.
    let script = [script("create table there (id int)")];
    pair.applies(log("c", 2, false, &rows("c", &script)).as_bytes(), 2);
    assert_eq!(pair.query("select to_regclass('public.there') is not null"), "t");
}

/// Many kinds of changes, and rows that take more than is gathered at once.
#[test]
fn large_logs_go_in_pieces() {
    let mut pair = Pair::new(
        "c",
        "create table t (id int primary key, v text); create table w (id int, v text); create trigger w before update on w for each row execute procedure suppress_redundant_updates_trigger()",
    );
    let long = "long \\ \"text\" ".repeat(3000);
    let mut all = Vec::new();
    for id in 0..400 {
        let id = id.to_string();
        all.push(of("t", "I", 0, &["id", &id, "v", &long]));
        if id.len() == 3 {
            all.push(of("w", "I", 0, &["id", &id, "v", &long]));
        }
    }
    for id in 0..400 {
        let id = id.to_string();
        all.push(of("t", "U", 1, &["v", &long[1..], "id", &id]));
    }
    pair.applies(log("c", 1, false, &rows("c", &all)).as_bytes(), 1);
    // Turned away by the site's own trigger: no drift.
    let same = [of("w", "U", 1, &["v", &long, "id", "100"])];
    assert_eq!(pair.applies(log("c", 2, false, &rows("c", &same)).as_bytes(), 2).drifted, 0);
}

/// Rows that go with a parent: moved behind what takes them away, those that came later would go too.
#[test]
fn rows_of_tables_that_refer_to_each_other_do_not_move() {
    let mut pair = Pair::new(
        "c",
        "create table parent (id int primary key, v text);
         create table child (id int primary key, parent int references parent on delete cascade, v text);
         create table strict_child (id int primary key, parent int references parent);
         create table free (id int primary key, v text); create table other (id int primary key, v text)",
    );
    let parent = |id| of("parent", "I", 0, &["id", id, "v", "new"]);
    let child = |id| of("child", "I", 0, &["id", id, "parent", id, "v", "new"]);
    let strict = |id| of("strict_child", "I", 0, &["id", id, "parent", id]);
    let gone = |table, id| of(table, "D", 0, &["id", id]);
    let mut counter = 0;
    let mut apply = |pair: &mut Pair, all: &[String], says: &str| {
        counter += 1;
        let applied = pair.applies(log("c", counter, false, &rows("c", all)).as_bytes(), counter);
        assert_eq!(applied.drifted, 0, "{counter}");
        let counts = "select concat((select count(*) from parent), ' ', (select count(*) from child), ' ', \
            (select count(*) from strict_child), ' ', (select count(*) from free))";
        assert_eq!(pair.query(counts), says, "{counter}");
    };
    apply(&mut pair, &[parent("1"), child("1")], "1 1 0 0");
    // As an origin writes it that takes a pair away and makes it anew.
    apply(&mut pair, &[gone("child", "1"), gone("parent", "1"), parent("1"), child("1")], "1 1 0 0");
    // Without a cascade the server would say no.
    let all = [parent("2"), strict("2"), gone("strict_child", "2"), gone("parent", "2")];
    apply(&mut pair, &all, "1 1 0 0");
    apply(&mut pair, &[&all[..], &all[..2]].concat(), "2 1 1 0");
    // Among rows of tables that may move.
    let free = |table, id| of(table, "I", 0, &["id", id, "v", "x"]);
    let all = [
        vec![free("free", "1"), free("other", "1"), free("free", "2")],
        vec![gone("child", "1"), free("other", "2"), gone("parent", "1"), free("free", "3")],
        vec![parent("1"), free("other", "3"), child("1"), gone("free", "2"), gone("strict_child", "2")],
        vec![gone("parent", "2"), free("free", "2"), parent("2"), child("2")],
    ];
    apply(&mut pair, &all.concat(), "2 2 0 3");
}
