//! Someone who never stops writing at the origin while a test goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};

use super::pen::Pen;
use super::series::{HOSTILE, quote_literal};
use super::slony::{Cluster, ORIGIN};

/// Rows that the writer adds have higher keys: it leaves the seed of a test alone, but for a few of its first rows.
const FIRST_KEY: u64 = 1_000_000;

/// A thread that inserts, updates and deletes in many small transactions until it is stopped or dropped.
pub struct Writer {
    stop: Arc<AtomicBool>,
    rows: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts to write to tables of the standard shape (`recnum`, `t_rec`, `quality`, `note`); where a sequence
    /// `<table>_seq` exists, it is moved too.
    pub fn start(cluster: &Cluster, tables: &[&str]) -> Self {
        Self::with_rest(cluster, tables, "")
    }

    /// As [`Writer::start`], with a rest between two transactions: for tests that need somebody who writes on and on, but
    /// not much.
    pub fn calm(cluster: &Cluster, tables: &[&str]) -> Self {
        Self::with_rest(cluster, tables, "\nselect pg_sleep(0.03) \\g /dev/null")
    }

    fn with_rest(cluster: &Cluster, tables: &[&str], rest: &'static str) -> Self {
        let tables = tables.iter().map(|name| Table::look_up(cluster, name)).collect();
        let pen = Pen::start(cluster.server().psql(ORIGIN, "postgres"));
        let (stop, rows) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let mut author = Author { tables, dice: Dice(0x9E37_79B9_7F4A_7C15) };
        let thread = thread::spawn({
            let (stop, rows) = (Arc::clone(&stop), Arc::clone(&rows));
            move || write(pen, &mut author, rest, &stop, &rows)
        });
        Self { stop, rows, thread: Some(thread) }
    }

    /// How many statements are committed so far, those of transactions that were rolled back not among them.
    pub fn rows(&self) -> u64 {
        self.rows.load(Ordering::SeqCst)
    }

    /// Stops, and returns when the last transaction has ended; panics if anything went wrong on the way.
    pub fn stop(mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let thread = self.thread.take().expect("a writer is stopped once");
        thread.join().expect("the writer writes to its end");
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            // The test is failing already; its own message counts.
            let _ = thread.join();
        }
    }
}

/// The life of the thread; `rest` is SQL behind every transaction.
fn write(mut pen: Pen, author: &mut Author, rest: &str, stop: &AtomicBool, rows: &AtomicU64) {
    while !stop.load(Ordering::SeqCst) {
        let (statements, sql) = author.transaction();
        let sql = sql + rest;
        pen.run(&sql).unwrap_or_else(|words| panic!("the writer's psql has ended: {words}\n{sql}"));
        rows.fetch_add(statements, Ordering::SeqCst);
    }
}

/// Thinks of transactions.
struct Author {
    tables: Vec<Table>,
    dice: Dice,
}

/// A table and the keys that the author has put into it.
struct Table {
    name: String,
    sequence: Option<String>,
    keys: Vec<u64>,
    next: u64,
}

impl Table {
    fn look_up(cluster: &Cluster, name: &str) -> Self {
        let server = cluster.server();
        let found =
            server.query(ORIGIN, &format!("select to_regclass({})", quote_literal(&format!("{name}_seq"))));
        // An earlier writer may have been here.
        let next = format!("select greatest({FIRST_KEY}, max(recnum) + 1) from {name}");
        let next = server.query(ORIGIN, &next).parse().expect("recnum is a number");
        Self {
            name: name.to_owned(),
            sequence: (!found.is_empty()).then_some(found),
            keys: (1..=10).collect(),
            next,
        }
    }

    fn new_key(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }
}

impl Author {
    /// A transaction and the number of statements in it that will be committed.
    fn transaction(&mut self) -> (u64, String) {
        let count = 1 + self.dice.roll(5);
        let before: Vec<_> = self.tables.iter().map(|table| table.keys.clone()).collect();
        let mut sql = String::from("begin;\n");
        for _ in 0..count {
            sql += &self.statement();
            sql.push('\n');
        }
        if self.dice.roll(10) > 0 {
            return (count, sql + "commit;");
        }
        for (table, keys) in self.tables.iter_mut().zip(before) {
            table.keys = keys;
        }
        (0, sql + "rollback;")
    }

    fn statement(&mut self) -> String {
        let dice = &mut self.dice;
        let at = dice.pick(self.tables.len());
        let table = &mut self.tables[at];
        let name = table.name.clone();
        // Few rows at a time, so that the same one is changed again and again.
        let choice = if table.keys.len() < 5 { 0 } else { dice.roll(20) };
        let slot = dice.pick(table.keys.len().max(1));
        match choice {
            0..=8 => {
                let (key, note) = (table.new_key(), dice.note());
                table.keys.push(key);
                let quality = dice.roll(1000);
                format!("insert into {name} values ({key}, clock_timestamp(), {quality}, {note});")
            }
            9..=12 => {
                let (key, note) = (table.keys[slot], dice.note());
                format!(
                    "update {name} set note = {note}, quality = nullif({}, 0) where recnum = {key};",
                    dice.roll(3)
                )
            }
            13 => format!("update {name} set note = note where recnum = {};", table.keys[slot]),
            14 | 15 => {
                let (old, new) = (table.keys[slot], table.new_key());
                table.keys[slot] = new;
                format!("update {name} set recnum = {new} where recnum = {old};")
            }
            16..=18 => format!("delete from {name} where recnum = {};", table.keys.swap_remove(slot)),
            _ => match &table.sequence {
                Some(sequence) => format!("select setval({}, {});", quote_literal(sequence), table.next),
                None => format!(
                    "update {name} set quality = quality + 1 where recnum > {FIRST_KEY} and recnum % 97 = 0;"
                ),
            },
        }
    }
}

/// Numbers that look random and are the same in every run (xorshift).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % sides
    }

    fn pick(&mut self, length: usize) -> usize {
        usize::try_from(self.roll(length as u64)).expect("it is below a length")
    }

    /// A text as an SQL literal, or NULL.
    fn note(&mut self) -> String {
        let slot = self.pick(HOSTILE.len() + 1);
        HOSTILE.get(slot).map_or_else(|| "null".to_owned(), |text| quote_literal(text))
    }
}
