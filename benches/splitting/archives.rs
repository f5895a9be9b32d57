//! Archives as a busy DRMS cluster makes them, the same at every run: rows of about 1.5 kB in series of skewed popularity.

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::Path;

/// How a body is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Format {
    /// Slony-I 2.2: rows of `sl_log_archive` between `COPY` and `\.`.
    Rows,
    /// Slony-I 2.0 and 2.1: one SQL statement for each row.
    Statements,
}

/// A directory of archives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Input {
    pub(crate) format: Format,
    /// Archives, counted from 1.
    pub(crate) files: u64,
    /// Bytes of each, about.
    pub(crate) bytes: u64,
    /// Bytes of one more row at the end of each.
    pub(crate) long_row: u64,
}

/// Series that rows are of.
pub(crate) const SERIES: usize = 200;

const DASHES: &str = "------------------------------------------------------------------";
const SCHEMAS: [&str; 4] = ["hmi", "aia", "mdi", "su_work"];

/// What a column holds.
#[derive(Clone, Copy)]
enum Holds {
    Number,
    Float,
    Word,
    Time,
    Text,
}
use Holds::{Float, Number, Text, Time, Word};

const COLUMNS: [(&str, Holds); 62] = [
    ("recnum", Number),
    ("sunum", Number),
    ("slotnum", Number),
    ("sessionid", Number),
    ("sessionns", Word),
    ("t_rec_index", Number),
    ("t_obs", Float),
    ("date", Time),
    ("date__obs", Time),
    ("telescop", Word),
    ("instrume", Word),
    ("wavelnth", Float),
    ("camera", Number),
    ("img_type", Word),
    ("exptime", Float),
    ("expsdev", Float),
    ("int_time", Float),
    ("hcamid", Number),
    ("hsqfgsn", Number),
    ("quality", Number),
    ("qual_nrt", Number),
    ("ctype1", Word),
    ("ctype2", Word),
    ("crpix1", Float),
    ("crpix2", Float),
    ("crval1", Float),
    ("crval2", Float),
    ("cdelt1", Float),
    ("cdelt2", Float),
    ("crota2", Float),
    ("crder1", Float),
    ("crder2", Float),
    ("cadence", Float),
    ("datasign", Number),
    ("totvals", Number),
    ("datavals", Number),
    ("missvals", Number),
    ("satvals", Number),
    ("datamin", Float),
    ("datamax", Float),
    ("datamedn", Float),
    ("datamean", Float),
    ("datarms", Float),
    ("dataskew", Float),
    ("datakurt", Float),
    ("crln_obs", Float),
    ("crlt_obs", Float),
    ("car_rot", Number),
    ("obs_vr", Float),
    ("obs_vw", Float),
    ("obs_vn", Float),
    ("rsun_obs", Float),
    ("dsun_obs", Float),
    ("r_sun", Float),
    ("ttemp1", Float),
    ("tfront", Float),
    ("invphmap", Word),
    ("calver64", Number),
    ("codever0", Word),
    ("distcoef", Word),
    ("history", Text),
    ("comment", Text),
];

/// `schema.table` of a series, the most popular first.
pub(crate) fn series(rank: usize) -> String {
    format!("{}.s_{rank:05}", SCHEMAS[rank % SCHEMAS.len()])
}

/// Makes the archives; where they are already, they stay.
pub(crate) fn make(directory: &Path, input: Input) {
    if directory.exists() {
        return;
    }
    fs::create_dir_all(directory).expect("create a directory");
    for counter in 1..=input.files {
        let path = directory.join(name(counter));
        let mut file = BufWriter::with_capacity(1 << 20, File::create(path).expect("create an archive"));
        let mut writer = Writer::new(input.format, counter);
        let mut written = 0;
        writer.begin(counter);
        while written < input.bytes {
            writer.run();
            written += writer.text.len() as u64;
            file.write_all(&writer.text).expect("write an archive");
            writer.text.clear();
        }
        if input.long_row > 0 {
            writer.long_row(&mut file, input.long_row);
        }
        writer.end();
        file.write_all(&writer.text).and_then(|()| file.flush()).expect("write an archive");
    }
}

/// The file name of an archive.
pub(crate) fn name(counter: u64) -> String {
    format!("slony1_log_2_{counter:020}.sql")
}

