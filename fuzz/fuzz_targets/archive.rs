//! Any bytes in the place of an archive.

#![no_main]

#[path = "../../tests/merged/harness.rs"]
mod harness;

libfuzzer_sys::fuzz_target!(|archive: &[u8]| {
    harness::check(archive);
});
