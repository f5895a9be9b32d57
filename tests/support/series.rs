//! The tables that tests share: DRMS series with text that breaks careless readers, and their DRMS master tables.

/// The schemas of [`schema_sql`] that are replicated.
pub const SCHEMAS: &[&str] = &["hmi", "mdi", "aia", "Odd Schema"];

/// The series of the standard shape (`recnum`, `t_rec`, `quality`, `note`).
pub const STANDARD: &[&str] = &["hmi.m_45s", "hmi.v_45s", "mdi.fd_m_96m_lev18", "aia.lev1"];

/// The series whose names need quotes, as SQL.
pub const ODD: &str = r#""Odd Schema"."We""ird,Tab{le}""#;

/// Text that somebody on the way from the origin to the site might take for something else.
pub const HOSTILE: &[&str] = &[
    "plain",
    "",
    " ",
    "NULL",
    "null",
    r"\N",
    r"\.",
    "before\n\\.\nafter",
    "it's",
    r#"say "hi""#,
    r"back\slash\",
    r"\\",
    "'; drop table hmi.m_45s; --",
    r#"x"; commit; create table pwned(x int); --"#,
    "\nselect 'a line of its own';\n",
    "\ncommit;\nvacuum analyze \"_jsoc\".sl_archive_tracking;\n",
    "\nCOPY \"_jsoc\".\"sl_log_archive\" FROM STDIN;\n",
    "\\! touch pwned\n\\q",
    "-- EOL",
    "/* never closed",
    "$$ $body$ $1",
    "tab\there",
    "vertical\u{b}tab, form\u{c}feed, back\u{8}space",
    "carriage\r\nreturn",
    "\u{1}\u{7f}\u{85}\u{a0}\u{2028}\u{feff}",
    "{a,\"b\",NULL}",
    "{\"t\\\\\",\\N}",
    "größer als 10° – Ωμέγα 太陽 ☀ 𝛁𝐁",
    "e\u{301} \u{202e}thgir ot tfel",
    "%s %n %%",
    "${HOME} `id` $(id)",
    ":name :'name' :\"name\"",
];

/// A text as an SQL literal, for servers with standard strings.
pub fn quote_literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Everything that both databases have: the empty series, and the DRMS master tables, which Slony-I does not replicate,
/// with their rows.
pub fn schema_sql() -> String {
    let mut sql = String::from(SERIES);
    for schema in ["hmi", "mdi"] {
        sql += &MASTER_TABLES.replace("SCHEMA", schema);
    }
    for (name, segment) in
        [("hmi.M_45s", "magnetogram"), ("hmi.V_45s", "Dopplergram"), ("mdi.fd_M_96m_lev18", "data")]
    {
        let schema = name.split('.').next().expect("a schema");
        sql += &MASTER_ROWS.replace("SCHEMA", schema).replace("NAME", name).replace("SEGMENT", segment);
    }
    sql
}

/// The rows that the origin has before node 2 subscribes: 300 in each series, with every hostile text.
pub fn seed_sql() -> String {
    let texts: Vec<_> = HOSTILE.iter().map(|text| quote_literal(text)).collect();
    // The last element is NULL.
    let text = format!("(array[{}, null])[1 + i % {}]", texts.join(", "), HOSTILE.len() + 1);
    let mut statements: Vec<_> = STANDARD
        .iter()
        .map(|series| {
            format!(
                "insert into {series} select i, timestamptz '2010-05-01 00:00:00Z' + i * interval '45 s', \
                 nullif(i % 7, 0) * 1000, {text} from generate_series(1, 300) i;\n"
            )
        })
        .collect();
    statements.push(format!(
        "insert into {ODD} select coalesce({text}, '') || i, -i, {text}, {text} from generate_series(1, 300) i;\n\
         insert into hmi.with_identity (v) select {text} from generate_series(1, 300) i;\n\
         select setval('hmi.m_45s_seq', 300), setval('mdi.fd_m_96m_lev18_seq', 300) \\g /dev/null\n"
    ));
    statements.concat()
}

