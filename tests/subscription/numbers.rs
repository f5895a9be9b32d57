//! Archives of Slony-I 2.1, which call sequences by number: the database is asked which they are.

use crate::cluster;
use crate::feed::Feed;
use crate::support::slony::ARCHIVER;
use crate::support::{Site, Station};
use crate::tree::cut;

/// An archive of the 2.1 format: a row of `numbers.a`, and a sequence that is set.
fn old_archive(counter: u64, key: i64, number: u32, value: u64) -> String {
    let dashes = "-".repeat(66);
    format!(
        "{dashes}\n-- Slony-I log shipping archive\n-- Node 1, Event 4711\n{dashes}\n\
         set session_replication_role to replica;\nstart transaction;\n\
         select \"_jsoc\".archiveTracking_offline('{counter}', '2012-11-20 21:39:46.15+00');\n\
         -- end of log archiving header\n{dashes}\n-- start of Slony-I data\n{dashes}\n\
         insert into \"numbers\".\"a\" (\"recnum\",\"note\") values ('{key}','it''s a \\\\ of {value}');\n\n\
         select \"_jsoc\".sequenceSetValue_offline({number},'{value}');\n\n\n\
         {dashes}\n-- End Of Archive Log\n{dashes}\ncommit;\nvacuum analyze \"_jsoc\".sl_archive_tracking;\n"
    )
}

/// The number by which Slony-I calls a sequence.
fn number_of(schema: &str, sequence: &str) -> u32 {
    let sql = format!(
        "select seq_id from _jsoc.sl_sequence where seq_nspname = '{schema}' and seq_relname = '{sequence}'"
    );
    cluster().server().query(ARCHIVER, &sql).parse().expect("a number")
}

/// How often the database was asked for all numbers, by the role whose statements it logs.
fn asked() -> usize {
    cluster().server().home().said("postgres").matches("select seq_id, seq_nspname").count()
}

#[test]
fn the_database_says_once_which_sequences_the_numbers_are() {
    cluster().server().execute(
        "postgres",
        "create role numbers superuser login; alter role numbers set log_statement = 'all'",
    );
    let feed = Feed::new(cluster());
    let station = Station::started(cluster(), &(feed.setting() + "\npg_user=numbers\nrescan=1"));
    let site = Site::new(cluster(), "nso");
    site.ask(&station, "numbers.a subscribe");
    let first = cut(&site.await_sql(&station));
    site.apply_sql(&station);
    site.answer(&station, true);
    feed.until(&station, first);
    assert!(!station.has("work/sequences"));
    // The SQL of the request holds those of its series.
    let before = asked();
    let (ours, others) = (number_of("numbers", "a_seq"), number_of("hmi", "m_45s_seq"));
    station.wait_for("archives", || (cluster().archiver_counter() >= first + 4).then_some(()));

    let put = |counter: u64, number: u32, value: u64| {
        let key = -1_000_000_i64 - i64::try_from(counter).expect("a small counter");
        feed.put(counter, old_archive(counter, key, number, value).as_bytes());
    };
    put(first + 1, ours, 8001);
    feed.until(&station, first + 1);
    assert_eq!(asked(), before + 1);
    let known = station.read("work/sequences");
    for line in [format!("{ours} numbers.a_seq\n"), format!("{others} hmi.m_45s_seq\n")] {
        assert!(known.contains(&line), "{known}");
    }
    site.apply_logs(&station);
    assert_eq!(site.query("select last_value from numbers.a_seq"), "8001");
    assert_eq!(site.query("select note from numbers.a where note like '%8001'"), r"it's a \ of 8001");

    put(first + 2, others, 9999);
    feed.until(&station, first + 2);
    put(first + 3, ours, 8002);
    feed.until(&station, first + 3);
    site.apply_logs(&station);
    assert_eq!(site.query("select last_value from numbers.a_seq"), "8002");
    assert_eq!((asked(), station.read("work/sequences")), (before + 1, known.clone()));

    // A sequence that is no longer replicated: its number is said by hand.
    put(first + 4, 999_999, 8003);
    let said = "sequence 999999 is not known";
    station.wait_for("the splitter to say so", || station.said().contains(said).then_some(()));
    assert_eq!(station.counter(), Some(first + 3));
    std::fs::write(station.at("work/sequences"), format!("{known}999999 numbers.a_seq\n")).expect("write");
    feed.until(&station, first + 4);
    site.apply_logs(&station);
    assert_eq!(site.query("select last_value from numbers.a_seq"), "8003");
    assert_eq!(station.said().matches(said).count(), 1, "it is said once");
}
