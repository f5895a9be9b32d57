//! Every kind of value, name and column.

use crate::log::{log, row, rows};
use crate::pair::Pair;
use subscription_manager::subscriber::OnDrift;

const TEXTS: &[&str] = &[
    r#"x"; commit; create table pwned(x int); --"#,
    "\\.",
    "\n\\.\n",
    "a\tb\\tb",
    "\\",
    "\\\\",
    "\\N",
    "'; drop table t; --",
    "\"",
    "it's",
    "{}",
    "{a,\"b\",NULL}",
    "",
    " ",
    "null",
    "NULL",
    "$body$",
    "\u{1}\u{8}\u{b}\u{c}é☃",
    "\r\n\\.\r\n",
    "-- EOL",
    ",",
];

#[test]
fn hostile_texts_stay_as_they_are() {
    let mut pair = Pair::new(
        "c",
        "create table t (id text primary key, v text); create table n (id int primary key, v text, w text)",
    );
    let mut all = Vec::new();
    for (at, text) in TEXTS.iter().enumerate() {
        all.push(row("public", "t", "I", 0, &[Some("id"), Some(text), Some("v"), None]));
        let id = at.to_string();
        all.push(row(
            "public",
            "n",
            "I",
            0,
            &[Some("id"), Some(&id), Some("v"), Some(text), Some("w"), None],
        ));
    }
    assert_eq!(pair.applies(log("c", 1, false, &rows("c", &all)).as_bytes(), 1).rows, all.len() as u64);
    let count = |pair: &Pair| pair.query("select count(*) from t");
    assert_eq!(count(&pair), TEXTS.len().to_string());
    // Keys and values of updates, many and few; then of deletes.
    let updates: Vec<_> = TEXTS
        .iter()
        .map(|text| row("public", "t", "U", 1, &[Some("v"), Some(text), Some("id"), Some(text)]))
        .collect();
    let applied = pair.applies(log("c", 2, false, &rows("c", &updates)).as_bytes(), 2);
    assert_eq!(applied.drift, [""; 0]);
    assert_eq!(pair.query("select count(*) from t where v = id"), TEXTS.len().to_string());
    for (at, update) in updates.iter().enumerate() {
        pair.applies(
            log("c", 3 + at as u64, false, &rows("c", std::slice::from_ref(update))).as_bytes(),
            3 + at as u64,
        );
    }
    let next = pair.next();
    let deletes: Vec<_> =
        TEXTS.iter().map(|text| row("public", "t", "D", 0, &[Some("id"), Some(text)])).collect();
    pair.applies(log("c", next, false, &rows("c", &deletes)).as_bytes(), next);
    assert_eq!(count(&pair), "0");
    assert_eq!(pair.query("select to_regclass('pwned') is null"), "t");
}

/// A table: its columns, and values of two rows for each.
const COLUMNS: &[(&str, &str, [Option<&str>; 2])] = &[
    ("id", "int primary key", [Some("1"), Some("2")]),
    ("a", "bigint", [Some("9223372036854775807"), Some("-1")]),
    ("b", "numeric(10,2)", [Some("12.345"), Some("NaN")]),
    ("c", "double precision", [Some("1e-300"), Some("-Infinity")]),
    ("d", "real", [Some("0.1"), None]),
    ("e", "boolean", [Some("t"), Some("f")]),
    ("f", "bytea", [Some("\\x00ff5c27"), Some("\\x")]),
    ("g", "timestamptz", [Some("2020-01-02 03:04:05.678901+05"), Some("infinity")]),
    ("h", "timestamp(2)", [Some("2020-01-02 03:04:05.678901"), Some("-infinity")]),
    ("i", "date", [Some("2020-02-29"), None]),
    ("j", "interval", [Some("1 mon 2 days 03:04:05"), Some("-00:00:01")]),
    ("k", "char(5)", [Some("ab   "), Some("x")]),
    ("l", "varchar(5)", [Some("abcde"), Some("")]),
    ("m", "\"char\"", [Some("x"), Some("\\")]),
    ("n", "text[]", [Some("{a,\"b,c\",NULL,\"NULL\"}"), Some("{{a,b},{\"c d\",NULL}}")]),
    ("o", "int[][]", [Some("{{1,2},{3,4}}"), Some("{}")]),
    ("p", "json", [Some("{\"a\": [1, \"x\\\"y\\\\\"]}"), Some("null")]),
    ("q", "jsonb", [Some("{\"b\": 1, \"a\": 2}"), Some("[]")]),
    ("r", "uuid", [Some("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"), None]),
    ("s", "inet", [Some("10.0.0.1/8"), Some("::1")]),
    ("t", "bit(3)", [Some("101"), Some("000")]),
    ("u", "int4range", [Some("[1,5)"), Some("empty")]),
    ("v", "point", [Some("(1,2)"), None]),
    ("w", "mood", [Some("so\"so"), Some("fine, 'thanks'")]),
    ("x", "positive", [Some("1"), Some("2")]),
    ("y", "pair", [Some("(1,\"a,b\")"), Some("(,)")]),
    ("z", "pair[]", [Some("{\"(1,a)\",\"(2,\\\"b c\\\")\"}"), Some("{}")]),
    ("box", "box", [Some("(2,3),(0,1)"), Some("(1,1),(0,0)")]),
    ("boxes", "box[]", [Some("{(2,3),(0,1);(1,1),(0,0)}"), Some("{}")]),
    ("We\"ird,C{o}l\\", "text", [Some("x"), Some("")]),
    ("K ey", "xml", [Some("<a>&amp;</a>"), None]),
    ("é", "name", [Some("é"), Some("x")]),
];

