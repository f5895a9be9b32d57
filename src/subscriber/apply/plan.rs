//! How changes of one kind are made: directly, or by the trigger of `sl_log_archive`, which can do everything.
//! It decides from what was read of the table; nothing is asked here.
//!
//! What is made directly must leave what the trigger would leave: `update only`, keys compared by `=`, generated columns
//! left out, identity columns overridden.

use std::sync::Arc;

use super::change::Change;
use crate::db::site::{SiteColumn, SiteTable};
use crate::model::{Series, quote_identifier};
use crate::spelling::legacy::Verb;
use crate::spelling::row::names_of;

/// How.
#[derive(Debug, Clone)]
pub(super) enum Plan {
    /// By the trigger.
    Rows,
    /// Not at all: nothing is left to set.
    Nothing,
    /// Directly.
    Direct(Arc<Direct>),
}

/// How changes of one kind are made directly.
#[derive(Debug)]
pub(super) struct Direct {
    /// What they do.
    pub(super) verb: Verb,
    /// The same in words, for errors: `update hmi.m_45s`.
    pub(super) action: String,
    /// The table.
    pub(super) series: Series,
    /// Which values of a change are sent: those to set, then those of the key.
    pub(super) kept: Vec<usize>,
    /// The names of the key columns.
    pub(super) keys: Vec<String>,
    /// A statement for one of them; the values are its parameters.
    pub(super) single: String,
    /// Of inserts: the COPY for many.
    pub(super) copy: Option<String>,
    /// Of updates and deletes: the statement for many with different keys; its parameters are arrays, and it returns the
    /// number of each that met a row, from 1.
    pub(super) many: Option<String>,
    /// Which of the key columns are numbers, of which only one spelling is a key of its own.
    pub(super) spelled: Vec<Spelled>,
    /// The types of the columns: statements that were prepared for others do not serve.
    pub(super) types: String,
    /// Whether nobody can see when they happen, compared with changes of other tables.
    pub(super) may_move: bool,
}

/// How keys of a type are spelled, so that two spellings are two keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spelled {
    Number,
    Uuid,
    Text,
}

impl Spelled {
    /// Whether a key is spelled as the server spells it.
    pub(super) fn fits(self, key: &[u8]) -> bool {
        match self {
            Self::Text => true,
            Self::Number => {
                let digits = key.strip_prefix(b"-").unwrap_or(key);
                let is_zero = key == b"0";
                is_zero
                    || (digits.iter().all(u8::is_ascii_digit)
                        && digits.first().is_some_and(|first| *first != b'0'))
            }
            Self::Uuid => {
                key.len() == 36 && key.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b'-'))
            }
        }
    }
}

/// Plans changes of the kind of this one. `only_ascii`: names that are not ASCII cannot be sent in statements. `is_strict`:
/// the change was a statement, which sets every column that it names.
pub(super) fn plan(change: &Change, table: &SiteTable, only_ascii: bool, is_strict: bool) -> Plan {
    let Some(columns) = columns(change, table) else { return Plan::Rows };
    let (schema, name) = names_of(&change.series);
    let speakable = |text: &str| text.is_ascii() || (!only_ascii && !text.contains('\u{fffd}'));
    let all_speakable = columns.iter().all(|column| {
        std::str::from_utf8(&column.name).is_ok_and(speakable)
            && column.array.as_deref().is_none_or(speakable)
    });
    let odd = |column: &&SiteColumn| column.is_generated || column.is_always;
    if !table.is_plain
        || table.has_triggers
        || !(all_speakable && speakable(&schema) && speakable(&name))
        || (is_strict && (columns.iter().any(odd) || (table.has_family && change.verb != Verb::Insert)))
    {
        return Plan::Rows;
    }
    let (set, keys) = columns.split_at_checked(change.set).unwrap_or_default();
    let kept_set: Vec<usize> =
        (0..set.len()).filter(|at| set.get(*at).is_some_and(|column| !column.is_generated)).collect();
    let set: Vec<&SiteColumn> = kept_set.iter().filter_map(|at| set.get(*at).copied()).collect();
    let twice = |columns: &[&SiteColumn]| {
        (1..columns.len()).any(|at| {
            columns.split_at(at).0.iter().any(|one| Some(&one.name) == columns.get(at).map(|two| &two.name))
        })
    };
    if twice(&set)
        || twice(keys)
        || (change.verb == Verb::Update && set.iter().any(|column| column.is_always))
    {
        return Plan::Rows;
    }
    let sql = Sql { table: Series::new(schema.clone(), name.clone()).sql(), set: &set, keys };
    let touched = keys.iter().copied().find(|column| !odd(column));
    let (single, copy, many) = match change.verb {
        Verb::Insert if set.is_empty() => return Plan::Rows,
        Verb::Insert => (sql.insert(), Some(sql.copy()), None),
        _ if keys.is_empty() => return Plan::Rows,
        Verb::Update if set.is_empty() => match touched {
            None => return Plan::Nothing,
            Some(touched) => (sql.update(Some(touched)), None, sql.update_many(table, Some(touched))),
        },
        Verb::Update => (sql.update(None), None, sql.update_many(table, None)),
        Verb::Delete => (sql.delete(), None, sql.delete_many()),
        Verb::Truncate => return Plan::Rows,
    };
    let fills = change.verb == Verb::Insert
        && table.columns.iter().any(|column| {
            column.has_default && !column.is_generated && !set.iter().any(|given| given.name == column.name)
        });
    let key_numbers = change.set..change.names.len();
    let series = Series::new(schema, name);
    Plan::Direct(Arc::new(Direct {
        verb: change.verb,
        may_move: !(table.has_references || table.has_family || fills),
        kept: kept_set.into_iter().chain(key_numbers).collect(),
        keys: keys.iter().map(|column| text(column).to_owned()).collect(),
        spelled: keys.iter().map(|column| spelled(column)).collect(),
        types: columns.iter().map(|column| format!(" {}", column.of_type)).collect(),
        action: format!("{} {series}", verb(change.verb)),
        series,
        single,
        copy,
        many,
    }))
}

