//! DRMS: the master tables of a schema, which describe its series.

/// The tables that hold rows for a series, by the column [`SERIES_NAME`], in the order in which they are loaded.
pub const MASTER_TABLES: [&str; 4] = ["drms_series", "drms_keyword", "drms_link", "drms_segment"];

/// The column that names the series of a row, `Schema.Table` in whatever case.
pub const SERIES_NAME: &str = "seriesname";

/// Columns of `drms_series` that each site decides for itself.
pub const SITE_SETTINGS: [&str; 3] = ["archive", "retention", "tapegroup"];
