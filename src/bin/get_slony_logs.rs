//! `get_slony_logs`: a tool of the remote site. It is not written yet, and says so instead of doing nothing.

use std::process::ExitCode;

fn main() -> ExitCode {
    eprintln!("get_slony_logs is not part of this version: README.md says how a site works with psql alone");
    ExitCode::FAILURE
}
