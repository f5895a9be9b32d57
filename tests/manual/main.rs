//! What an operator gets beside the programs: the packages with their service, man pages and completions, and the
//! documentation, which has to be true.

#[path = "../support/mod.rs"]
mod support;

mod calls;
mod looks;
mod machine;
mod messages;
mod package;
mod reference;
mod service;
