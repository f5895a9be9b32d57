//! How slon spells it: the text of archives, from their frame down to a byte. Everything here sees bytes and nothing else.
//!
//! `header` and `lines` are the frame. Rows of `sl_log_archive`: `row`, the escapes of COPY below it (`copy_text`), and
//! array literals (`array`). Lines of slon's own: `sequence_line`, `table_copy`, with SQL names (`quoted`). The old
//! formats: `legacy`, its words (`slon_words`), and where any other statement ends (`statement_end`). `script` says which
//! tables a statement names, with an SQL parser that `script_tokens` keeps from what it cannot read.

pub(in crate::logs) mod array;
pub(in crate::logs) mod copy_text;
pub mod header;
pub(in crate::logs) mod legacy;
pub(in crate::logs) mod lines;
pub(in crate::logs) mod quoted;
pub(in crate::logs) mod row;
pub mod script;
pub(in crate::logs) mod script_tokens;
pub(in crate::logs) mod sequence_line;
pub(in crate::logs) mod slon_words;
pub(in crate::logs) mod statement_end;
pub(in crate::logs) mod table_copy;