const SERIES: &str = r#"
create schema hmi;
create schema mdi;
create schema aia;
create schema "Odd Schema";
create schema admin;
create table hmi.m_45s (recnum bigint primary key, t_rec timestamptz, quality int, note text);
create table hmi.v_45s (recnum bigint primary key, t_rec timestamptz, quality int, note text);
create table mdi.fd_m_96m_lev18 (recnum bigint primary key, t_rec timestamptz, quality int, note text);
create table aia.lev1 (recnum bigint primary key, t_rec timestamptz, quality int, note text);
create index on hmi.m_45s (t_rec);
create table "Odd Schema"."We""ird,Tab{le}" (
    "K ey" text, "k\2" int, "select" text, "v""q" text, primary key ("K ey", "k\2"));
create sequence hmi.m_45s_seq;
create sequence mdi.fd_m_96m_lev18_seq;
create table hmi.with_identity (
    id bigint generated always as identity primary key,
    v text,
    twice int generated always as (length(v) * 2) stored);
create table admin.ns (name text primary key, nsgroup text, dbusr text);
"#;

/// As NetDRMS' `createns` makes them.
const MASTER_TABLES: &str = r"
insert into admin.ns values ('SCHEMA', 'sys', 'SCHEMA_owner');
create table SCHEMA.drms_series (
    seriesname text not null, author text not null, owner text not null, unitsize integer not null,
    archive integer not null, retention integer not null, tapegroup integer not null, primary_idx text not null,
    created text not null, description text, dbidx text, version text, primary key (seriesname));
create table SCHEMA.drms_keyword (
    seriesname text not null, keywordname text not null, linkname text, targetkeyw text, type text, defaultval text,
    format text, unit text, islink integer default 0, isconstant integer, persegment integer, description text,
    primary key (seriesname, keywordname));
create table SCHEMA.drms_link (
    seriesname text not null, linkname text not null, target_seriesname text not null, type text, description text,
    primary key (seriesname, linkname));
create table SCHEMA.drms_segment (
    seriesname text not null, segmentname text not null, segnum integer, scope text, type text, naxis integer,
    axis text, unit text, protocol text, description text, islink integer default 0, linkname text, targetseg text,
    cseg_recnum bigint default 0, primary key (seriesname, segmentname));
create table SCHEMA.drms_session (
    sessionid bigint not null, hostname text, port integer, pid integer, sunum bigint, sudir text, username text,
    starttime text, lastcontact text, endtime text, clients integer, status text, sums_thread_status text,
    jsoc_version text, primary key (sessionid));
create sequence SCHEMA.drms_sessionid_seq;
grant usage on schema SCHEMA to public;
grant select on SCHEMA.drms_series, SCHEMA.drms_keyword, SCHEMA.drms_link, SCHEMA.drms_segment, SCHEMA.drms_session
    to public;
";

/// What the master tables say about one series; the descriptions hold quotes, a tab, a newline and a backslash.
const MASTER_ROWS: &str = r#"
insert into SCHEMA.drms_series values ('NAME', 'production', 'production', 16, -1, 60, 2, 'T_REC,CAMERA',
    '2010-05-01 00:00:00', 'the sun''s "line of sight" at 45 s', 'T_REC,QUALITY', '1.0');
insert into SCHEMA.drms_keyword values
    ('NAME', 'T_REC', '', '', 'time', '-4712.01.01_11:59_TAI', '0', 'TAI', 0, 0, 0, 'slot time; see "T_OBS"'),
    ('NAME', 'QUALITY', '', '', 'int', '-2147483648', '0x%08X', 'none', 0, 0, 0, E'bits\tof\nquality \\ faults'),
    ('NAME', 'NOTE', '', '', 'string', '', '%s', null, 0, 0, 0, null);
insert into SCHEMA.drms_link values ('NAME', 'KEYLINK', 'SCHEMA.lev1_source', 'dynamic', 'where it''s from');
insert into SCHEMA.drms_segment values ('NAME', 'SEGMENT', 0, 'variable', 'int', 2, '4096,4096', 'm/s', 'fits',
    'the image', 0, '', '', 0);
insert into SCHEMA.drms_session select coalesce(max(sessionid), 0) + 1, 'host', 4711, 42, 7, '/SUM1/D7', 'production',
    '2010-05-01 00:00:00', null, null, 1, 'idle', null, '9.5' from SCHEMA.drms_session;
"#;
