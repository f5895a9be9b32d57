//! Random archives, with a note on every item that says who gets it. Written from `slon`'s sources, not from ours.

use subscription_manager::logs::Numbers;
use subscription_manager::model::{Dialect, Sequence, Series, SeriesList, Subscription, quote_literal};

/// Numbers that look random (xorshift).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }

    pub(crate) fn one_in(&mut self, many: usize) -> bool {
        self.below(many) == 0
    }

    pub(crate) fn one_of<'t, T>(&mut self, things: &'t [T]) -> &'t T {
        &things[self.below(things.len())]
    }

    /// Spoils some bytes.
    pub(crate) fn damage(&mut self, text: &mut Vec<u8>) {
        const WORDS: [&[u8]; 16] = [
            b"\0", b"\n", b"\t", b"\\", b"'", b"\"", b"{", b";", b",", b"\\.\n", b"\\N", b"--", b"/*", b"$$",
            b"\r", b"\xff",
        ];
        let at = self.below(text.len() + 1);
        let most = *self.one_of(&[1, 4, 100]);
        let end = (at + self.below(1 + most)).min(text.len());
        match self.below(5) {
            0 => drop(text.drain(at..end)),
            1 => {
                let copy = text[at..end].to_vec();
                let to = self.below(text.len() + 1);
                text.splice(to..to, copy);
            }
            2 => drop(text.splice(at..at, self.one_of(&WORDS).iter().copied())),
            _ => drop(text.splice(at..(at + 1).min(text.len()), self.one_of(&WORDS).iter().copied())),
        }
    }

    /// A value, as the table holds it: NULL, or bytes that somebody might take for something else.
    fn value(&mut self) -> Option<Vec<u8>> {
        const HARD: [&[u8]; 32] = [
            b"'",
            b"''",
            b"\"",
            b"\\",
            b"\\\\",
            b"\n",
            b"\n\n",
            b"\t",
            b"\r",
            b"\r\n",
            b";",
            b";\n",
            b"--",
            b"\\.",
            b"\n\\.\n",
            b"NULL",
            b"null",
            b"\\N",
            b"{",
            b"}",
            b",",
            b" ",
            b"\x08",
            b"\x0b",
            b"\x0c",
            b"\x01\x7f",
            b"\xff\xfe",
            b"\xe9",
            "é€".as_bytes(),
            b"$$",
            b"/*",
            b"\n-- End Of Archive Log\ncommit;\n",
        ];
        match self.below(12) {
            0 => None,
            1 => Some(Vec::new()),
            2 => Some(b"NULL".to_vec()),
            3 | 4 => Some(self.below(100_000).to_string().into_bytes()),
            5 if self.one_in(20) => Some(vec![*self.one_of(b"x'\\\n,"); 3000]),
            _ => {
                let mut value = Vec::new();
                for _ in 0..=self.below(4) {
                    let hard = *self.one_of(&HARD);
                    value.extend_from_slice(if self.one_in(2) { b"ab" } else { hard });
                }
                Some(value)
            }
        }
    }

    /// A name as a list may hold it.
    fn name(&mut self) -> String {
        const PARTS: [&str; 20] = [
            "a", "B", "m_45s", "\"", "'", "\\", ",", "{", "}", " ", ";", "--", ".", "é", "','", "null", "(",
            "$1", "\\.", "\\N",
        ];
        (0..=self.below(4)).map(|_| *self.one_of(&PARTS)).collect()
    }
}

/// A table of the cluster.
pub(crate) struct Table {
    schema: String,
    name: String,
    columns: Vec<Vec<u8>>,
    sequences: Vec<usize>,
}

/// What there is in a cluster.
pub(crate) struct Cast {
    /// The tables. Of those behind the series nobody but the node of everything ever heard.
    pub(crate) series: Vec<Table>,
    sequences: Vec<Sequence>,
}

