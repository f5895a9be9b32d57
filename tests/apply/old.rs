//! The old formats: statements, copies of tables, sequences, scripts.

use crate::log::{log, slony_log};
use crate::pair::Pair;

const TABLES: &str = r#"
    create table t (id int primary key, v text, n numeric);
    create table g (id int generated always as identity primary key, v text);
    create table base (id int primary key, v text); create table heir () inherits (base);
    create schema "Odd S"; create table "Odd S"."T;""1" ("K ey" text primary key, "v,\" text);
    create sequence h; insert into "_c".sl_sequence_offline values (7, 'h', 'public');
"#;

#[test]
fn statements_are_changes_too() {
    let mut pair = Pair::new("c", TABLES);
    let mut body = String::new();
    for id in 0..30 {
        body += &format!(
            "insert into \"public\".\"t\" (\"id\",\"v\",\"n\") values ('{id}','it''s \\\\ {id};\n-- x',NULL);\n"
        );
        body +=
            &format!("insert into \"Odd S\".\"T;\"\"1\" (\"K ey\",\"v,\\\") values ('k''\\\\{id}','');\n");
        body += &format!("insert into base (ID, v) values ('{id}','x');\n");
    }
    for id in 0..30 {
        body +=
            &format!("update only \"public\".\"t\" set \"v\"='\\\\',\"n\"='{id}.50' where \"id\"='{id}';\n");
    }
    body +=
        "select \"_c\".sequenceSetValue_offline(7,'123');\nselect \"_c\".sequenceSetValue_offline(8,'1');\n";
    for id in 10..20 {
        body += &format!(
            "delete from only \"public\".\"t\" where \"id\"='{id}';\ndelete from base where id = '{id}';\n"
        );
    }
    body +=
        "update base set v = 'y' where id = '1';\nupdate only t set id='500' where id='1' and v='\\\\';\n";
    body += "update only \"public\".\"t\" set \"v\"='gone' where \"id\"='12';\n";
    let applied = pair.applies(log("c", 1, true, &body).as_bytes(), 1);
    assert_eq!(applied.drift, ["update of public.t where id = 12 meets no row"]);
    assert_eq!(pair.query("select v from t where id = 3"), "\\");

    let body = "-- ENABLE_SUBSCRIPTION\ndelete from only \"public\".\"t\";\n\
        copy \"public\".\"t\" (\"id\",\"v\",\"n\") from stdin;\n1\tit's; \\\\ x\\ty\t\\N\n2\t\\\\.\t5\n\\.\n\
        select \"_c\".finishTableAfterCopy(1); analyze \"public\".\"t\"; \n\
        copy \"Odd S\".\"T;\"\"1\" (\"K ey\",\"v,\\\") from stdin;\n\\.\n\
        select \"_c\".sequenceSetValue_offline('public','h','1');\n";
    assert_eq!(pair.applies(log("c", 2, true, body).as_bytes(), 2).rows, 22);

    let body = "-- DDL_SCRIPT\nselect \"_c\".runScript_offline(E'alter table t add column q text default ''it''''s; \\\\\\\\ {x}''');\n\
        insert into \"public\".\"t\" (\"id\",\"q\") values ('9','a\\\\b');\nselect \"_c\".truncateTable_offline('public','base');\n\
        delete from only \"public\".\"t\" where \"id\"='2';\n";
    pair.applies(log("c", 3, true, body).as_bytes(), 3);
    // What psql refuses, we refuse.
    for body in [
        "insert into \"public\".\"g\" (\"id\",\"v\") values ('1','x');\n",
        "insert into \"public\".\"t\" (\"id\",\"id\") values ('31','32');\n",
        "insert into \"public\".\"none\" (\"id\") values ('31');\n",
        "delete from only \"public\".\"t\" where \"none\"='2';\n",
        "select \"_c\".runScript_offline(E'commit');\n",
    ] {
        pair.apply(log("c", 4, true, body).as_bytes(), 4).unwrap_err();
    }
}

/// As slon, or the deployed parser, writes it: a script as it stands, with the lines that only a superuser may run.
#[test]
fn scripts_as_they_stand() {
    let mut pair = Pair::new("c", TABLES);
    let script = "alter table public.t add column q text default 'it\\'s; x';\nupdate public.t set q = 'a\\\\b' where id = 1;\n";
    let role = |to: &str| format!("set session_replication_role to {to};\n");
    let body = format!(
        "insert into \"public\".\"t\" (\"id\") values ('1');\n-- DDL_SCRIPT\n{}\n{script}{}",
        role("local"),
        role("replica")
    );
    pair.ours(slony_log("c", 1, &body).as_bytes(), 1).unwrap();
    let ours = format!("insert into \"public\".\"t\" (\"id\") values ('1');\n{script}");
    pair.psql(log("c", 1, true, &ours).as_bytes()).unwrap();
    pair.assert_equal("a script");
    assert_eq!(pair.query("select q from t"), "a\\b");
}
