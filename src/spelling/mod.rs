//! How slon spells it: the text of archives and site logs, from their frame down to a byte. Everything here sees bytes and
//! nothing else.
//!
//! `header` and `lines` are the frame. Rows of `sl_log_archive`: `row`, the escapes of COPY below it (`copy_text`), and
//! array literals (`array`). Lines of slon's own: `sequence_line`, `table_copy`, with SQL names (`quoted`). The old
//! formats: `legacy`, its words (`slon_words`), and where any other statement ends (`statement_end`). `script` says which
//! tables a statement names, with an SQL parser that `script_tokens` keeps from what it cannot read, and `script_effect` whether
//! it does at a site what it did at the original.

pub mod array;
pub(crate) mod copy_text;
pub mod fault;
pub mod header;
pub(crate) mod legacy;
pub(crate) mod lines;
pub(crate) mod quoted;
pub(crate) mod row;
pub mod script;
pub mod script_effect;
pub(crate) mod script_tokens;
pub(crate) mod sequence_line;
pub(crate) mod slon_words;
pub mod sql_text;
pub(crate) mod statement_end;
pub(crate) mod table_copy;
