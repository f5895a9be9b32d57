//! The life of site logs: the real program on directories that a test fills, without a database. Ages are made by setting
//! the times of files; what deployed clients do is done with the real `tar`.
#![allow(clippy::unwrap_used, reason = "clippy takes the functions around a test for no test")]

#[path = "../support/mod.rs"]
mod support;

mod acknowledgement;
mod faults;
mod place;
mod rules;
