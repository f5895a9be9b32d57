//! The fields of JSON that PROTOCOL.md documents.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

/// Fails unless a value is an object with exactly the fields that are documented of these objects.
#[track_caller]
pub(crate) fn assert_fields(value: &Value, objects: &[&str]) {
    let found: BTreeSet<String> = value.as_object().expect("an object").keys().cloned().collect();
    let documented: BTreeSet<String> = objects.iter().flat_map(|object| fields(object)).collect();
    assert!(!documented.is_empty());
    assert_eq!(found, documented, "{objects:?}");
}

/// The rows `| object | `field` | meaning |`.
fn fields(object: &str) -> Vec<String> {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("PROTOCOL.md")).unwrap();
    let row = |line: &str| {
        let rest = line.strip_prefix(&format!("| {object} | `"))?;
        let (field, meaning) = rest.split_once("` | ")?;
        (meaning.len() > 3).then(|| field.to_owned())
    };
    page.lines().filter_map(row).collect()
}
