//! The subjects of an archive, each once, in the order in which they occur.

use std::collections::{BTreeSet, HashMap};

use super::master;
use super::statement::{Key, Subject};
use crate::model::Series;
use crate::spelling::array;
use crate::spelling::legacy;
use crate::spelling::row::{Row, names_of, series_key};
use crate::spelling::script;

/// Names are looked up as the archive spells them; only the first time they are decoded.
#[derive(Debug, Default)]
pub struct Keys {
    subjects: Vec<Subject>,
    /// The line where each occurs first, of those that can stop a node or the splitter; 0 for others, and for a master
    /// table of which only single rows occur.
    lines: Vec<u64>,
    /// Tables as rows of COPY spell them, and whether rows have to be told apart by the series that they describe.
    rows: HashMap<Vec<u8>, (Key, Rows)>,
    /// Tables as SQL spells them.
    quoted: HashMap<Vec<u8>, (Key, Rows)>,
    /// Rows of master tables, by [`Key`] of the table and the series.
    masters: HashMap<(Key, Vec<u8>), Key>,
    sequences: HashMap<Vec<u8>, Key>,
    numbers: HashMap<u32, Key>,
    scripts: HashMap<Vec<u8>, Key>,
    /// Tables of which all rows are taken away and copied anew.
    copied: BTreeSet<Key>,
    /// The last table of a row: tables come in runs.
    last: (Vec<u8>, Option<(Key, Rows)>),
    /// The script at hand.
    script: Option<Key>,
    /// The script ends of this reading, and how many of them an earlier reading has entered.
    ends: Vec<Key>,
    ended: usize,
}

/// How the rows of a table are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rows {
    Alike,
    /// By the series that they describe.
    Master,
}

impl Keys {
    /// The subjects, and the line where one that can stop a node or the splitter occurs first; 0 for others.
    pub fn iter(&self) -> impl Iterator<Item = (Key, &Subject, u64)> {
        let numbered = (0..).map(Key).zip(&self.subjects);
        numbered.zip(&self.lines).map(|((key, subject), line)| (key, subject, *line))
    }

    /// The subject of a key.
    pub(super) fn get(&self, key: Key) -> Option<&Subject> {
        self.subjects.get(key.0 as usize)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.subjects.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.subjects.is_empty()
    }

    /// Begins another reading of the same archive, which finds the same keys.
    pub(super) fn begin_again(&mut self) {
        self.script = None;
        self.ended = 0;
    }

    fn add(&mut self, subject: Subject, line: impl FnOnce() -> u64) -> Key {
        let key = Key(u32::try_from(self.subjects.len()).unwrap_or(u32::MAX));
        self.subjects.push(subject);
        self.lines.push(line());
        key
    }

    /// The subject of a row that changes a table.
    pub(super) fn row(&mut self, row: &Row<'_>, line: impl FnOnce() -> u64) -> Key {
        let series = row.series();
        let (key, rows) = match self.last {
            (ref last, Some(found)) if last == series => found,
            _ => self.table_of_row(series),
        };
        match rows {
            Rows::Alike => key,
            Rows::Master => {
                if let Some(described) = master::series_of_row(row) {
                    return self.master_row(key, described);
                }
                self.first_seen(key, line);
                key
            }
        }
    }

    /// The line of a master table as a whole.
    fn first_seen(&mut self, key: Key, line: impl FnOnce() -> u64) {
        if matches!(self.subjects.get(key.0 as usize), Some(Subject::MasterTable(_)))
            && let Some(at @ 0) = self.lines.get_mut(key.0 as usize)
        {
            *at = line();
        }
    }

    fn table_of_row(&mut self, series: &[u8]) -> (Key, Rows) {
        let found = match self.rows.get(series) {
            Some(found) => *found,
            None => self.enter_table(series.to_vec()),
        };
        self.last.0.clear();
        self.last.0.extend_from_slice(series);
        self.last.1 = Some(found);
        found
    }

    /// Enters a table by its [`series_key`].
    fn enter_table(&mut self, series: Vec<u8>) -> (Key, Rows) {
        if let Some(found) = self.rows.get(&series) {
            return *found;
        }
        let (subject, rows) = if master::is_master(&series) {
            (Subject::MasterTable(series.clone()), Rows::Master)
        } else {
            (Subject::Table(series.clone()), Rows::Alike)
        };
        let key = self.add(subject, || 0);
        self.rows.insert(series, (key, rows));
        (key, rows)
    }

    fn master_row(&mut self, table: Key, described: Vec<u8>) -> Key {
        if let Some(key) = self.masters.get(&(table, described.clone())) {
            return *key;
        }
        let Some(Subject::MasterTable(name)) = self.subjects.get(table.0 as usize) else { return table };
        let subject = Subject::MasterRow { table: name.clone(), series: described.clone() };
        let key = self.add(subject, || 0);
        self.masters.insert((table, described), key);
        key
    }

