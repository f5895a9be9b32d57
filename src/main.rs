//! The subscription manager.
fn main() {}
