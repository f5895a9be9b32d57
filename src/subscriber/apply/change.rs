//! One change of a row, taken apart: which kind it is of, and its values. Pure.

use crate::spelling::legacy::{self, Verb};
use crate::spelling::row::{Row, series_key};
use crate::spelling::{array, legacy::Legacy};

/// Values one after the other, in one piece of memory.
#[derive(Debug, Clone, Default)]
pub(super) struct Values {
    bytes: Vec<u8>,
    /// Where each ends, and whether it is there at all.
    ends: Vec<(usize, bool)>,
}

impl Values {
    pub(super) fn push(&mut self, value: Option<&[u8]>) {
        self.bytes.extend_from_slice(value.unwrap_or_default());
        self.ends.push((self.bytes.len(), value.is_some()));
    }

    /// The value of this number; `None` is NULL.
    pub(super) fn at(&self, at: usize) -> Option<&[u8]> {
        let start = at.checked_sub(1).and_then(|before| self.ends.get(before)).map_or(0, |(end, _)| *end);
        let (end, is_there) = self.ends.get(at)?;
        self.bytes.get(start..*end).filter(|_| *is_there)
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The memory that they take.
    pub(super) fn size(&self) -> usize {
        self.bytes.len() + self.ends.len() * size_of::<(usize, bool)>()
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }
}

/// A change. It is filled anew for each row, so that its memory is taken once.
#[derive(Debug, Clone)]
pub(super) struct Change {
    /// What it does.
    pub(super) verb: Verb,
    /// The table ([`series_key`]).
    pub(super) series: Vec<u8>,
    /// The columns: those that it sets, then those of its key.
    pub(super) names: Values,
    /// Their values.
    pub(super) values: Values,
    /// How many of them it sets.
    pub(super) set: usize,
    /// What it shares with all changes of its kind: of the same table and columns in the same order.
    pub(super) kind: Vec<u8>,
}

impl Change {
    /// None yet.
    pub(super) fn empty() -> Self {
        let (names, values) = (Values::default(), Values::default());
        Self { verb: Verb::Insert, series: Vec::new(), names, values, set: 0, kind: Vec::new() }
    }

    /// Becomes that of a row of `sl_log_archive` that was checked before. `false` if the row is no change of a row: T, S
    /// and s.
    pub(super) fn read_row(&mut self, row: &Row<'_>) -> bool {
        self.begin(match row.letter() {
            b'I' => Verb::Insert,
            b'U' => Verb::Update,
            b'D' => Verb::Delete,
            _ => return false,
        });
        self.series.extend_from_slice(row.series());
        let (names, values) = (&mut self.names, &mut self.values);
        let mut is_name = true;
        let mut has_odd_name = false;
        let read = array::each(row.arguments(), |element| {
            if is_name {
                has_odd_name |= element.is_none();
                names.push(element);
            } else {
                values.push(element);
            }
            is_name = !is_name;
        });
        self.set = match self.verb {
            Verb::Insert => self.names.len(),
            Verb::Update => row.changes(),
            _ => 0,
        };
        self.end();
        read.is_some() && !has_odd_name && self.names.len() == self.values.len()
    }

    /// Becomes that of a statement of the old formats. `false` if the statement is no change of single rows.
    pub(super) fn read_statement(&mut self, statement: &[u8]) -> bool {
        let Ok(Some((Legacy::Change { verb, table }, _))) = legacy::read(statement, b"\0") else {
            return false;
        };
        let (Some((assigned, keys)), Some((schema, name))) =
            (legacy::assigned(statement), legacy::table_name(table))
        else {
            return false;
        };
        self.begin(verb);
        self.series = series_key(&schema, &name);
        self.set = assigned.len() - keys;
        for (name, value) in &assigned {
            self.names.push(Some(name));
            self.values.push(value.as_deref());
        }
        self.end();
        true
    }

    fn begin(&mut self, verb: Verb) {
        self.verb = verb;
        self.series.clear();
        self.names.clear();
        self.values.clear();
    }

    fn end(&mut self) {
        self.kind.clear();
        self.kind.push(match self.verb {
            Verb::Insert => b'I',
            Verb::Update => b'U',
            Verb::Delete | Verb::Truncate => b'D',
        });
        self.kind.extend_from_slice(&self.set.to_le_bytes());
        self.kind.extend_from_slice(&self.series);
        // No name and no escape of a name holds a zero byte.
        for at in 0..self.names.len() {
            self.kind.push(0);
            self.kind.extend_from_slice(self.names.at(at).unwrap_or_default());
        }
    }
}
