//! `sql_gen`: structure and data of what a request adds, as SQL, from one snapshot.

use std::collections::HashSet;
use std::path::Path;

use tokio_postgres::Client;

use super::decide::UpdatePlan;
use super::progress::Ticket;
use super::sql::{self, Frame};
use crate::db::structure::{self, Overrides, SequenceValues, Structure};
use crate::db::{self, Meter, Session};
use crate::disk::{self, Made, Sink};
use crate::error::{Error, Result, Tried};
use crate::model::{Compression, Sequence, Series};
use crate::protocol::{Request, Stem};

/// So many series are looked up in the catalog at once. Each waits in memory for its turn, with some kilobytes.
const BATCH: usize = 500;

/// What is made, and how.
pub(super) struct Dump<'a> {
    /// The session in the snapshot of the cut.
    pub session: &'a Session,
    /// What the fixed parts depend on.
    pub frame: Frame<'a>,
    /// What the subscriber asked for.
    pub request: &'a Request,
    /// What of it is new.
    pub plan: &'a UpdatePlan,
    /// The sequences of the node's series: they may lie in schemas of their own.
    pub sequences: Vec<&'a Sequence>,
    /// The dialect, which decides how the files are packed.
    pub stem: Stem,
    /// Where they are made: the directory in which they will be published.
    pub directory: &'a Path,
    /// Roles that may read the series at the site.
    pub grant_to: &'a [String],
    /// Holds its rows back, and counts them.
    pub meter: Meter<'a>,
    /// Tells how far it is.
    pub ticket: &'a Ticket<'a>,
}

/// A file of the answer: its name, once published, and the file.
pub(super) type NamedFile = (String, Made);

