//! Logs that must not be applied: nothing of them happens, and the next good one goes in.

use subscription_manager::subscriber::{Commit, OnDrift};

use crate::log::{log, row, rows, slony_log};
use crate::pair::Pair;

fn insert(id: &str, text: &str) -> String {
    row("public", "t", "I", 0, &[Some("id"), Some(id), Some("v"), Some(text)])
}

#[test]
fn what_is_no_log_of_this_place_is_refused() {
    let mut pair = Pair::new("c", "create table t (id int primary key, v text)");
    let good = log("c", 1, false, &rows("c", &[insert("1", "x\n-- EOL\ny")]));
    let before = pair.state(1);
    let replaced = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        good.replacen(from, to, 1)
    };
    let cut = |end: &str| good[..good.rfind(end).unwrap()].to_owned();
    for (text, says) in [
        (
            log("other", 1, false, &rows("other", &[insert("1", "x")])),
            "expected `select \"_c\".archiveTracking_offline('1'",
        ),
        (log("c", 2, false, &rows("c", &[insert("1", "x")])), "its counter is 2, that of its name is 1"),
        (replaced("archiveTracking_offline('1'", "archiveTracking_offline('3'"), "its counter is 3"),
        (cut("-- EOL"), "its last line is not `-- EOL`"),
        (cut("\\.\n"), "its last line is not `-- EOL`"),
        (format!("{good}\n"), "its last line is not `-- EOL`"),
        (format!("{good}-- more\n"), "its last line is not `-- EOL`"),
        (String::new(), "its last line is not `-- EOL`"),
        (cut("vacuum") + "x -- EOL\n", "its last line is not `-- EOL`"),
        (cut("\\.\n") + "-- EOL\n", "line 15: a row of 1 fields"),
        (replaced("commit;\n", ""), "`vacuum analyze"),
        (replaced("commit;\n", "commit;\ncommit;\n"), "expected nothing behind `commit;`, found `commit;`"),
        (replaced("\ncommit;\n", "\nrollback;\n"), "`rollback;` among its changes"),
        (replaced("\ncommit;\n", "\n/* x */ COMMIT;\ncommit;\n"), "among its changes"),
        (
            replaced("-- start of", "start transaction;\n-- start of"),
            "`start transaction;` among its changes",
        ),
        (replaced("start transaction;\n", ""), "expected `start transaction;`"),
        (replaced("-- start of", "\\! touch pwned\n-- start of"), "a command of psql: `\\\\! touch pwned`"),
        (replaced("\\set ON_ERROR_STOP on", "\\set ON_ERROR_STOP off"), "a command of psql"),
        (replaced("select \"_c\".site_log_offline(1);", "drop table t;"), "found `drop table t;`"),
        (replaced("COPY \"_c\"", "COPY \"_d\""), "another cluster"),
        (replaced("log_txid,", ""), "of unknown columns"),
        (replaced("site_log_offline(1)", "site_log_offline(9)"), "this site log is of format 9"),
        (
            replaced("-- start of", "select \"_d\".truncateTable_offline('public','t');\n-- start of"),
            "another cluster",
        ),
        (replaced("{id,1,", "{id,\\N,"), ""),
        (replaced("public\tt\tI", "public\tt\tX"), ""),
        (replaced("public\tt\tI", "public\tmissing\tI"), "relation \"public.missing\" does not exist"),
        (good.replace('\n', "\r\n"), ""),
    ] {
        let error = pair.ours(text.as_bytes(), 1).unwrap_err();
        assert!(error.contains(says), "expected {says}\nfound {error}\n{text}");
        assert_eq!(pair.state(1), before, "{says}");
    }
    assert_eq!(pair.applies(good.as_bytes(), 1).rows, 1);
}

#[test]
fn a_log_is_applied_once_and_in_its_turn() {
    let mut pair = Pair::new("c", "create table t (id int primary key, v text)");
    let of = |counter: u64| log("c", counter, false, &rows("c", &[insert(&counter.to_string(), "x")]));
    let early = pair.apply(of(2).as_bytes(), 2).unwrap_err();
    assert!(early.contains("it comes too early: this site is at 0, its next log is 1"), "{early}");
    pair.applies(of(1).as_bytes(), 1);
    let again = pair.apply(of(1).as_bytes(), 1).unwrap_err();
    assert!(again.contains("it has been applied before: this site is at 1"), "{again}");
    pair.applies(of(2).as_bytes(), 2);

    // Two at once: one waits for the other's lock.
    let (mut first, mut second) = (pair.second(OnDrift::Warn), pair.second(OnDrift::Warn));
    let third = of(3);
    let name = "slony1_log_2_00000000000000000003.sql".parse().unwrap();
    let (one, two) = pair.runtime().block_on(async {
        tokio::join!(
            first.apply(std::io::Cursor::new(&third), name, Commit::Soon),
            second.apply(std::io::Cursor::new(&third), name, Commit::Soon)
        )
    });
    let said: Vec<_> = [one, two].into_iter().filter_map(Result::err).map(|error| error.chain()).collect();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("it has been applied before: this site is at 3"), "{said:?}");
    pair.psql(third.as_bytes()).unwrap();
    pair.assert_equal("two at once");
}

#[test]
fn a_log_of_the_other_dialect_needs_no_rights() {
    let mut pair = Pair::new("c", "create table t (id int primary key, v text)");
    let body = rows("c", &[insert("1", "x\\y'z")]);
    assert_eq!(pair.ours(slony_log("c", 1, &body).as_bytes(), 1).unwrap().rows, 1);
    pair.psql(log("c", 1, false, &body).as_bytes()).unwrap();
    pair.assert_equal("rows");
    // As the deployed parser writes it: the old format, without a word on its literals.
    let body = r#"insert into "public"."t" ("id","v") values ('2','a\\b''c');
update only "public"."t" set "v"='\\' where "id"='1';
"#;
    assert_eq!(pair.ours(slony_log("c", 2, body).as_bytes(), 2).unwrap().rows, 2);
    pair.psql(log("c", 2, true, body).as_bytes()).unwrap();
    pair.assert_equal("statements");
    // Objects of others would keep the rows for themselves.
    pair.own(r#"drop function "_c".site_log_offline(int); alter table "_c".sl_log_archive enable replica trigger apply_trigger"#);
    let error = pair.ours(slony_log("c", 3, &rows("c", &[insert("3", "x")])).as_bytes(), 3).unwrap_err();
    assert!(error.contains("would not apply its rows"), "{error}");
}
