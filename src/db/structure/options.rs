//! Storage options as the catalog keeps them (`{fillfactor=70,...}`), written for `with (...)` and `set (...)`.

use crate::model::{quote_identifier, quote_literal};

/// `"fillfactor" = '70', ...`; each name gets `prefix` (`toast.` or nothing). Empty without options.
pub(super) fn list(prefix: &str, options: Option<Vec<String>>) -> Vec<String> {
    let option = |text: String| {
        let (name, value) = text.split_once('=').unwrap_or((&text, "true"));
        format!("{prefix}{} = {}", quote_identifier(name), quote_literal(value))
    };
    options.unwrap_or_default().into_iter().map(option).collect()
}

/// ` with (...)`, or nothing without options.
pub(super) fn with_clause(options: &[String]) -> String {
    if options.is_empty() { String::new() } else { format!(" with ({})", options.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_are_quoted() {
        let options = list("toast.", Some(vec!["autovacuum_enabled=false".into(), "n=a=b'c".into()]));
        assert_eq!(
            with_clause(&options),
            r#" with (toast."autovacuum_enabled" = 'false', toast."n" = 'a=b''c')"#
        );
        assert_eq!(with_clause(&list("", None)), "");
    }
}