fn every_type() -> String {
    let columns: Vec<_> =
        COLUMNS.iter().map(|(name, kind, _)| format!("\"{}\" {kind}", name.replace('"', "\"\""))).collect();
    format!(
        "create type mood as enum ('so\"so', 'fine, ''thanks'''); create domain positive as int check (value > 0);
         create type pair as (a int, b text); create schema \"Odd Sch.ema\";
         create table \"Odd Sch.ema\".\"T,\"\"1\" ({});",
        columns.join(", ")
    )
}

#[test]
fn every_type_is_read_as_the_server_reads_literals() {
    let mut pair = Pair::new("c", &every_type());
    let of = |command: &str, changed: usize, args: &[Option<&str>]| {
        row("Odd Sch.ema", "T,\"1", command, changed, args)
    };
    let insert = |id: &str, which: usize| {
        let mut args = Vec::new();
        for (name, _, values) in COLUMNS {
            args.extend([Some(*name), values[which]]);
        }
        args[1] = Some(id);
        of("I", 0, &args)
    };
    let ids: Vec<_> = (0..40).map(|id| id.to_string()).collect();
    // Few, then many.
    let few = [insert("100", 0), insert("101", 1)];
    pair.applies(log("c", 1, false, &rows("c", &few)).as_bytes(), 1);
    let many: Vec<_> = ids.iter().enumerate().map(|(at, id)| insert(id, at % 2)).collect();
    pair.applies(log("c", 2, false, &rows("c", &many)).as_bytes(), 2);
    // Each column set by its own, in few and in many.
    let mut counter = 2;
    for (name, _, values) in &COLUMNS[1..] {
        for ids in [&ids[..2], &ids[..20]] {
            counter += 1;
            let updates: Vec<_> = ids
                .iter()
                .enumerate()
                .map(|(at, id)| of("U", 1, &[Some(name), values[(at + 1) % 2], Some("id"), Some(id)]))
                .collect();
            let applied = pair.applies(log("c", counter, false, &rows("c", &updates)).as_bytes(), counter);
            assert_eq!(applied.drifted, 0, "{name}");
        }
    }
    // All of them are wrong for some column: refused alike, and nothing is left.
    for (name, value) in
        [("a", "x"), ("b", "1e20"), ("l", "abcdef"), ("t", "1"), ("w", "bad"), ("x", "0"), ("missing", "1")]
    {
        for count in [1, 20] {
            counter += 1;
            let updates: Vec<_> = ids[..count]
                .iter()
                .map(|id| of("U", 1, &[Some(name), Some(value), Some("id"), Some(id)]))
                .chain([insert("7777", 0)])
                .collect();
            let error =
                pair.apply(log("c", counter, false, &rows("c", &updates)).as_bytes(), counter).unwrap_err();
            counter -= 1;
            assert!(!error.contains("panicked"), "{name}: {error}");
        }
    }
}

/// Keys of types whose equality is not that of their spelling.
#[test]
fn keys_are_compared_by_their_types() {
    let mut pair = Pair::new(
        "c",
        "create domain code as char(4); create collation if not exists odd (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
         create table a (k char(5) primary key, v int); create table b (k numeric primary key, v int);
         create table d (k timestamptz primary key, v int); create table e (k code primary key, v int);
         create table f (k text collate odd primary key, v int); create table g (k float8, l int, v int, primary key (k, l));
         create table h (k int primary key, v int); create table i (k boolean, v int)",
    );
    let mut all = Vec::new();
    let keys: &[(&str, &str, &str)] = &[
        ("a", "ab", "ab   "),
        ("b", "1.0", "1.00"),
        ("d", "2020-01-01 00:00:00+00", "2020-01-01 01:00:00+01"),
        ("e", "x", "x   "),
        ("f", "x", "X"),
        ("h", "1", "01"),
        ("i", "t", "true"),
    ];
    for (table, one, _) in keys {
        all.push(row("public", table, "I", 0, &[Some("k"), Some(one), Some("v"), Some("0")]));
    }
    pair.applies(log("c", 1, false, &rows("c", &all)).as_bytes(), 1);
    // The second spelling of one key behind the first, among many.
    let mut counter = 1;
    for (table, one, two) in keys {
        let update = |key: &str, value: usize| {
            row("public", table, "U", 1, &[Some("v"), Some(&value.to_string()), Some("k"), Some(key)])
        };
        let updates: Vec<_> = (0..20).map(|at| update(if at % 2 == 0 { one } else { two }, at)).collect();
        counter += 1;
        let applied = pair.applies(log("c", counter, false, &rows("c", &updates)).as_bytes(), counter);
        assert_eq!(
            (applied.drifted, pair.query(&format!("select v from {table}"))),
            (0, "19".to_owned()),
            "{table}"
        );
    }
    for (table, _, two) in keys {
        counter += 1;
        let delete = row("public", table, "D", 0, &[Some("k"), Some(two)]);
        pair.applies(log("c", counter, false, &rows("c", &[delete])).as_bytes(), counter);
        assert_eq!(pair.query(&format!("select count(*) from {table}")), "0", "{table}");
    }
}