impl Cast {
    pub(crate) fn of(random: &mut Random) -> Self {
        let mut sequences: Vec<Sequence> = Vec::new();
        for _ in 0..=random.below(4) {
            let sequence = Sequence::new(random.name(), random.name());
            // slon pastes names as they are: of two that read alike nobody can tell one from the other.
            let pasted = |sequence: &Sequence| format!("{}','{}", sequence.0.schema, sequence.0.name);
            if !sequences.iter().any(|other| pasted(other) == pasted(&sequence)) {
                sequences.push(sequence);
            }
        }
        let mut series: Vec<Table> = Vec::new();
        for _ in 0..2 + random.below(5) {
            let schema = match random.below(3) {
                0 => series.last().map_or_else(|| random.name(), |before| before.schema.clone()),
                1 => "hmi".to_owned(),
                _ => random.name(),
            };
            let name = if random.one_in(3) { format!("m_{}", random.below(5)) } else { random.name() };
            if series.iter().any(|other| other.schema == schema && other.name == name) {
                continue;
            }
            let columns = (0..=random.below(4)).map(|number| {
                let mut column = if random.one_in(2) { b"c".to_vec() } else { random.name().into_bytes() };
                column.extend_from_slice(number.to_string().as_bytes());
                column
            });
            let columns = columns.collect();
            let sequences = (0..sequences.len()).filter(|_| random.one_in(2)).collect();
            series.push(Table { schema, name, columns, sequences });
        }
        Self { series, sequences }
    }

    /// The list of a node that has these series, and perhaps the master tables.
    pub(crate) fn list(&self, series: &[usize], masters: bool) -> SeriesList {
        let subscription = |number: &usize| {
            let Table { schema, name, sequences, .. } = &self.series[*number];
            let sequences = sequences.iter().map(|number| self.sequences[*number].clone()).collect();
            Subscription { series: Series::new(schema.clone(), name.clone()), sequences }
        };
        let mut list: SeriesList = series.iter().map(subscription).collect();
        if masters {
            for schema in self.series.iter().map(|table| table.schema.as_str()).chain(["hmi"]) {
                for name in ["drms_series", "drms_keyword"] {
                    list.add(Subscription { series: Series::new(schema, name), sequences: Vec::new() });
                }
            }
        }
        list
    }
}

/// Who gets an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Audience {
    All,
    /// Those of slon's own dialect.
    Slony,
    /// An empty line: who got what stands before it.
    Previous,
    /// The line that begins a block of rows, and the one that ends it: who gets a row of it.
    Copy,
    EndOfCopy,
    /// A row in a block, and any other statement: who has the series; `None`: one that nobody has.
    Row(Option<usize>),
    Series(Option<usize>),
    /// A change of a row of a master table: who has the series, or the master table. Whether it stands in a block.
    Master(Option<usize>, bool),
    /// Who has one of the series to which the sequence belongs.
    Sequence(Vec<usize>),
}

/// A statement or a row.
pub(crate) struct Item {
    /// As it stands.
    pub(crate) raw: Vec<u8>,
    /// The same in slon's dialect: without blanks behind a statement of the old formats, and names quoted.
    pub(crate) slony: Vec<u8>,
    /// The same for psql, and for a node that has a part of a master table.
    pub(crate) psql: Vec<u8>,
    pub(crate) own: Vec<u8>,
    pub(crate) audience: Audience,
}

/// How slon writes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    V12,
    V21,
    V22,
}

/// An archive and what it was made of.
pub(crate) struct Made {
    pub(crate) bytes: Vec<u8>,
    /// Bytes of its header.
    pub(crate) head: usize,
    pub(crate) items: Vec<Item>,
    pub(crate) trailer: Vec<u8>,
    pub(crate) numbers: Numbers,
    /// Whether it holds what only the old formats have.
    old: bool,
}

const LOG_COPY: &str = "COPY \"_jsoc\".\"sl_log_archive\" ( log_origin, log_txid,log_tableid,log_actionseq,log_tablenspname, \
                        log_tablerelname, log_cmdtype, log_cmdupdncols,log_cmdargs) FROM STDIN;\n";

impl Made {
    /// An archive of at least so many bytes.
    pub(crate) fn of(random: &mut Random, cast: &Cast, size: usize) -> Self {
        let version = *random.one_of(&[Version::V12, Version::V21, Version::V22, Version::V22]);
        let dashes = "-".repeat(66);
        let role = if version == Version::V12 { "" } else { "set session_replication_role to replica;\n" };
        let bytes = format!(
            "{dashes}\n-- Slony-I log shipping archive\n-- Node 1, Event 5000000021\n{dashes}\n{role}start transaction;\n\
             select \"_jsoc\".archiveTracking_offline('7', '2026-11-20 21:39:46.151991+00');\n\
             -- end of log archiving header\n{dashes}\n-- start of Slony-I data\n{dashes}\n"
        );
        let trailer = format!(
            "\n{dashes}\n-- End Of Archive Log\n{dashes}\ncommit;\nvacuum analyze \"_jsoc\".sl_archive_tracking;\n"
        );
        let numbers = (0..).zip(cast.sequences.iter().cloned()).collect();
        let mut made = Self {
            head: bytes.len(),
            bytes: bytes.into_bytes(),
            items: Vec::new(),
            trailer: trailer.into_bytes(),
            numbers,
            old: version == Version::V12,
        };
        let mut writer = Writer { random, cast, version, made: &mut made };
        writer.body(size);
        let trailer = made.trailer.clone();
        made.bytes.extend_from_slice(&trailer);
        made
    }