/// xorshift64*: the same numbers everywhere.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % bound
    }
}

/// Writes the body of one archive.
struct Writer {
    format: Format,
    random: Random,
    /// Up to where in a million each series goes.
    popularity: Vec<u64>,
    text: Vec<u8>,
    value: String,
    /// Rows so far.
    rows: u64,
    first: u64,
}

impl Writer {
    fn new(format: Format, counter: u64) -> Self {
        let harmonic = |upto: usize| (1..=upto).map(|rank| 1_000_000_000 / rank as u64).sum::<u64>();
        let all = harmonic(SERIES);
        let popularity = (1..=SERIES).map(|rank| harmonic(rank) * 1_000_000 / all).collect();
        Self {
            format,
            random: Random::new(counter),
            popularity,
            text: Vec::new(),
            value: String::new(),
            rows: 0,
            first: counter * 1_000_000,
        }
    }

    fn begin(&mut self, counter: u64) {
        self.line(&format!(
            "{DASHES}\n-- Slony-I log shipping archive\n-- Node 1, Event {}\n{DASHES}\n\
             set session_replication_role to replica;\nstart transaction;\n\
             select \"_jsoc\".archiveTracking_offline('{counter}', '2026-11-20 21:39:46.151991+00');\n\
             -- end of log archiving header\n{DASHES}\n-- start of Slony-I data\n{DASHES}",
            5_000_000_000 + counter
        ));
        if self.format == Format::Rows {
            self.line(
                "COPY \"_jsoc\".\"sl_log_archive\" ( log_origin, log_txid,log_tableid,log_actionseq,log_tablenspname, \
                 log_tablerelname, log_cmdtype, log_cmdupdncols,log_cmdargs) FROM STDIN;",
            );
        }
    }

    /// Sequences, as slon sets all of them in every archive, and the trailer.
    fn end(&mut self) {
        match self.format {
            Format::Rows => self.line("\\."),
            Format::Statements => self.line(""),
        }
        for rank in 0..SERIES {
            let series = series(rank);
            let (schema, table) = series.split_once('.').expect("schema.table");
            let value = self.first + self.rows;
            match self.format {
                Format::Rows => self.line(&format!(
                    "select \"_jsoc\".sequenceSetValue_offline('{schema}','{table}_seq','{value}');\n"
                )),
                Format::Statements => {
                    self.line(&format!(
                        "select \"_jsoc\".sequenceSetValue_offline({},'{value}');\n",
                        rank + 1
                    ));
                }
            }
        }
        self.line(&format!(
            "\n{DASHES}\n-- End Of Archive Log\n{DASHES}\ncommit;\nvacuum analyze \"_jsoc\".sl_archive_tracking;"
        ));
    }

    /// A few rows of one series, as one program writes them.
    fn run(&mut self) {
        let at = self.random.below(1_000_000);
        let rank = self.popularity.partition_point(|upto| *upto <= at).min(SERIES - 1);
        for _ in 0..=self.random.below(8) {
            match self.random.below(100) {
                0..90 => self.insert(rank),
                90..98 => self.update(rank),
                _ => self.delete(rank),
            }
            // slon 2.1 flushes ten statements at a time, with an empty line behind them.
            if self.format == Format::Statements && self.rows.is_multiple_of(10) {
                self.line("");
            }
        }
    }

    fn insert(&mut self, rank: usize) {
        self.begin_row(rank, 'I', 0, "insert into");
        if self.format == Format::Statements {
            self.add(" (");
            for (at, (column, _)) in COLUMNS.iter().enumerate() {
                self.add(if at == 0 { "\"" } else { ",\"" });
                self.add(column);
                self.add("\"");
            }
            self.add(") values (");
        }
        for (at, (column, holds)) in COLUMNS.iter().enumerate() {
            if at > 0 {
                self.add(",");
            }
            if self.format == Format::Rows {
                self.add(column);
                self.add(",");
            }
            if at == 0 { self.recnum() } else { self.value(*holds) }
        }
        self.line(if self.format == Format::Rows { "}" } else { ");" });
    }

    fn update(&mut self, rank: usize) {
        self.begin_row(rank, 'U', 3, "update only");
        if self.format == Format::Statements {
            self.add(" set ");
        }
        for (at, column) in [7, 19, 40].into_iter().enumerate() {
            if at > 0 {
                self.add(",");
            }
            self.column(COLUMNS[column].0);
            self.value(COLUMNS[column].1);
        }
        self.key();
    }

