//! Any bytes in the place of: a site log, as the site reads it.

#![no_main]

#[path = "../../tests/parsers/bodies.rs"]
#[expect(dead_code, reason = "one body for each target")]
mod bodies;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    bodies::site_log(bytes);
});
