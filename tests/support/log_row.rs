//! A row of `sl_log_archive` as slon spells it.

/// A row from its schema on; names and elements are escaped here, `None` is NULL.
pub fn row(schema: &str, table: &str, command: &str, changed: usize, args: &[Option<&str>]) -> String {
    let copy = |text: &str| {
        let mut field = text.replace('\\', "\\\\");
        for (raw, escaped) in [
            ("\n", "\\n"),
            ("\r", "\\r"),
            ("\t", "\\t"),
            ("\u{8}", "\\b"),
            ("\u{b}", "\\v"),
            ("\u{c}", "\\f"),
        ] {
            field = field.replace(raw, escaped);
        }
        field
    };
    let element = |text: Option<&str>| match text {
        None => "NULL".to_owned(),
        Some(text) => {
            let special = |c: char| c.is_ascii_whitespace() || "\u{b}\"\\{},".contains(c);
            if text.is_empty() || text.eq_ignore_ascii_case("null") || text.contains(special) {
                format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
            } else {
                text.to_owned()
            }
        }
    };
    let array = args.iter().copied().map(element).collect::<Vec<_>>().join(",");
    format!("{}\t{}\t{command}\t{changed}\t{}", copy(schema), copy(table), copy(&format!("{{{array}}}")))
}