    fn delete(&mut self, rank: usize) {
        self.begin_row(rank, 'D', 0, "delete from only");
        self.key();
    }

    /// One row that is as long as that; written in pieces.
    fn long_row(&mut self, file: &mut BufWriter<File>, bytes: u64) {
        self.begin_row(0, 'I', 0, "insert into");
        self.add(match self.format {
            Format::Rows => "recnum,0,history,\"",
            Format::Statements => " (\"recnum\",\"history\") values ('0','",
        });
        let piece = "reprocessed with new flat fields; ".repeat(1 << 10);
        for _ in 0..bytes / piece.len() as u64 {
            self.add(&piece);
            file.write_all(&self.text).expect("write an archive");
            self.text.clear();
        }
        self.line(if self.format == Format::Rows { "\"}" } else { "');" });
    }

    fn begin_row(&mut self, rank: usize, command: char, changed: u32, words: &str) {
        self.rows += 1;
        let series = series(rank);
        let (schema, table) = series.split_once('.').expect("schema.table");
        let row = self.first + self.rows;
        match self.format {
            Format::Rows => {
                let (transaction, id) = (row / 16, rank + 1);
                self.add(&format!(
                    "1\t{transaction}\t{id}\t{row}\t{schema}\t{table}\t{command}\t{changed}\t{{"
                ));
            }
            Format::Statements => self.add(&format!("{words} \"{schema}\".\"{table}\"")),
        }
    }

    /// The end of an update or a delete.
    fn key(&mut self) {
        if self.format == Format::Statements {
            self.add(" where ");
        } else if !self.text.ends_with(b"{") {
            self.add(",");
        }
        self.column("recnum");
        self.recnum();
        self.line(if self.format == Format::Rows { "}" } else { ";" });
    }

    fn column(&mut self, column: &str) {
        match self.format {
            Format::Rows => self.add(&format!("{column},")),
            Format::Statements => self.add(&format!("\"{column}\"=")),
        }
    }

    fn recnum(&mut self) {
        self.value.clear();
        self.value += &(self.first + self.rows).to_string();
        self.quoted();
    }

    fn value(&mut self, holds: Holds) {
        use std::fmt::Write as _;
        self.value.clear();
        let random = &mut self.random;
        let number = random.below(1 << 24);
        let written = match holds {
            _ if number.is_multiple_of(37) => return self.add("NULL"),
            Number => write!(self.value, "{number}"),
            Float => write!(self.value, "-{}.{:011}", number % 1000, number * 4801),
            Word => write!(self.value, "HMI_{:x}", number % 4096),
            Time => write!(self.value, "2026-11-{:02} {:02}:39:46.{number:08}", number % 30 + 1, number % 24),
            Text => {
                let odd = ["", "it's", "\"quoted\"", "back\\slash"]
                    [usize::from(number.is_multiple_of(64)) * 2 + usize::from(number.is_multiple_of(11))];
                write!(self.value, "reprocessed with flat field {number} and dark {odd}")
            }
        };
        written.expect("write to a string");
        self.quoted();
    }

    /// The value, as the format has it.
    fn quoted(&mut self) {
        let text = &mut self.text;
        match self.format {
            Format::Rows => {
                let quotes = self.value.bytes().any(|byte| b" \"\\{},".contains(&byte));
                text.extend(quotes.then_some(b'"'));
                for byte in self.value.bytes() {
                    text.extend_from_slice(match byte {
                        b'"' => b"\\\\\"",
                        b'\\' => b"\\\\\\\\",
                        _ => &[],
                    });
                    text.extend((!b"\"\\".contains(&byte)).then_some(byte));
                }
                text.extend(quotes.then_some(b'"'));
            }
            Format::Statements => {
                text.push(b'\'');
                for byte in self.value.bytes() {
                    text.extend(b"'\\".contains(&byte).then_some(byte));
                    text.push(byte);
                }
                text.push(b'\'');
            }
        }
    }

    fn add(&mut self, text: &str) {
        self.text.extend_from_slice(text.as_bytes());
    }

    fn line(&mut self, text: &str) {
        self.add(text);
        self.add("\n");
    }
}