#[test]
fn columns_that_make_their_own_values() {
    let mut pair = Pair::new(
        "c",
        "create table g (id bigint generated always as identity primary key, n int, twice int generated always as (n * 2) stored);
         create table k (a int, twice int generated always as (a * 2) stored primary key, v text);
         create table d (id int generated by default as identity primary key, own serial, at int default 5, v text)",
    );
    let mut all = Vec::new();
    for id in 0..30_i32 {
        let (id, twice) = (id.to_string(), (id * 2).to_string());
        let (id, twice) = (Some(id.as_str()), Some(twice.as_str()));
        all.push(row("public", "g", "I", 0, &[Some("id"), id, Some("n"), id, Some("twice"), twice]));
        all.push(row("public", "k", "I", 0, &[Some("a"), id, Some("twice"), twice, Some("v"), None]));
        all.push(row("public", "d", "I", 0, &[Some("id"), id, Some("v"), id]));
    }
    pair.applies(log("c", 1, false, &rows("c", &all)).as_bytes(), 1);
    let mut all = Vec::new();
    for id in 0..30_i32 {
        let (id, twice, four) = (id.to_string(), (id * 2).to_string(), (id * 4 + 1000).to_string());
        let moved = (id.parse::<i32>().unwrap() + 500).to_string();
        let (id, twice) = (Some(id.as_str()), Some(twice.as_str()));
        all.push(row("public", "g", "U", 2, &[Some("n"), twice, Some("twice"), Some(&four), Some("id"), id]));
        all.push(row("public", "g", "U", 0, &[Some("id"), id]));
        all.push(row("public", "g", "U", 1, &[Some("id"), Some(&moved), Some("id"), id]));
        all.push(row("public", "k", "U", 0, &[Some("twice"), twice]));
        all.push(row(
            "public",
            "k",
            "U",
            2,
            &[Some("a"), Some(&four), Some("twice"), None, Some("twice"), twice],
        ));
        all.push(row("public", "d", "U", 0, &[Some("id"), id]));
    }
    pair.applies(log("c", 2, false, &rows("c", &all)).as_bytes(), 2);
}

/// The site's encoding is its own; bytes come in that of the origin.
#[test]
fn rows_come_in_the_encoding_of_the_origin() {
    let mut pair = Pair::of_encoding(
        "c",
        "LATIN1",
        "create table t (id int primary key, v text); create table \"é\" (id int primary key, \"ü\" text)",
    );
    let latin = |text: &str| text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect::<Vec<u8>>();
    let mut all = Vec::new();
    for id in 0..20 {
        let id = id.to_string();
        all.push(row("public", "t", "I", 0, &[Some("id"), Some(&id), Some("v"), Some("ä\u{fc}ÿ")]));
        all.push(row("public", "é", "I", 0, &[Some("id"), Some(&id), Some("ü"), Some("ß")]));
        all.push(row("public", "t", "U", 1, &[Some("v"), Some("é"), Some("id"), Some(&id)]));
    }
    pair.applies(&latin(&log("c", 1, false, &rows("c", &all))), 1);
    assert_eq!(pair.query("select distinct v from t"), "é");
}

/// Values are read as the data centre reads them: no error would tell that they are something else here.
#[test]
fn defaults_of_the_site_do_not_change_what_a_value_is() {
    let mut pair = Pair::new("c", "create table t (id int primary key, span interval, words text[])");
    for setting in ["intervalstyle = sql_standard", "array_nulls = off"] {
        pair.server.execute("postgres", &format!("alter role slony set {setting}"));
    }
    // A new session, which has them.
    pair.on_drift(OnDrift::Warn);
    let one = |id: &str| {
        let values =
            [Some("id"), Some(id), Some("span"), Some("-1 day 02:00:00"), Some("words"), Some("{NULL,a}")];
        row("public", "t", "I", 0, &values)
    };
    let ids: Vec<String> = (0..50).map(|id| id.to_string()).collect();
    let all: Vec<String> = ids.iter().map(|id| one(id)).collect();
    // Many at once, and one alone.
    pair.applies(log("c", 1, false, &rows("c", &all)).as_bytes(), 1);
    let update = row("public", "t", "U", 1, &[Some("span"), Some("-2 days 04:00:00"), Some("id"), Some("7")]);
    pair.applies(log("c", 2, false, &rows("c", &[update])).as_bytes(), 2);
    let found =
        "select extract(epoch from span)::int, words[1] is null, count(*) from t group by 1, 2 order by 1";
    assert_eq!(pair.query(found), "-158400|t|1\n-79200|t|49");
}