impl Dump<'_> {
    /// Makes the files of the answer, in the order in which they are applied; and says how many rows of the series they
    /// hold.
    pub(super) async fn make(&self) -> Result<(Vec<NamedFile>, u64)> {
        let node = self.frame.node;
        let createns = format!("{node}.createns.sql");
        let series = format!("{node}.subscribe_series.sql");
        let schemas = self.schemas();
        let namespaces = structure::namespaces(self.client(), &schemas, self.frame.owner, self.grant_to)
            .await
            .tried("read schemas")?;
        if self.stem == Stem::Deployed && self.request.accept.is_none() {
            return self.deployed(namespaces, series).await;
        }
        let all: String = namespaces.into_iter().map(|(_, sql)| sql).collect();
        let packing = self.request.accept;
        let named = |name: String| name + packing.map_or("", Compression::ending);
        let createns = (named(createns), self.file(packing, sql::createns(self.frame.owner, &all)).await?);
        let (made, rows) = self.series_file(packing).await?;
        Ok((vec![createns, (named(series), made)], rows))
    }

    /// One archive with a file for each schema and one for the series: what the deployed scripts fetch.
    async fn deployed(
        &self,
        namespaces: Vec<(String, String)>,
        series: String,
    ) -> Result<(Vec<NamedFile>, u64)> {
        let node = self.frame.node;
        let mut files = Vec::new();
        for (schema, sql) in namespaces {
            // The name is only a label; a schema may hold what no file name can.
            let label = schema.replace(['/', '\\'], "_");
            files.push((
                format!("{node}.{label}.createns.sql"),
                self.file(None, sql::createns(self.frame.owner, &sql)).await?,
            ));
        }
        let (made, rows) = self.series_file(None).await?;
        files.push((series, made));
        let directory = self.directory.to_owned();
        let packed = tokio::task::spawn_blocking(move || {
            let entries: Vec<_> =
                files.iter().map(|(name, made)| (name.clone(), made.path().to_owned())).collect();
            // `files` lives until here: its members vanish when they are packed.
            disk::tarball(&directory, &entries)
        });
        let packed =
            packed.await.map_err(|error| Error::Stopped(format!("packing the SQL broke: {error}")))??;
        Ok((vec![(format!("{node}.sql.tar.gz"), packed)], rows))
    }

    async fn file(&self, packing: Option<Compression>, text: String) -> Result<Made> {
        let sink = Sink::create(self.directory, packing)?;
        sink.text(text).await;
        sink.finish().await
    }

    async fn series_file(&self, packing: Option<Compression>) -> Result<(Made, u64)> {
        let sink = Sink::create(self.directory, packing)?;
        let written = self.series(&sink).await;
        // When the disk fails, the sink's own error says so; what the stream says is only that nobody listens.
        match written {
            Ok(rows) => Ok((sink.finish().await?, rows)),
            Err(Error::Cancelled) => Err(sink.finish().await.err().unwrap_or(Error::Cancelled)),
            Err(error) => Err(error),
        }
    }

    async fn series(&self, sink: &Sink) -> Result<u64> {
        sink.text(self.frame.head()).await;
        if !self.plan.added.is_empty() {
            let numbers = db::sequence_numbers(self.session, self.frame.cluster).await?;
            let sequences: HashSet<&Sequence> = self.sequences.iter().copied().collect();
            let of_node = numbers.iter().filter(|(_, sequence)| sequences.contains(sequence));
            let of_node = of_node.map(|(number, sequence)| (*number, sequence));
            sink.text(sql::sequence_numbers(self.frame.cluster, of_node)).await;
        }
        let mut rows = 0;
        for batch in self.plan.added.chunks(BATCH) {
            rows += self.batch(sink, batch).await?;
        }
        sink.text(self.frame.tail()).await;
        Ok(rows)
    }

    /// Some series: what the catalog says of all of them first, then one after the other. Returns how many rows they have.
    async fn batch(&self, sink: &Sink, batch: &[Series]) -> Result<u64> {
        let reading = "read the structure of the series";
        let mut structures = structure::structures(self.client(), batch).await.tried(reading)?;
        let sequences: Vec<Sequence> =
            structures.values().flat_map(|structure| structure.sequences.iter().cloned()).collect();
        let values = structure::values(self.client(), &sequences).await.tried("read the sequences")?;
        self.master_rows(sink, batch).await?;
        let mut rows = 0;
        for series in batch {
            let structure = structures.remove(series);
            let structure =
                structure.ok_or_else(|| Error::Refused(format!("{series} vanished meanwhile")))?;
            rows += self.one_series(sink, series, structure, &values).await?;
        }
        Ok(rows)
    }

    /// The rows of the series in the DRMS master tables.
    async fn master_rows(&self, sink: &Sink, batch: &[Series]) -> Result<()> {
        let overrides = Overrides {
            archive: self.request.archive,
            retention: self.request.retention,
            tapegroup: self.request.tapegroup,
            owner: self.frame.owner.to_owned(),
        };
        let masters = structure::master_rows(self.client(), batch, &overrides).await;
        let masters = masters.tried("read the DRMS master tables")?;
        for rows in masters.iter().rev() {
            sink.text(format!("{}\n", rows.delete)).await;
        }
        for rows in masters {
            sink.text(format!("{}\n", rows.copy_in)).await;
            db::copy_out(self.session, &rows.copy_out, sink.pieces(), &Meter::none()).await?;
            sink.text("\\.\n").await;
        }
        Ok(())
    }

    async fn one_series(
        &self,
        sink: &Sink,
        series: &Series,
        structure: Structure,
        values: &SequenceValues,
    ) -> Result<u64> {
        sink.text(structure.before_data).await;
        sink.text(sql::copy_in(series, &structure.copy_columns, &self.frame.style.encoding)).await;
        let query = sql::copy_out(series, &structure.copy_columns, &self.frame.style.encoding);
        let rows = db::copy_out(self.session, &query, sink.pieces(), &self.meter).await?;
        self.ticket.next_series();
        tracing::info!(node = %self.frame.node, %series, rows, "dumped");
        sink.text(sql::after_rows(series, rows) + &structure.after_data).await;
        // A sequence is outside of every snapshot: it may be ahead of the cut, which harms nobody.
        for sequence in &structure.sequences {
            if let Some((value, is_called)) = values.get(sequence) {
                sink.text(sql::set_sequence(sequence, *value, *is_called)).await;
            }
        }
        sink.text(sql::grants(series, self.grant_to) + &format!("analyze {};\n", series.sql())).await;
        Ok(rows)
    }

    fn schemas(&self) -> Vec<&str> {
        if self.plan.added.is_empty() {
            return Vec::new();
        }
        let series = self.plan.added.iter().map(|series| series.0.schema.as_str());
        let sequences = self.sequences.iter().map(|sequence| sequence.0.schema.as_str());
        let mut schemas: Vec<&str> = series.chain(sequences).collect();
        schemas.sort_unstable();
        schemas.dedup();
        schemas
    }

    fn client(&self) -> &Client {
        self.session.client()
    }
}
