//! Structures and namespaces: what is read from one database and applied to another by plain psql is the same there.

mod support;

use std::fs;
use std::sync::LazyLock;

use subscription_manager::db::structure::{
    MasterRows, Overrides, Structure, master_rows, namespaces, sequences, structures, values,
};
use subscription_manager::model::{Sequence, Series};
use support::Server;
use support::postgres::expect_success;
use tokio_postgres::{Client, Config, NoTls};

const SITE: &str = include_str!("structure/site.sql");
const EVERYTHING: &str = include_str!("structure/everything.sql");
/// The table in them.
const TABLE: (&str, &str) = ("Odd Schema", r#"We"ird,Tab{le}\"#);

/// One server for all tests; each has its own databases.
static SERVER: LazyLock<Server> = LazyLock::new(Server::start);

/// Two databases, and a connection to the first in a transaction.
struct Pair {
    source: String,
    site: String,
    client: Client,
}

impl Pair {
    async fn start(source: &str, site: &str) -> Self {
        let thread = std::thread::current();
        let test = thread.name().expect("each test has a thread with its name");
        let [source_name, site_name] = ["source", "site"].map(|role| format!("{test:.50}_{role}"));
        for (database, sql) in [(&source_name, source), (&site_name, site)] {
            SERVER.create_database(database);
            SERVER.execute(database, sql);
        }
        let (client, connection) = Config::new()
            .host_path(SERVER.socket_dir())
            .port(SERVER.port())
            .user("postgres")
            .dbname(&source_name)
            .connect(NoTls)
            .await
            .expect("connect to the source");
        tokio::spawn(connection);
        // A session with settings that would spoil the spelling.
        client
            .batch_execute(
                "set datestyle = german; set intervalstyle = sql_standard; set extra_float_digits = -15; \
                 set standard_conforming_strings = off; set search_path = \"Odd Schema\", types, public; \
                 begin isolation level repeatable read, read only",
            )
            .await
            .expect("begin a transaction");
        Self { source: source_name, site: site_name, client }
    }

    /// Applies SQL to the site as documented: `psql -f`, in one transaction. Returns what psql says on the way.
    #[track_caller]
    fn apply(&self, sql: &str) -> String {
        let path = SERVER.home().path().join(format!("{}.sql", self.site));
        fs::write(&path, format!("\\set ON_ERROR_STOP on\nbegin;\n{sql}commit;\n")).expect("write the SQL");
        let mut psql = SERVER.psql(&self.site, "postgres");
        psql.env("PGOPTIONS", "-c standard_conforming_strings=off");
        let output = psql.arg("-f").arg(&path).output().expect("run psql");
        expect_success(sql, &output);
        String::from_utf8(output.stderr).expect("psql speaks UTF-8")
    }

    #[track_caller]
    fn apply_structure(&self, structure: &Structure) {
        self.apply(&format!("{}{}", structure.before_data, structure.after_data));
    }

    async fn structure(&self, schema: &str, name: &str) -> Structure {
        let series = Series::new(schema, name);
        let found = structures(&self.client, std::slice::from_ref(&series)).await;
        found.expect("read the structure").remove(&series).expect("a structure")
    }
}

/// What `pg_dump` says of a schema, cut into its items.
fn dump(database: &str, schema: &str) -> Vec<String> {
    let text = SERVER.pg_dump(
        database,
        &["--schema-only", "--no-owner", "--no-privileges", "-n", &format!("\"{schema}\"")],
    );
    // Newer ones begin and end with a random word, all end with a remark.
    let text: String = text
        .split_inclusive('\n')
        .filter(|line| !line.starts_with("\\restrict") && !line.starts_with("\\unrestrict"))
        .collect();
    let text =
        text.split("\n--\n-- PostgreSQL database dump complete").next().expect("a text has a first part");
    text.split("\n--\n-- Name: ").skip(1).map(|item| item.trim_end().to_owned()).collect()
}

/// The type that `pg_dump` gives an item: `TABLE`, `FK CONSTRAINT` ...
fn kind(item: &str) -> &str {
    item.split("; Type: ").nth(1).and_then(|rest| rest.split(';').next()).expect("an item has a type")
}

fn series(schema: &str, name: &str) -> Series {
    Series::new(schema, name)
}

#[tokio::test]
async fn a_table_of_everything_is_the_same_at_the_site() {
    let pair = Pair::start(&format!("{SITE}{EVERYTHING}"), SITE).await;
    let structure = pair.structure(TABLE.0, TABLE.1).await;
    pair.apply_structure(&structure);

    let (source, site) = (dump(&pair.source, TABLE.0), dump(&pair.site, TABLE.0));
    assert!(source.len() > 30, "the dump was cut into {} items", source.len());
    let (same, missing): (Vec<_>, Vec<_>) = source.into_iter().partition(|item| site.contains(item));
    assert_eq!(same.join("\n\n"), site.join("\n\n"));
    let mut kinds: Vec<&str> = missing.iter().map(|item| kind(item)).collect();
    kinds.sort_unstable();
    let left_out = ["COMMENT", "FK CONSTRAINT", "POLICY", "ROW SECURITY", "RULE", "TRIGGER", "TRIGGER"];
    assert_eq!(kinds, left_out, "{}", missing.join("\n\n"));
    let comment = missing.iter().find(|item| kind(item) == "COMMENT").unwrap();
    assert!(comment.contains("CONSTRAINT refers"), "{comment}");

    let names: Vec<&str> = structure.sequences.iter().map(|sequence| sequence.0.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "my identity",
            r#"We"ird,Tab{le}\_id2_seq"#,
            r#"We"ird,Tab{le}\_serial_seq"#,
            r#"We"ird,Tab{le}\_seq"#,
            r"shared;\."
        ]
    );
    assert!(structure.copy_columns.contains(&"new\nline".to_owned()));
    assert!(!structure.copy_columns.contains(&"doubled".to_owned()));
    assert!(!structure.copy_columns.iter().any(|column| column.contains("dropped")));
    assert_eq!(structure.copy_columns.len(), 31);
}

