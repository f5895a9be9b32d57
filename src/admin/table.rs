//! Aligned columns for people.

use comfy_table::{CellAlignment, Table, presets};

use crate::model::printable;

/// The lines of a table, the header first. `right` are the columns that are numbers.
pub(super) fn lines<const N: usize>(
    header: [&str; N],
    right: impl IntoIterator<Item = usize>,
    rows: impl IntoIterator<Item = [String; N]>,
) -> Vec<String> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header);
    for row in rows {
        table.add_row(row.map(|cell| printable(&cell)));
    }
    for number in right {
        if let Some(column) = table.column_mut(number) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    // The table pads every line on both sides.
    table.lines().map(|line| line.strip_prefix(' ').unwrap_or(&line).trim_end().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn columns_are_aligned_and_nothing_breaks_a_line() {
        let rows = [
            ["a".to_owned(), "1".to_owned(), "x\ny".to_owned()],
            ["long".into(), "234".into(), String::new()],
        ];
        let lines = super::lines(["node", "logs", "note"], [1], rows);
        assert_eq!(lines, ["node  logs  note", "a        1  x\\ny", "long   234"]);
    }
}
