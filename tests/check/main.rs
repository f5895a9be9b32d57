//! `check`: silent on what is well, and each thing that is wrong is said once, with what to do.
#![allow(clippy::unwrap_used, reason = "clippy takes the functions around a test for no test")]

#[path = "../support/mod.rs"]
mod support;

mod case;
mod database;
mod fix;
mod healthy;
mod place;
mod registry;
mod requests;
mod stream;
mod watched;