    /// The header as a dialect has it.
    pub(crate) fn header(&self, dialect: Dialect) -> Vec<u8> {
        let header = String::from_utf8(self.bytes[..self.head].to_vec()).unwrap();
        if dialect == Dialect::Slony {
            return header.into_bytes();
        }
        let mut start = "start transaction;\nselect \"_jsoc\".site_log_offline(1);\n".to_owned();
        if self.old {
            start +=
                "set local standard_conforming_strings to off;\nset local escape_string_warning to off;\n";
        }
        let header = header
            .replace("set session_replication_role to replica;\n", "")
            .replace("start transaction;\n", &start);
        format!("\\set ON_ERROR_STOP on\n{header}").into_bytes()
    }
}

struct Writer<'a> {
    random: &'a mut Random,
    cast: &'a Cast,
    version: Version,
    made: &'a mut Made,
}

impl Writer<'_> {
    fn body(&mut self, size: usize) {
        if self.random.one_in(3) {
            self.put(b"-- SYNC\n", Audience::All);
        }
        self.blanks();
        while self.made.bytes.len() < size || !self.random.one_in(4) {
            match self.random.below(8) {
                0 => {
                    let events = [&b"-- STORE_NODE\n"[..], b"-- ENABLE_SUBSCRIPTION\n"];
                    let event = *self.random.one_of(&events);
                    self.put(event, Audience::All);
                }
                1 => self.table_copy(),
                2 | 3 => self.sequence(),
                _ if self.version == Version::V22 => self.block(),
                _ => self.statement(),
            }
            self.blanks();
        }
    }

    fn put(&mut self, bytes: &[u8], audience: Audience) {
        self.put_all(bytes, bytes, bytes, audience);
    }

    fn put_all(&mut self, bytes: &[u8], psql: &[u8], own: &[u8], audience: Audience) {
        self.made.bytes.extend_from_slice(bytes);
        self.made.items.push(Item {
            raw: bytes.to_vec(),
            slony: bytes.to_vec(),
            psql: psql.to_vec(),
            own: own.to_vec(),
            audience,
        });
    }

    fn blanks(&mut self) {
        for _ in 0..self.random.below(6).saturating_sub(3) {
            self.put(b"\n", Audience::Previous);
        }
    }

    /// One of the series, or a table that nobody has.
    fn table(&mut self) -> (Option<usize>, String, String, Vec<Vec<u8>>) {
        let number = self.random.below(self.cast.series.len() + 1);
        match self.cast.series.get(number) {
            Some(table) => (Some(number), table.schema.clone(), table.name.clone(), table.columns.clone()),
            None => (None, "hmi".to_owned(), "of nobody".to_owned(), vec![b"c".to_vec()]),
        }
    }

    /// A row of a master table: the series that it describes, its schema and name, and that series' name.
    fn master(&mut self) -> (Option<usize>, String, &'static str, Vec<u8>) {
        let (_, schema, name, _) = self.table();
        let described = format!("{schema}.{name}");
        // Names are compared without regard to the case of ASCII letters.
        let described = if self.random.one_in(2) { described.to_ascii_uppercase() } else { described };
        let table = *self.random.one_of(&["drms_series", "drms_keyword"]);
        let found = self.cast.series.iter().position(|other| {
            other.schema == schema && !schema.contains('.') && other.name.eq_ignore_ascii_case(&name)
        });
        (found, schema, table, described.into_bytes())
    }

    fn block(&mut self) {
        self.put(LOG_COPY.as_bytes(), Audience::Copy);
        for _ in 0..self.random.below(9) {
            if self.random.one_in(5) { self.master_row() } else { self.row() }
        }
        self.put(b"\\.\n", Audience::EndOfCopy);
    }

    fn row(&mut self) {
        let (number, schema, name, columns) = self.table();
        let mut pairs: Vec<Option<Vec<u8>>> = Vec::new();
        for column in &columns {
            pairs.extend([Some(column.clone()), self.random.value()]);
        }
        let (command, changes) = match self.random.below(4) {
            0 => ("I", 0),
            1 => ("U", self.random.below(columns.len())),
            2 => ("D", 0),
            _ => {
                pairs.clear();
                ("T", 0)
            }
        };
        let row = self.spell(&schema, &name, command, changes, &pairs);
        self.put(&row, Audience::Row(number));
    }

    fn master_row(&mut self) {
        let (number, schema, table, described) = self.master();
        let key = [Some(b"seriesname".to_vec()), Some(described)];
        let mut changes: Vec<[Option<Vec<u8>>; 2]> = Vec::new();
        for column in [&b"archive"[..], b"author", b"retention", b"tapegroup"] {
            if self.random.one_in(2) {
                changes.push([Some(column.to_vec()), self.random.value()]);
            }
        }
        let update = self.random.one_in(2);
        let elements = |changes: &[[Option<Vec<u8>>; 2]]| -> Vec<Option<Vec<u8>>> {
            changes.iter().chain([&key]).flatten().cloned().collect()
        };
        let tail = self.random.next() % 1_000_000;
        let command = if update { "U" } else { "I" };
        let spell = |changes: &[[Option<Vec<u8>>; 2]]| {
            let count = if update { changes.len() } else { 0 };
            spell(tail, &schema, table, command, count, &elements(changes))
        };
        let row = spell(&changes);
        let kept: Vec<_> =
            changes.iter().filter(|[column, _]| column.as_deref() == Some(b"author")).cloned().collect();
        let own = if update && table == "drms_series" { spell(&kept) } else { row.clone() };
        self.put_all(&row, &row, &own, Audience::Master(number, true));
    }

    fn spell(
        &mut self,
        schema: &str,
        name: &str,
        command: &str,
        changes: usize,
        elements: &[Option<Vec<u8>>],
    ) -> Vec<u8> {
        spell(self.random.next() % 1_000_000, schema, name, command, changes, elements)
    }

    /// The copy of a table.
    fn table_copy(&mut self) {
        let (number, schema, name, columns) = self.table();
        let table = format!("{}.{}", quoted(schema.as_bytes()), quoted(name.as_bytes()));
        let only = if self.version == Version::V12 { "only " } else { "" };
        let who = Audience::Series(number);
        let delete = format!("delete from {only}{table};\n");
        let psql = format!("delete from only {table};\n");
        self.put_all(delete.as_bytes(), psql.as_bytes(), b"", who.clone());
        let listed: Vec<String> = columns.iter().map(|column| quoted(column)).collect();
        self.put(format!("copy {table} ({}) from stdin;\n", listed.join(",")).as_bytes(), who.clone());
        for _ in 0..self.random.below(4) {
            let mut row = Vec::new();
            for (at, _) in columns.iter().enumerate() {
                if at > 0 {
                    row.push(b'\t');
                }
                match self.random.value() {
                    None => row.extend_from_slice(b"\\N"),
                    Some(value) => copy_text(&value, &mut row),
                }
            }
            row.push(b'\n');
            self.put(&row, who.clone());
        }
        self.put(b"\\.\n", who.clone());
        self.put(format!("select \"_jsoc\".finishTableAfterCopy(1); analyze {table}; \n").as_bytes(), who);
    }

    fn sequence(&mut self) {
        let number = self.random.below(self.cast.sequences.len());
        let sequence = &self.cast.sequences[number];
        let (schema, name) = (&sequence.0.schema, &sequence.0.name);
        let of = (0..self.cast.series.len()).filter(|at| self.cast.series[*at].sequences.contains(&number));
        let who = Audience::Sequence(of.collect());
        let value = i64::try_from(self.random.below(1 << 40)).unwrap() - 1000;
        let odd = [schema, name].iter().any(|name| name.contains(['\'', '\\']));
        let ours = format!(
            "select \"_jsoc\".sequenceSetValue_offline({},{},'{value}');\n",
            quote_literal(schema),
            quote_literal(name)
        );
        if self.random.one_in(3) {
            let doubled = sequence.sql().replace('\'', "''").replace('\\', "\\\\");
            let line = format!("select \"pg_catalog\".setval('{doubled}', '{value}'); \n");
            let slony =
                format!("select \"pg_catalog\".setval({}, '{value}'); \n", quote_literal(&sequence.sql()));
            let slony = if odd { slony } else { line.clone() };
            self.replaced(line.as_bytes(), &slony, &ours, who);
        } else if self.version == Version::V22 {
            let line = format!("select \"_jsoc\".sequenceSetValue_offline('{schema}','{name}','{value}');\n");
            let slony = if odd { &ours } else { &line }.clone();
            self.replaced(line.as_bytes(), &slony, &ours, who);
        } else {
            self.made.old = true;
            let line = format!("select \"_jsoc\".sequenceSetValue_offline({number},'{value}');\n");
            self.replaced(line.as_bytes(), &line, &ours, who);
        }
    }

    /// What is spelled otherwise in both dialects.
    fn replaced(&mut self, raw: &[u8], slony: &str, psql: &str, who: Audience) {
        self.made.bytes.extend_from_slice(raw);
        let item = Item {
            raw: raw.to_vec(),
            slony: slony.as_bytes().to_vec(),
            psql: psql.as_bytes().to_vec(),
            own: Vec::new(),
            audience: who,
        };
        self.made.items.push(item);
    }

    /// A statement of the old formats.
    fn statement(&mut self) {
        self.made.old = true;
        if self.version == Version::V12 && self.random.one_in(10) {
            self.put(b"delete from \"_jsoc\".sl_sequence_offline;\n", Audience::Slony);
            self.put(b"\n", Audience::Previous);
            let insert = "insert into \"_jsoc\".sl_sequence_offline (seq_id, seq_relname, seq_nspname) values ('1', 's', 'public');";
            self.replaced(format!("{insert} \n").as_bytes(), &format!("{insert}\n"), "", Audience::Slony);
            return;
        }
        let master = self.random.one_in(5);
        if master {
            return self.master_statement();
        }
        let (number, schema, name, columns) = self.table();
        let table = format!("{}.{}", quoted(schema.as_bytes()), quoted(name.as_bytes()));
        let columns: Vec<Vec<u8>> = columns.iter().map(|column| self.column(column)).collect();
        let values: Vec<Vec<u8>> = columns.iter().map(|_| literal(self.random.value().as_deref())).collect();
        let pairs: Vec<Vec<u8>> =
            columns.iter().zip(&values).map(|(column, value)| [&column[..], b"=", value].concat()).collect();
        let mut psql = None;
        let statement = match self.random.below(4) {
            0 => insert(&table, &columns, &values),
            1 => {
                let (set, keys) = pairs.split_at(self.random.below(pairs.len()).max(1).min(pairs.len()));
                update(&table, set, if keys.is_empty() { set } else { keys })
            }
            2 if self.version == Version::V21 => {
                psql = Some(format!(
                    "select \"_jsoc\".truncateTable_offline({},{});\n",
                    quote_literal(&schema),
                    quote_literal(&name)
                ));
                format!("TRUNCATE TABLE ONLY {table} CASCADE;\n").into_bytes()
            }
            _ => delete(&table, &pairs),
        };
        let psql = psql.map_or_else(|| statement.clone(), String::into_bytes);
        self.put_all(&statement, &psql, b"", Audience::Series(number));
    }

    fn master_statement(&mut self) {
        let (number, schema, table, described) = self.master();
        let is_series = table == "drms_series";
        let table = format!("{}.{}", quoted(schema.as_bytes()), quoted(table.as_bytes()));
        let key = [&self.column(b"seriesname")[..], b"=", &literal(Some(&described))].concat();
        let (statement, own) = match self.random.below(3) {
            0 => {
                let columns = [self.column(b"x,1"), self.column(b"seriesname")];
                let values = [literal(self.random.value().as_deref()), literal(Some(&described))];
                let insert = insert(&table, &columns, &values);
                (insert.clone(), insert)
            }
            1 => {
                let delete = delete(&table, &[key]);
                (delete.clone(), delete)
            }
            _ => {
                let (mut set, mut kept) = (Vec::new(), Vec::new());
                for column in [&b"archive"[..], b"author", b"retention", b"tapegroup"] {
                    let pair =
                        [&self.column(column)[..], b"=", &literal(self.random.value().as_deref())].concat();
                    if self.random.one_in(2) {
                        set.push(pair.clone());
                        if column == b"author" {
                            kept.push(pair);
                        }
                    }
                }
                if set.is_empty() {
                    set.push(key.clone());
                    kept.push(key.clone());
                }
                if kept.is_empty() {
                    kept.push(key.clone());
                }
                let statement = update(&table, &set, std::slice::from_ref(&key));
                let own = if is_series { update(&table, &kept, &[key]) } else { statement.clone() };
                (statement, own)
            }
        };
        self.put_all(&statement, &statement, &own, Audience::Master(number, false));
    }

    /// A column's name: quoted always, or only where needed, depending on the build of slon.
    fn column(&mut self, name: &[u8]) -> Vec<u8> {
        let bare = name.iter().all(u8::is_ascii_lowercase);
        if bare && self.random.one_in(2) { name.to_vec() } else { quoted_bytes(name) }
    }
}