#[tokio::test]
async fn the_columns_copy_from_one_to_the_other() {
    let source = format!(
        "{SITE}{EVERYTHING} insert into \"Odd Schema\".\"We\"\"ird,Tab{{le}}\\\" (\"select\", price, few) \
         select n, 1, null from generate_series(1, 3) n;"
    );
    let pair = Pair::start(&source, SITE).await;
    let structure = pair.structure(TABLE.0, TABLE.1).await;
    let columns: Vec<String> =
        structure.copy_columns.iter().map(|column| format!("\"{}\"", column.replace('"', "\"\""))).collect();
    let table = series(TABLE.0, TABLE.1).sql();
    let copy = format!("copy {table} ({})", columns.join(", "));
    let rows = SERVER.query(&pair.source, &format!("{copy} to stdout"));
    pair.apply(&format!(
        "{}{copy} from stdin;\n{rows}\n\\.\n{}",
        structure.before_data, structure.after_data
    ));
    let all = format!("select * from {table} order by id");
    assert_eq!(SERVER.query(&pair.site, &all), SERVER.query(&pair.source, &all));
}

#[tokio::test]
async fn a_site_logs_every_table_and_keeps_other_replica_identities() {
    let source = "create schema s; \
        create unlogged table s.a (id serial, other integer generated always as identity, primary key (id)); \
        alter table s.a replica identity full; \
        create table s.b (); alter table s.b replica identity nothing;";
    let pair = Pair::start(source, "create schema s").await;
    for name in ["a", "b"] {
        pair.apply_structure(&pair.structure("s", name).await);
    }
    // A crash of the site's server would empty it.
    assert_eq!(SERVER.query(&pair.site, "select count(*) from pg_class where relpersistence = 'u'"), "0");
    SERVER.execute(&pair.source, "alter table s.a set logged");
    assert_eq!(dump(&pair.source, "s"), dump(&pair.site, "s"));
}

