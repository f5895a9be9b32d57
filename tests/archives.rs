//! Real archives of Slony-I 2.2 (`tests/archives`, cluster `_shp`, and `_jsoc` in `slony-2.2-drms`) through the
//! splitter, without a database.
#![allow(clippy::unwrap_used, reason = "the helpers of tests panic like tests")]

use std::path::Path;

use subscription_manager::logs::{
    ArchiveFault, Destination, Expected, Numbers, Routes, SplitError, Survey, plan, write,
};
use subscription_manager::model::{ArchiveName, Dialect, Series, SeriesList, Subscription, Unrouted};

const DASHES: &str = "------------------------------------------------------------------";

fn sample(path: &str) -> Vec<u8> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/archives").join(path);
    std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn name(counter: u64) -> ArchiveName {
    format!("slony1_log_2_{counter:020}.sql").parse().unwrap()
}

fn list(series: &[&str]) -> SeriesList {
    series.iter().map(|name| Subscription::from_name(name.parse().unwrap())).collect()
}

/// The site log of each destination.
fn split(
    archive: &[u8],
    cluster: &str,
    counter: u64,
    destinations: &[Destination<'_>],
) -> Result<Vec<String>, SplitError> {
    let expected = Expected { cluster, name: name(counter) };
    let mut survey = Survey::of(archive, &expected, Vec::new())?;
    let plan = plan(&survey, &Routes::new(destinations), &Numbers::new())?;
    assert_eq!(plan.stops, []);
    let mut written = vec![Vec::new(); plan.outputs.len()];
    write(&mut survey, || Ok(archive), &expected, &plan, &mut written)?;
    // What was in memory is gone now: the archive is read once more.
    let mut again = vec![Vec::new(); plan.outputs.len()];
    write(&mut survey, || Ok(archive), &expected, &plan, &mut again)?;
    assert_eq!(written, again);
    let mut logs = vec![None; destinations.len()];
    for (output, bytes) in plan.outputs.iter().zip(written) {
        for destination in &output.destinations {
            let log = String::from_utf8_lossy(&bytes).into_owned();
            assert_eq!(logs[*destination].replace(log), None, "one output for each");
            assert_eq!(output.dialect, destinations[*destination].dialect);
        }
    }
    Ok(logs.into_iter().map(|log| log.expect("every destination has an output")).collect())
}

fn to(dialect: Dialect, list: &SeriesList) -> Destination<'_> {
    Destination { node: 0, unrouted: Unrouted::Hold, dialect, list }
}

fn psql(list: &SeriesList) -> Destination<'_> {
    to(Dialect::Psql, list)
}

fn slony(list: &SeriesList) -> Destination<'_> {
    to(Dialect::Slony, list)
}

#[track_caller]
fn fault(archive: &[u8], cluster: &str, counter: u64) -> ArchiveFault {
    let nobody = SeriesList::default();
    let destination = psql(&nobody);
    match split(archive, cluster, counter, &[destination]) {
        Err(SplitError::Archive(fault)) => fault,
        other => panic!("expected a fault, found {other:?}"),
    }
}

fn psql_log(cluster: &str, node_event: &str, tracking: &str, body: &str) -> String {
    format!(
        "\\set ON_ERROR_STOP on\n{DASHES}\n-- Slony-I log shipping archive\n-- {node_event}\n{DASHES}\n\
         start transaction;\nselect \"_{cluster}\".site_log_offline(1);\n\
         select \"_{cluster}\".archiveTracking_offline({tracking});\n-- end of log archiving header\n{DASHES}\n\
         -- start of Slony-I data\n{DASHES}\n{body}\n{DASHES}\n-- End Of Archive Log\n{DASHES}\ncommit;\n\
         vacuum analyze \"_{cluster}\".sl_archive_tracking;\n-- EOL\n"
    )
}