fn insert(table: &str, columns: &[Vec<u8>], values: &[Vec<u8>]) -> Vec<u8> {
    let (columns, values) = (columns.join(&b","[..]), values.join(&b","[..]));
    [b"insert into ", table.as_bytes(), b" (", &columns, b") values (", &values, b");\n"].concat()
}

fn update(table: &str, set: &[Vec<u8>], keys: &[Vec<u8>]) -> Vec<u8> {
    let (set, keys) = (set.join(&b","[..]), keys.join(&b" and "[..]));
    [b"update only ", table.as_bytes(), b" set ", &set, b" where ", &keys, b";\n"].concat()
}

fn delete(table: &str, keys: &[Vec<u8>]) -> Vec<u8> {
    [b"delete from only ", table.as_bytes(), b" where ", &keys.join(&b" and "[..]), b";\n"].concat()
}

/// A row of `sl_log_archive`.
fn spell(
    number: u64,
    schema: &str,
    name: &str,
    command: &str,
    changes: usize,
    elements: &[Option<Vec<u8>>],
) -> Vec<u8> {
    let mut row = format!("1\t{number}\t4\t{number}\t").into_bytes();
    copy_text(schema.as_bytes(), &mut row);
    row.push(b'\t');
    copy_text(name.as_bytes(), &mut row);
    row.extend_from_slice(format!("\t{command}\t{changes}\t").as_bytes());
    copy_text(&array(elements), &mut row);
    row.push(b'\n');
    row
}