    /// The subject of a whole table, by its [`series_key`].
    pub(super) fn table(&mut self, series: &[u8], line: impl FnOnce() -> u64) -> Key {
        let (key, _) = self.enter_table(series.to_vec());
        self.first_seen(key, line);
        key
    }

    /// All rows of a table are copied anew.
    pub(super) fn copied(&mut self, table: Key) {
        self.copied.insert(table);
    }

    /// The series that were copied anew.
    pub(super) fn copies(&self) -> Vec<Series> {
        let name = |key: &Key| match self.subjects.get(key.0 as usize)? {
            Subject::Table(series) | Subject::MasterTable(series) => Some(names_of(series)),
            _ => None,
        };
        self.copied.iter().filter_map(name).map(|(schema, table)| Series::new(schema, table)).collect()
    }

    /// The subject of an `insert`, `update` or `delete` with its table as it is spelled. `None` if that is no name.
    pub(super) fn change(
        &mut self,
        statement: &[u8],
        table: &[u8],
        line: impl FnOnce() -> u64,
    ) -> Option<Key> {
        let (key, rows) = self.quoted_table(table)?;
        if rows == Rows::Master
            && let Some(Subject::MasterTable(name)) = self.subjects.get(key.0 as usize)
            && let Some(described) = master::series_of_change(name, statement)
        {
            return Some(self.master_row(key, described));
        }
        self.first_seen(key, line);
        Some(key)
    }

    /// The subject of a `truncate`.
    pub(super) fn whole(&mut self, table: &[u8], line: impl FnOnce() -> u64) -> Option<Key> {
        let (key, _) = self.quoted_table(table)?;
        self.first_seen(key, line);
        Some(key)
    }

    fn quoted_table(&mut self, table: &[u8]) -> Option<(Key, Rows)> {
        if let Some(found) = self.quoted.get(table) {
            return Some(*found);
        }
        let (schema, name) = legacy::table_name(table)?;
        let found = self.enter_table(series_key(&schema, &name));
        self.quoted.insert(table.to_vec(), found);
        Some(found)
    }

    /// The subject of a sequence line.
    pub(super) fn sequence(&mut self, names: &[u8], line: impl FnOnce() -> u64) -> Key {
        if let Some(key) = self.sequences.get(names) {
            return *key;
        }
        let key = self.add(Subject::Sequence(names.to_vec()), line);
        self.sequences.insert(names.to_vec(), key);
        key
    }

    /// The same by number.
    pub(super) fn number(&mut self, number: u32, line: impl FnOnce() -> u64) -> Key {
        if let Some(key) = self.numbers.get(&number) {
            return *key;
        }
        let key = self.add(Subject::SequenceNumber(number), line);
        self.numbers.insert(number, key);
        key
    }

    /// The subject of a statement of a script; `here`: whether this Slony node ran it.
    pub(super) fn script(&mut self, statement: &[u8], here: bool, line: impl FnOnce() -> u64) -> Key {
        let end = self.script_end();
        let spelled = [statement, &[u8::from(here)]].concat();
        let key = if let Some(key) = self.scripts.get(&spelled) {
            *key
        } else {
            let subject =
                if here { Subject::Script(script::names(statement)) } else { Subject::ScriptElsewhere };
            let key = self.add(subject, line);
            self.scripts.insert(spelled, key);
            key
        };
        if let Some(Subject::Scripts(statements)) = self.subjects.get_mut(end.0 as usize)
            && !statements.contains(&key)
        {
            statements.push(key);
        }
        key
    }

    /// The subject of what belongs to the script at hand.
    pub(super) fn script_end(&mut self) -> Key {
        if let Some(key) = self.script {
            return key;
        }
        let key = if let Some(key) = self.ends.get(self.ended) {
            *key
        } else {
            let key = self.add(Subject::Scripts(Vec::new()), || 0);
            self.ends.push(key);
            key
        };
        self.ended += 1;
        self.script = Some(key);
        key
    }

    /// The script at hand has ended.
    pub(super) fn end_script(&mut self) -> Key {
        let key = self.script_end();
        self.script = None;
        key
    }
}

/// What an `S` row says: the statement, and whether `node` is among those that ran it. The list of nodes is empty for all.
pub(super) fn script_of_row(arguments: &[u8], node: u32) -> Option<(Vec<u8>, bool)> {
    let mut elements = array::decode(arguments)?.into_iter();
    let statement = elements.next()??;
    let nodes = elements.next().flatten().unwrap_or_default();
    let nodes = String::from_utf8_lossy(&nodes);
    let here = nodes.trim().is_empty() || nodes.split(',').any(|one| one.trim() == node.to_string());
    Some((statement, here))
}