/// The columns of a change; `None` if one is not there: that is for the server to say.
fn columns<'t>(change: &Change, table: &'t SiteTable) -> Option<Vec<&'t SiteColumn>> {
    (0..change.names.len())
        .map(|at| table.columns.iter().find(|column| Some(column.name.as_slice()) == change.names.at(at)))
        .collect()
}

fn verb(verb: Verb) -> &'static str {
    match verb {
        Verb::Insert => "insert into",
        Verb::Update => "update",
        Verb::Delete | Verb::Truncate => "delete from",
    }
}

fn spelled(column: &SiteColumn) -> Spelled {
    match column.of_type {
        20 | 21 | 23 => Spelled::Number,
        2950 => Spelled::Uuid,
        _ => Spelled::Text,
    }
}

fn text(column: &SiteColumn) -> &str {
    std::str::from_utf8(&column.name).unwrap_or_default()
}

fn quoted(column: &SiteColumn) -> String {
    quote_identifier(text(column))
}

/// What statements are made of.
struct Sql<'t> {
    table: String,
    set: &'t [&'t SiteColumn],
    keys: &'t [&'t SiteColumn],
}

impl Sql<'_> {
    fn list(&self) -> String {
        self.set.iter().map(|column| quoted(column)).collect::<Vec<_>>().join(",")
    }

    fn insert(&self) -> String {
        let values: Vec<_> = (1..=self.set.len()).map(|number| format!("${number}")).collect();
        let (table, list, values) = (&self.table, self.list(), values.join(","));
        format!("insert into {table} ({list}) overriding system value values ({values})")
    }

    fn copy(&self) -> String {
        format!("copy {} ({}) from stdin", self.table, self.list())
    }

    fn update(&self, touched: Option<&SiteColumn>) -> String {
        let set = match touched {
            Some(column) => format!("{0}={0}", quoted(column)),
            None => pairs(self.set, "", "$", 1, ","),
        };
        format!("update only {} set {set} where {}", self.table, self.condition())
    }

    fn delete(&self) -> String {
        format!("delete from only {} where {}", self.table, self.condition())
    }

    fn condition(&self) -> String {
        pairs(self.keys, "", "$", self.set.len() + 1, " and ")
    }

    /// The values as a table `v` of numbered columns, and the number of each row in `n`; `None` if arrays cannot hold
    /// them, or two spellings can be one key.
    fn values(&self) -> Option<String> {
        let all = self.set.iter().chain(self.keys);
        let arrays: Option<Vec<_>> = all
            .enumerate()
            .map(|(at, column)| Some(format!("pg_catalog.unnest(${}::{})", at + 1, column.array.as_deref()?)))
            .collect();
        let arrays = arrays.filter(|_| self.keys.iter().all(|key| key.is_canonical))?;
        let names: Vec<_> = (1..=arrays.len()).map(|number| format!("c{number}")).collect();
        let (arrays, names) = (arrays.join(","), names.join(","));
        Some(format!("rows from ({arrays}) with ordinality as v({names},n)"))
    }

    /// One statement may change rows in any order: that must not matter to a unique index, and keys must stay.
    fn update_many(&self, table: &SiteTable, touched: Option<&SiteColumn>) -> Option<String> {
        let moves =
            |column: &&SiteColumn| column.is_unique || self.keys.iter().any(|key| key.name == column.name);
        if table.has_odd_index || self.set.iter().any(moves) {
            return None;
        }
        let set = match touched {
            Some(column) => format!("{0}=t.{0}", quoted(column)),
            None => pairs(self.set, "", "v.c", 1, ","),
        };
        let (name, values) = (&self.table, self.values()?);
        Some(format!(
            "update only {name} t set {set} from {values} where {} returning v.n",
            self.condition_many()
        ))
    }

    fn delete_many(&self) -> Option<String> {
        let (name, values) = (&self.table, self.values()?);
        Some(format!(
            "delete from only {name} t using {values} where {} returning v.n",
            self.condition_many()
        ))
    }

    fn condition_many(&self) -> String {
        pairs(self.keys, "t.", "v.c", self.set.len() + 1, " and ")
    }
}

/// `"a"=$1,"b"=$2`, or `t."a"=v.c1 and t."b"=v.c2`.
fn pairs(columns: &[&SiteColumn], owner: &str, value: &str, first: usize, separator: &str) -> String {
    let one =
        |(at, column): (usize, &&SiteColumn)| format!("{owner}{}={value}{}", quoted(column), at + first);
    columns.iter().enumerate().map(one).collect::<Vec<_>>().join(separator)
}