/// A `text[]` as `array_out` writes it.
fn array(elements: &[Option<Vec<u8>>]) -> Vec<u8> {
    let elements = elements.iter().map(|element| {
        let Some(text) = element else { return b"NULL".to_vec() };
        let special = |byte: &u8| b"\"\\{}, \t\n\r\x0b\x0c".contains(byte);
        if !text.is_empty() && !text.eq_ignore_ascii_case(b"null") && !text.iter().any(special) {
            return text.clone();
        }
        let mut quoted = vec![b'"'];
        for byte in text {
            if b"\"\\".contains(byte) {
                quoted.push(b'\\');
            }
            quoted.push(*byte);
        }
        quoted.push(b'"');
        quoted
    });
    [b"{", &elements.collect::<Vec<_>>().join(&b","[..])[..], b"}"].concat()
}

/// What `COPY` writes.
fn copy_text(text: &[u8], out: &mut Vec<u8>) {
    for byte in text {
        match byte {
            0x08 => out.extend_from_slice(b"\\b"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\n' => out.extend_from_slice(b"\\n"),
            0x0b => out.extend_from_slice(b"\\v"),
            0x0c => out.extend_from_slice(b"\\f"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\\' => out.extend_from_slice(b"\\\\"),
            _ => out.push(*byte),
        }
    }
}

/// A value in a statement of the old formats.
fn literal(value: Option<&[u8]>) -> Vec<u8> {
    let Some(value) = value else { return b"NULL".to_vec() };
    let mut literal = vec![b'\''];
    for byte in value {
        if b"'\\".contains(byte) {
            literal.push(*byte);
        }
        literal.push(*byte);
    }
    literal.push(b'\'');
    literal
}

fn quoted(name: &[u8]) -> String {
    String::from_utf8(quoted_bytes(name)).unwrap()
}

fn quoted_bytes(name: &[u8]) -> Vec<u8> {
    let mut quoted = vec![b'"'];
    for byte in name {
        if *byte == b'"' {
            quoted.push(b'"');
        }
        quoted.push(*byte);
    }
    quoted.push(b'"');
    quoted
}
