//! docs/configuration.md is what `make reference` makes of the keys in the code.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::station::MANAGER;

#[test]
fn the_reference_is_up_to_date() {
    let made: String = ["subscription_manager", "subscribe_series"]
        .map(|program| {
            let output =
                Command::new(MANAGER).args(["generate", "reference", program]).output().expect("run it");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8(output.stdout).expect("UTF-8")
        })
        .concat();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md");
    let kept = fs::read_to_string(path).expect("read docs/configuration.md");
    assert!(
        made == kept,
        "a key or its explanation in etc/ has changed: `make reference`, and read the difference"
    );
}
