//! When transactions are on disk.

use std::io::Cursor;

use subscription_manager::subscriber::{Applier, Commit, OnDrift};

use crate::log::{log, row, rows};
use crate::pair::{OWNER, Pair};

fn insert(counter: u64) -> String {
    let id = counter.to_string();
    let row = row("public", "t", "I", 0, &[Some("id"), Some(&id)]);
    log("c", counter, false, &rows("c", &[row]))
}

fn apply(pair: &Pair, applier: &mut Applier, counter: u64, commit: Commit) {
    let name = format!("slony1_log_2_{counter:020}.sql").parse().unwrap();
    pair.runtime().block_on(applier.apply(Cursor::new(insert(counter)), name, commit)).unwrap();
}

/// What the session says that its commits wait for.
fn waits_for(pair: &Pair, applier: &Applier) -> String {
    let client = applier.database().session().client();
    let answer = pair.runtime().block_on(client.query_one("show synchronous_commit", &[]));
    answer.unwrap().get(0)
}

#[test]
fn a_commit_is_waited_for_whatever_the_role_says() {
    let pair = Pair::new(
        "c",
        "create table t (id int primary key, waits text);
         create function waits() returns trigger language plpgsql as $$ begin
             new.waits := current_setting('synchronous_commit'); return new; end $$;
         create trigger waits before insert on t for each row execute procedure waits()",
    );
    for (own, expected) in [("off", "on"), ("local", "local"), ("remote_apply", "remote_apply")] {
        pair.server.execute("postgres", &format!("alter role {OWNER} set synchronous_commit = {own}"));
        let mut applier = pair.second(OnDrift::Warn);
        assert_eq!(waits_for(&pair, &applier), expected, "{own}");
        pair.runtime().block_on(applier.database().renew()).unwrap();
        assert_eq!(waits_for(&pair, &applier), expected, "{own}, renewed");
        let next = pair.next();
        apply(&pair, &mut applier, next, Commit::Soon);
        apply(&pair, &mut applier, next + 1, Commit::Now);
        let waited = format!("select string_agg(waits, ' ' order by id) from t where id >= {next}");
        assert_eq!(pair.query(&waited), format!("off {expected}"), "{own}");
    }
}

/// What cannot be put on disk leaves no transaction open.
#[test]
fn a_session_that_could_not_harden_goes_on() {
    let pair = Pair::new("c", "create table t (id int primary key)");
    let mut applier = pair.second(OnDrift::Warn);
    apply(&pair, &mut applier, 1, Commit::Soon);
    let tracking = "\"_c\".sl_archive_tracking";
    pair.own(&format!("alter table {tracking} add constraint never check (at_counter is null) not valid"));
    let failed = pair.runtime().block_on(applier.database().harden());
    assert!(failed.unwrap_err().chain().contains("put the logs' transactions on disk"));
    pair.own(&format!("alter table {tracking} drop constraint never"));
    apply(&pair, &mut applier, 2, Commit::Soon);
    pair.runtime().block_on(applier.database().harden()).unwrap();
    assert_eq!(pair.query("select count(*) from t"), "2");
}