#[test]
fn a_node_of_everything_gets_every_byte() {
    let all = list(&[
        "public.t1",
        "public.t4",
        "public.child",
        "public.nopk2",
        r#""Odd Schema"."We""ird,Tab{le}""#,
    ]);
    let mut all: Vec<Subscription> = all.iter().cloned().collect();
    all[0].sequences = vec!["public.t1_id_seq".parse().unwrap()];
    all[1].sequences = vec![r#""Odd Schema"."S eq""#.parse().unwrap()];
    let all: SeriesList = all.into_iter().collect();
    for counter in [24, 25, 38, 44, 61, 66, 76, 84, 92, 95, 109, 110, 191, 267] {
        let archive = sample(&format!("slony-2.2/{}", name(counter)));
        let logs = split(&archive, "shp", counter, &[slony(&all)]).unwrap();
        let mut expected = String::from_utf8(archive).unwrap() + "-- EOL\n";
        // An empty block of rows is left out.
        if let Some(at) = expected.find("FROM STDIN;\n\\.\n") {
            let start = expected[..at].rfind('\n').unwrap() + 1;
            expected.replace_range(start..at + "FROM STDIN;\n\\.\n".len(), "");
        }
        assert_eq!(logs, [expected], "{counter}");
    }
}

#[test]
fn rows_go_to_those_who_have_the_table() {
    let archive = sample(&format!("slony-2.2/{}", name(66)));
    let (t4, child, none) = (list(&["public.t4"]), list(&["public.child"]), list(&["public.t"]));
    let logs = split(&archive, "shp", 66, &[psql(&t4), psql(&child), psql(&none)]).unwrap();
    let copy = "COPY \"_shp\".\"sl_log_archive\" ( log_origin, log_txid,log_tableid,log_actionseq,log_tablenspname, \
                log_tablerelname, log_cmdtype, log_cmdupdncols,log_cmdargs) FROM STDIN;\n";
    let body = |rows: &str| {
        let body = if rows.is_empty() { String::new() } else { format!("{copy}{rows}\\.\n") };
        psql_log("shp", "Node 1, Event 5000000049", "'66', '2026-11-20 21:42:39.733671+00'", &body)
    };
    let t4_rows = "1\t2810\t4\t50\tpublic\tt4\tI\t0\t{id,3,v,c}\n1\t2810\t4\t51\tpublic\tt4\tT\t0\t{}\n\
                   1\t2810\t4\t53\tpublic\tt4\tI\t0\t{id,9,v,z}\n";
    assert_eq!(logs[0], body(t4_rows));
    assert_eq!(logs[1], body("1\t2810\t5\t52\tpublic\tchild\tT\t0\t{}\n"));
    assert_eq!(logs[2], body(""));
}

#[test]
fn what_differs_is_written_once() {
    let archive = sample(&format!("slony-2.2/{}", name(66)));
    let lists = [list(&["public.t4"]), list(&["public.x", "public.t4"]), list(&[]), list(&["public.x"])];
    let mut destinations: Vec<_> = lists.iter().map(psql).collect();
    destinations.push(slony(&lists[0]));
    let expected = Expected { cluster: "shp", name: name(66) };
    let survey = Survey::of(&archive[..], &expected, Vec::new()).unwrap();
    let plan = plan(&survey, &Routes::new(&destinations), &Numbers::new()).unwrap();
    let shared: Vec<_> = plan.outputs.iter().map(|output| output.destinations.clone()).collect();
    assert_eq!(shared, [vec![0, 1], vec![2, 3], vec![4]]);
}

#[test]
fn the_copy_of_a_table_goes_to_its_nodes() {
    let archive = sample(&format!("slony-2.2/{}", name(25)));
    let odd: Series = r#""Odd Schema"."We""ird,Tab{le}""#.parse().unwrap();
    let sequences = vec!["public.t1_id_seq".parse().unwrap()];
    let list: SeriesList = [Subscription { series: odd, sequences }].into_iter().collect();
    let logs = split(&archive, "shp", 25, &[psql(&list)]).unwrap();
    let body = r#"-- ENABLE_SUBSCRIPTION
delete from only "Odd Schema"."We""ird,Tab{le}";
copy "Odd Schema"."We""ird,Tab{le}" ("K ey","k\2","select","v""q") from stdin;
k\t1\n\\	7	sel	x"y'z
\.
select "_shp".finishTableAfterCopy(2); analyze "Odd Schema"."We""ird,Tab{le}"; 
select "_shp".sequenceSetValue_offline('public','t1_id_seq','1');
"#;
    assert_eq!(
        logs,
        [psql_log("shp", "Node 1, Event 5000000021", "'25', '2026-11-20 21:40:13.751249+00'", body)]
    );
}

#[test]
fn sequence_lines_that_odd_names_break_are_quoted() {
    let archive = String::from_utf8(sample(&format!("slony-2.2/{}", name(38)))).unwrap();
    let broken = archive.replace("'public','t1_id_seq','23'", "'it's','a\\b','23'");
    let sequences = vec![r#""it's"."a\b""#.parse().unwrap()];
    let list: SeriesList = [Subscription { series: "a.b".parse().unwrap(), sequences }].into_iter().collect();
    let other: SeriesList = [Subscription::from_name("public.x".parse().unwrap())].into_iter().collect();
    for dialect in [Dialect::Psql, Dialect::Slony] {
        let logs = split(broken.as_bytes(), "shp", 38, &[to(dialect, &list), to(dialect, &other)]).unwrap();
        assert!(
            logs[0].contains("\nselect \"_shp\".sequenceSetValue_offline('it''s',E'a\\\\b','23');\n\n\n--")
        );
        assert!(!logs[1].contains("sequenceSetValue"), "a sequence of nobody goes to nobody");
    }
    // A name over two lines is nobody's: a list cannot hold it. Its line is read whole all the same.
    let lines = archive.replace("'public','t1_id_seq','23'", "'it's','a\nb','23'");
    let logs = split(lines.as_bytes(), "shp", 38, &[psql(&list)]).unwrap();
    assert!(!logs[0].contains("sequenceSetValue"));
    // Two sequences that slon would paste alike.
    let (one, two) = ([r#""a','b"."c""#.parse().unwrap()], [r#"a."b','c""#.parse().unwrap()]);
    let twice: SeriesList = [Subscription { series: "a.b".parse().unwrap(), sequences: [one, two].concat() }]
        .into_iter()
        .collect();
    let alike = archive.replace("'public','t1_id_seq','23'", "'a','b','c','23'");
    let destination = psql(&twice);
    let error = split(alike.as_bytes(), "shp", 38, &[destination]).unwrap_err().to_string();
    assert!(error.starts_with("line 47: the line may mean two sequences"), "{error}");
}

#[test]
fn several_blocks_are_kept_apart() {
    let archive = String::from_utf8(sample(&format!("slony-2.2/{}", name(66)))).unwrap();
    let start = archive.find("COPY ").unwrap();
    let end = archive.find("\\.\n").unwrap() + 3;
    let block = &archive[start..end];
    let other = block.replace("\tt4\t", "\tt5\t");
    let wide = block.replace("( log_origin, log_txid,", "(log_origin ,log_txid, ");
    let two = archive.replace(block, &format!("{other}{block}{wide}"));
    let t4 = list(&["public.t4"]);
    let logs = split(two.as_bytes(), "shp", 66, &[slony(&t4)]).unwrap();
    assert_eq!(logs[0].matches("COPY ").count(), 2);
    assert_eq!(logs[0].matches("\n\\.\n").count(), 2);
    assert_eq!(logs[0].matches("\tt4\t").count(), 6);
}

#[test]
fn a_hole_of_a_full_disk_is_found() {
    let text = String::from_utf8(sample("slony-2.2/329-ENOSPC-hole-EXCERPT.txt")).unwrap();
    // The excerpt marks what was cut from it.
    let archive = text.split_inclusive('\n').filter(|line| !line.starts_with("== ")).collect::<String>();
    let archive = archive.into_bytes();
    let line = archive.split(|b| *b == b'\n').position(|line| line.split(|b| *b == b'\t').count() > 9);
    let fault = fault(&archive, "shp", 329);
    assert_eq!(Some(fault.line), line.map(|before| before as u64 + 1), "{fault}");
    assert!(fault.what.starts_with("a row of 17 fields"), "{fault}");
}

#[test]
fn a_counter_that_was_written_twice_differs() {
    let (first, last) =
        (sample("slony-2.2/109-first-version-precommit.sql"), sample(&format!("slony-2.2/{}", name(109))));
    let t1 = list(&["public.t1"]);
    let destination = psql(&t1);
    let logs = [&first, &last].map(|archive| split(archive, "shp", 109, &[destination]).unwrap());
    assert_ne!(logs[0], logs[1]);
    assert!(logs[0][0].contains("KILLME 1") && !logs[1][0].contains("COPY"));
}

#[test]
fn the_drms_archives_are_split() {
    let m = list(&["hmi.m_45s"]);
    for counter in [4, 5, 15, 16, 17, 18, 19] {
        let archive = sample(&format!("slony-2.2-drms/{}", name(counter)));
        let logs = split(&archive, "jsoc", counter, &[psql(&m)]).unwrap();
        let rows = |text: &str| text.matches("\thmi\tm_45s\t").count();
        assert_eq!(rows(&logs[0]), rows(&String::from_utf8(archive).unwrap()), "{counter}");
        assert!(!logs[0].contains("v_45s"));
        assert!(logs[0].ends_with("\n-- EOL\n"));
    }
}

#[test]
fn every_truncation_is_a_fault() {
    for counter in [25, 38, 61, 66, 92] {
        let archive = sample(&format!("slony-2.2/{}", name(counter)));
        for length in 0..archive.len() {
            let fault = fault(&archive[..length], "shp", counter);
            let lines = archive[..length].split(|b| *b == b'\n').count() as u64;
            assert!(fault.line <= lines, "{length}: {fault}");
        }
    }
}

#[test]
fn damage_never_panics_and_never_passes_in_the_frame() {
    let archive = sample(&format!("slony-2.2/{}", name(66)));
    for at in 0..archive.len() {
        for byte in *b"\0\n\t\\'\"{,x-" {
            let mut damaged = archive.clone();
            damaged[at] = byte;
            let expected = Expected { cluster: "shp", name: name(66) };
            let passed = Survey::of(&damaged[..], &expected, Vec::new()).is_ok();
            let line = archive[..at].split(|b| *b == b'\n').count() - 1;
            let frame = (line < 2 || (3..6).contains(&line) || (7..11).contains(&line) || line > 18)
                && byte != archive[at];
            assert!(!(passed && frame), "byte {at} as {byte:?} in line {}", line + 1);
        }
    }
}

#[test]
fn what_is_not_known_is_a_fault_with_its_line() {
    let archive = String::from_utf8(sample(&format!("slony-2.2/{}", name(66)))).unwrap();
    let seq = "select \"_shp\".sequenceSetValue_offline('Odd Schema','S eq','78');";
    for (from, to, line, says) in [
        ("'66'", "'67'", 7, "the header's counter is 67, that of the file name is 66"),
        ("\"_shp\".archiveT", "\"_x\".archiveT", 7, "expected `select \"_shp\".archiveTracking_offline('66'"),
        ("+00');", "+00'); drop table x; --');", 7, "expected `select"),
        ("set session_replication_role to replica;\n", "", 11, "an archive of two formats"),
        ("set session_replication_role to replica;\n", "x\n", 5, "expected `set session_replication_role"),
        ("Node 1, ", "Node x, ", 3, "expected `-- Node N, Event M`"),
        (
            "log_cmdupdncols,log_cmdargs",
            "log_cmdargs,log_cmdupdncols",
            12,
            "expected a COPY of the known columns",
        ),
        ("\tT\t0\t{}", "\tT\t0\t", 14, "log_cmdargs is not"),
        ("\tT\t0\t{}", "\tQ\t0\t{}", 14, "log_cmdtype is not"),
        (seq, "drop table x;", 18, "an unknown statement: `drop table x;`"),
        (seq, "insert into \"a\".\"b\" (c) values ('1');", 18, "an unknown statement"),
        (seq, "select \"_shp\".sequenceSetValue_offline(7,'78');", 18, "an unknown statement"),
        (seq, "-- lower", 18, "an unknown statement"),
        (seq, "delete from \"a\".\"b\";\n-- X", 19, "expected `copy"),
        (seq, "delete from \"a\".\"b\";\ncopy \"a\".\"c\" (\"d\") from stdin;", 19, "expected `copy"),
        ("\n\n\n---", "\n---", 19, "expected an empty line before the trailer"),
        ("tracking;\n", "tracking;\nx", 26, "the archive goes on after its last line"),
    ] {
        let damaged = archive.replacen(from, to, 1);
        assert_ne!(damaged, archive, "{from}");
        let fault = fault(damaged.as_bytes(), "shp", 66);
        assert_eq!(fault.line, line, "{to}: {fault}");
        assert!(fault.what.starts_with(says), "{to}: {fault}");
    }
    let long = archive.replacen("{id,3,v,c}", &format!("{{id,{}", "\u{1b}é".repeat(100_000)), 1);
    assert!(fault(long.as_bytes(), "shp", 66).what.len() < 1000);
}

#[test]
fn a_zero_byte_is_a_fault_wherever_it_stands() {
    let copies = String::from_utf8(sample(&format!("slony-2.2/{}", name(25)))).unwrap();
    for at in 0..copies.len() {
        let mut damaged = copies.clone().into_bytes();
        damaged[at] = 0;
        let fault = fault(&damaged, "shp", 25);
        let line = copies[..=at].lines().count() as u64;
        assert!(fault.line <= line && fault.line + 1 >= line, "byte {at} in line {line}: {fault}");
    }
    // Nobody can tell where the first of these statements ends.
    let script = copies[..copies.find("-- ENABLE").unwrap()].to_owned()
        + "-- DDL_SCRIPT\ncomment on table public.t1 is 'a\\'b;\ncomment on table public.t1 is '\0';\n"
        + &copies[copies.rfind("\n---").unwrap() - 90..];
    let fault = fault(script.as_bytes(), "shp", 25);
    assert_eq!((fault.line, fault.what.starts_with("a zero byte")), (13, true), "{fault}");
}

#[test]
fn an_archive_may_change_between_the_readings() {
    let archive = sample(&format!("slony-2.2/{}", name(66)));
    let longer = String::from_utf8(archive.clone()).unwrap().replace("{id,3,v,c}", "{id,3,v,cc}");
    let expected = Expected { cluster: "shp", name: name(66) };
    let t4 = list(&["public.t4"]);
    let routes = Routes::new(&[psql(&t4)]);
    let mut survey = Survey::of(&archive[..], &expected, Vec::new()).unwrap();
    let plan = plan(&survey, &routes, &Numbers::new()).unwrap();
    // What was in memory is what was checked.
    write(&mut survey, || Ok(longer.as_bytes()), &expected, &plan, &mut [Vec::new()]).unwrap();
    let error =
        write(&mut survey, || Ok(longer.as_bytes()), &expected, &plan, &mut [Vec::new()]).unwrap_err();
    assert!(error.to_string().contains("when it was checked"), "{error}");
}