#[tokio::test]
async fn who_inherits_becomes_a_plain_table() {
    let source = "create schema s; \
        create table s.parent (a integer not null, b text default 'x', constraint c check (a > 0)); \
        create table s.child (d integer) inherits (s.parent); \
        create table s.whole (a integer, primary key (a)) partition by range (a); \
        create table s.part partition of s.whole for values from (0) to (9);";
    let pair = Pair::start(source, "create schema s").await;
    for name in ["child", "part"] {
        pair.apply_structure(&pair.structure("s", name).await);
    }
    let plain = "create schema s; \
        create table s.child (a integer not null, b text default 'x', d integer, constraint c check (a > 0)); \
        create table s.part (a integer not null, primary key (a));";
    SERVER.create_database("plain");
    SERVER.execute("plain", plain);
    assert_eq!(dump(&pair.site, "s"), dump("plain", "s"));
}

#[tokio::test]
async fn a_table_that_is_not_there_has_no_structure() {
    let source = "create schema s; create view s.v as select 1; create table s.there (x int)";
    let pair = Pair::start(source, "").await;
    let asked = ["t", "v", "there"].map(|name| series("s", name));
    let found = structures(&pair.client, &asked).await.unwrap();
    assert_eq!(found.into_keys().collect::<Vec<_>>(), [series("s", "there")]);
}

#[tokio::test]
async fn tables_that_are_read_together_keep_their_own_parts() {
    let source = "create schema s; create schema t; \
        create table s.one (id serial primary key, a text not null, check (a <> '')); \
        create index on s.one (a); create statistics s.of_one on id, a from s.one; \
        comment on table s.one is 'the one'; comment on column s.one.a is 'its a'; \
        comment on sequence s.one_id_seq is 'its keys'; \
        create table t.one (id integer generated always as identity, a text default 'x', b text unique); \
        comment on constraint one_b_key on t.one is 'the other'; \
        create table s.none ();";
    let pair = Pair::start(source, "create schema s; create schema t").await;
    let asked = [series("t", "one"), series("s", "none"), series("s", "one"), series("t", "one")];
    let together = structures(&pair.client, &asked).await.unwrap();
    assert_eq!(together.len(), 3);
    for one in &asked[..3] {
        assert_eq!(together[one], pair.structure(&one.0.schema, &one.0.name).await, "{one}");
        pair.apply_structure(&together[one]);
    }
    for schema in ["s", "t"] {
        assert_eq!(dump(&pair.source, schema), dump(&pair.site, schema), "{schema}");
    }
}

#[tokio::test]
async fn the_values_of_many_sequences_come_by_one_question() {
    let source = "create schema s; create sequence s.fresh; create sequence s.\"U sed\" start 7; \
        create sequence s.set; select setval('s.\"U sed\"', 9), setval('s.set', 5, false);";
    let pair = Pair::start(source, "").await;
    let asked = ["fresh", "U sed", "set", "fresh"].map(|name| Sequence::new("s", name));
    let found = values(&pair.client, &asked).await.unwrap();
    assert_eq!(
        asked[..3].iter().map(|asked| found[asked]).collect::<Vec<_>>(),
        [(1, false), (9, true), (5, false)]
    );
    assert!(values(&pair.client, &[]).await.unwrap().is_empty());
}

#[tokio::test]
async fn sequences_of_many_tables_come_by_one_question() {
    let source = "create schema s; create schema t; \
        create table s.a (b_id serial, n bigint generated always as identity, z serial); \
        create table s.a_b_id (x integer); \
        create table s.named (x integer); create sequence s.named_seq; create sequence t.named_seq; \
        create table s.user (x bigint default nextval('t.named_seq'), y bigint default nextval('s.a_b_id_seq')); \
        create table s.none (x integer default 1);";
    let pair = Pair::start(source, "").await;
    let asked: Vec<Series> = ["none", "a_b_id", "user", "named", "a", "missing", "a"]
        .into_iter()
        .map(|name| series("s", name))
        .collect();
    let found = sequences(&pair.client, &asked).await.unwrap();
    assert_eq!(found.len(), 6);
    let check = |name: &str, expected: &[&str]| {
        let sequences: Vec<String> = found[&series("s", name)].iter().map(Sequence::to_string).collect();
        assert_eq!(sequences, expected, "{name}");
    };
    check("a", &["s.a_b_id_seq", "s.a_n_seq", "s.a_z_seq"]);
    check("a_b_id", &[]);
    check("named", &["s.named_seq"]);
    check("user", &["t.named_seq", "s.a_b_id_seq"]);
    check("none", &[]);
    check("missing", &[]);
}

