//! What stands in an archive, and the rule that says who gets it.

use crate::spelling::script::Names;

/// Every kind of statement that an archive may hold; [`Statement::audience`] says who gets it, and PROTOCOL.md ("Who gets
/// what") the same in prose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Statement {
    /// An empty line. The last one of an archive belongs to its trailer.
    Blank,
    /// `-- EVENT_TYPE`.
    Event,
    /// `COPY "_c"."sl_log_archive" (...) FROM STDIN;`.
    LogCopy,
    /// A row of it that changes a table.
    LogRow(Key),
    /// A row of it that holds a statement of EXECUTE SCRIPT.
    LogScript(Key),
    /// A row of it that ends a script.
    LogScriptEnd(Key),
    /// `\.` after rows of either kind.
    EndOfCopy,
    /// `delete from "n"."t";` at the begin of the copy of a table.
    Delete(Key),
    /// `copy "n"."t" (...) from stdin;`.
    TableCopy(Key),
    /// A row of it.
    TableRow,
    /// `select "_c".finishTableAfterCopy(N); analyze "n"."t"; `, the end of the copy of a table.
    Finish(Key),
    /// `select "_c".sequenceSetValue_offline('nsp','seq','23');`, names not quoted.
    Sequence(Key),
    /// `select "pg_catalog".setval('"nsp"."seq"', '23'); ` after the copy of a set.
    SequenceCopy(Key),
    /// `select "_c".sequenceSetValue_offline(7,'23');` of Slony-I before 2.2.
    SequenceNumber(Key),
    /// `delete from "_c".sl_sequence_offline;` and the `insert`s after it: the numbers of sequences, of Slony-I 1.2.
    SequenceTable,
    /// `insert`, `update` or `delete` of Slony-I before 2.2.
    Change(Key),
    /// `TRUNCATE TABLE ONLY "n"."t" CASCADE;` of Slony-I 2.1.
    Truncate(Key),
    /// `set session_replication_role to ...;` around a script of Slony-I 2.0 and 2.1.
    SessionRole(Key),
    /// A statement of a script of Slony-I before 2.2.
    Script(Key),
}

/// Who gets a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// Every node.
    Everybody,
    /// Who got the statement before.
    Previous,
    /// Who gets a row of this block, and with its first one.
    WithRows,
    /// Who has its subject.
    Subject(Key),
}

impl Statement {
    /// The rule.
    pub fn audience(self) -> Audience {
        match self {
            Self::Blank => Audience::Previous,
            Self::Event | Self::SequenceTable => Audience::Everybody,
            Self::LogCopy | Self::TableRow | Self::EndOfCopy => Audience::WithRows,
            Self::LogRow(key)
            | Self::LogScript(key)
            | Self::LogScriptEnd(key)
            | Self::Delete(key)
            | Self::TableCopy(key)
            | Self::Finish(key)
            | Self::Sequence(key)
            | Self::SequenceCopy(key)
            | Self::SequenceNumber(key)
            | Self::Change(key)
            | Self::Truncate(key)
            | Self::SessionRole(key)
            | Self::Script(key) => Audience::Subject(key),
        }
    }
}

/// A statement and where it stands in its window: from the first byte to behind the line feed that ends it, if one follows
/// directly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// What it is.
    pub statement: Statement,
    /// Its first byte.
    pub start: usize,
    /// Behind its last.
    pub end: usize,
}

/// Which of an archive's [`Subject`]s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(pub(super) u32);

/// What decides who gets a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A table, spelled as by `spelling::row::series_key`: nodes that have it.
    Table(Vec<u8>),
    /// All of a DRMS master table, of which nodes have the rows of their series: nodes that have the table itself. It
    /// cannot be told for others that have series in its schema.
    MasterTable(Vec<u8>),
    /// A row of a DRMS master table: nodes that have the table itself, and nodes that have the series that it describes.
    MasterRow {
        /// The master table.
        table: Vec<u8>,
        /// The series that the row describes.
        series: Vec<u8>,
    },
    /// A sequence, spelled as slon pastes it (`spelling::sequence_line::pasted_key`): nodes that have it.
    Sequence(Vec<u8>),
    /// The same by the number of Slony-I before 2.2.
    SequenceNumber(u32),
    /// A statement of EXECUTE SCRIPT for this node.
    Script(Names),
    /// A statement of EXECUTE SCRIPT for other nodes of Slony-I (ONLY ON): nobody.
    ScriptElsewhere,
    /// What belongs to a script: who gets one of these statements.
    Scripts(Vec<Key>),
}
