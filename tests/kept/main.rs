//! What an operator does with archives that are kept: splitting again, deciding about statements, taking one as empty. The
//! real program on trees that a test fills, without a daemon; every expected log is written down here, not made by it.
#![allow(clippy::unwrap_used, reason = "clippy takes the functions around a test for no test")]

#[path = "../support/mod.rs"]
mod support;

mod alarm;
mod bundled;
mod ddl;
mod empty;
mod killed;
mod many;
mod numbers;
mod place;
mod refusals;
mod resplit;
mod staged;
mod text;
mod trouble;