/// The schema `hmi` as NetDRMS makes it, about.
const DRMS: &str = r#"
create schema admin;
create table admin.ns (name varchar(30) primary key, nstype varchar(20) not null, dbusr varchar(20), "No\te" text);
insert into admin.ns values ('hmi', 'user', 'production', E'it''s\\'), ('aia', 'user', null, null);
create schema hmi;
create schema plain;
create sequence hmi.drms_sessionid_seq;
create sequence hmi.numbers as integer;
create table hmi.drms_series (seriesname text primary key, author text not null, owner text not null, unitsize integer,
    archive integer, retention integer, tapegroup integer, "Description" text, number integer default nextval('hmi.numbers'));
create table hmi.drms_keyword (seriesname text not null, keywordname text, defaultvalue text);
create index drms_keyword_name on hmi.drms_keyword (lower(seriesname), lower(keywordname));
create table hmi.drms_segment (seriesname text not null, segmentname text, length integer generated always as (1) stored,
    primary key (seriesname, segmentname));
create table hmi.drms_session (sessionid bigint default nextval('hmi.drms_sessionid_seq') primary key, note text check (note <> '\'));
insert into hmi.drms_series (seriesname, author, owner, archive, retention, tapegroup, "Description") values
    ('hmi.M_45s', 'x', 'production', -1, 60, 4, E'tab\there \\ \n''$do$'), ('hmi.M_45s_nrt', 'x', 'production', 0, 1, 0, null);
insert into hmi.drms_keyword values ('hmi.M_45s', 'T_REC', E'\\.'), ('hmi.m_45S', 'X', null), ('hmi.M_45s_nrt', 'T_REC', '');
insert into hmi.drms_segment values ('hmi.M_45s', 'magnetogram');
"#;

/// Each schema's SQL, one after the other.
async fn createns(pair: &Pair, grant_to: &[&str]) -> String {
    let grant_to: Vec<String> = grant_to.iter().map(|&role| role.to_owned()).collect();
    let texts =
        namespaces(&pair.client, &["hmi", "plain"], "slony", &grant_to).await.expect("read the schemas");
    assert_eq!(texts.iter().map(|(schema, _)| schema.as_str()).collect::<Vec<_>>(), ["hmi", "plain"]);
    texts.into_iter().map(|(_, sql)| sql).collect()
}

#[tokio::test]
async fn namespaces_are_made_once_however_often_they_are_applied() {
    let pair = Pair::start(DRMS, "create role \"the 'reader'\"").await;
    let sql = createns(&pair, &["the 'reader'", "no$do$body", "public"]).await;
    for _ in 0..2 {
        let said = pair.apply(&sql);
        assert!(said.contains("role no$do$body is not here"), "{said}");
    }
    for schema in ["hmi", "plain", "admin"] {
        assert_eq!(dump(&pair.site, schema), dump(&pair.source, schema), "{schema}");
    }
    assert_eq!(SERVER.query(&pair.site, "select * from admin.ns"), r"hmi|user|slony|it's\");
    let granted = "select string_agg(has_schema_privilege(r, 'hmi', 'usage')::text || \
        has_table_privilege(r, 'hmi.drms_series', 'select') || has_table_privilege(r, 'admin.ns', 'select') || \
        has_sequence_privilege(r, 'hmi.drms_sessionid_seq', 'select') || \
        has_sequence_privilege(r, 'hmi.numbers', 'select') || \
        has_table_privilege(r, 'hmi.drms_series', 'insert'), ' ') from unnest(array['the ''reader''', 'public']) r";
    let once = "truetruetruetruetruefalse";
    assert_eq!(SERVER.query(&pair.site, granted), format!("{once} {once}"));
}

#[tokio::test]
async fn namespaces_keep_what_a_site_has() {
    let site = "create schema admin; create table admin.ns (name text, nstype text, dbusr text, \"No\\te\" text); \
        insert into admin.ns values ('hmi', 'old', 'me', null); \
        create schema hmi; create table hmi.drms_keyword (seriesname text, keywordname text, mine integer);";
    let pair = Pair::start(DRMS, site).await;
    let sql = createns(&pair, &[]).await;
    assert!(!sql.contains("grant"), "nothing is granted unasked: {sql}");
    pair.apply(&sql);
    pair.apply(&sql);
    assert_eq!(SERVER.query(&pair.site, "select * from admin.ns"), "hmi|old|me|");
    assert_eq!(SERVER.query(&pair.site, "select count(mine) from hmi.drms_keyword"), "0");
    let tables = "select string_agg(relname, ' ' order by relname) from pg_class \
        where relnamespace = 'hmi'::regnamespace and relkind in ('r', 'i')";
    assert_eq!(
        SERVER.query(&pair.site, tables),
        "drms_keyword drms_keyword_name drms_segment drms_segment_pkey drms_series drms_series_pkey drms_session \
         drms_session_pkey"
    );
}

async fn rows_of(pair: &Pair, name: &str, overrides: &Overrides) -> Vec<MasterRows> {
    let series = series("hmi", name);
    master_rows(&pair.client, std::slice::from_ref(&series), overrides).await.expect("read the tables")
}

#[tokio::test]
async fn master_rows_arrive_with_the_sites_settings_and_can_be_loaded_again() {
    let pair = Pair::start(DRMS, "").await;
    pair.apply(&createns(&pair, &[]).await);
    let overrides =
        Overrides { archive: Some(-2), retention: None, tapegroup: Some(0), owner: r"o'w\ner".to_owned() };
    let rows = rows_of(&pair, "m_45s", &overrides).await;
    let tables: Vec<&str> = rows.iter().map(|rows| rows.table.name.as_str()).collect();
    assert_eq!(tables, ["drms_series", "drms_keyword", "drms_segment"]);

    let deletes: Vec<&str> = rows.iter().rev().map(|rows| rows.delete.as_str()).collect();
    let mut sql = deletes.join("\n") + "\n";
    for rows in &rows {
        // `query` trims the end of the output: no row of the test ends in white space.
        let copied = SERVER.query(&pair.source, &rows.copy_out);
        sql += &[rows.copy_in.as_str(), &copied, "\\.\n"].join("\n");
    }
    let sql = format!("set local standard_conforming_strings = on;\n{sql}");
    pair.apply(&sql);
    SERVER.execute(&pair.site, "insert into hmi.drms_keyword values ('hmi.other', 'K', null)");
    pair.apply(&sql);

    let series = "select seriesname, owner, archive, retention, tapegroup, number from hmi.drms_series";
    assert_eq!(SERVER.query(&pair.site, series), r"hmi.M_45s|o'w\ner|-2|60|0|1");
    for table in ["drms_keyword", "drms_segment"] {
        let all = format!("select * from hmi.{table} where lower(seriesname) = 'hmi.m_45s' order by 2");
        assert_eq!(SERVER.query(&pair.site, &all), SERVER.query(&pair.source, &all), "{table}");
    }
    let description = "select \"Description\" from hmi.drms_series where seriesname = 'hmi.M_45s'";
    assert_eq!(SERVER.query(&pair.site, description), SERVER.query(&pair.source, description));
    assert_eq!(SERVER.query(&pair.site, "select count(*) from hmi.drms_keyword"), "3");
}

#[tokio::test]
async fn a_schema_without_master_tables_has_no_master_rows() {
    let pair = Pair::start("create schema hmi; create table hmi.drms_series (name text)", "").await;
    let overrides = Overrides { archive: None, retention: None, tapegroup: None, owner: String::new() };
    assert_eq!(rows_of(&pair, "m", &overrides).await, []);
}
