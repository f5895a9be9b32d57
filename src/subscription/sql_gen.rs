//! `sql_gen`: structure and data of what a request adds, as SQL, from one snapshot.

use std::path::Path;

use tokio_postgres::Client;

use super::decide::UpdatePlan;
use super::sql::{self, Frame};
use crate::db::structure::{self, Overrides};
use crate::db::{self, Session};
use crate::disk::{self, Made, Sink};
use crate::error::{Error, Result, Tried};
use crate::model::{Compression, Sequence, Series};
use crate::protocol::{Request, Stem};

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
    /// Bytes a second at the most; 0: no limit.
    pub rate: u64,
}

/// A file of the answer: its name, once published, and the file.
pub(super) type NamedFile = (String, Made);

impl Dump<'_> {
    /// Makes the files of the answer, in the order in which they are applied.
    pub(super) async fn make(&self) -> Result<Vec<NamedFile>> {
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
        Ok(vec![createns, (named(series), self.series_file(packing).await?)])
    }

    /// One archive with a file for each schema and one for the series: what the deployed scripts fetch.
    async fn deployed(&self, namespaces: Vec<(String, String)>, series: String) -> Result<Vec<NamedFile>> {
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
        files.push((series, self.series_file(None).await?));
        let directory = self.directory.to_owned();
        let packed = tokio::task::spawn_blocking(move || {
            let entries: Vec<_> =
                files.iter().map(|(name, made)| (name.clone(), made.path().to_owned())).collect();
            // `files` lives until here: its members vanish when they are packed.
            disk::tarball(&directory, &entries)
        });
        let packed =
            packed.await.map_err(|error| Error::Fatal(format!("packing the SQL broke: {error}")))??;
        Ok(vec![(format!("{node}.sql.tar.gz"), packed)])
    }

    async fn file(&self, packing: Option<Compression>, text: String) -> Result<Made> {
        let sink = Sink::create(self.directory, packing)?;
        sink.text(text).await;
        sink.finish().await
    }

    async fn series_file(&self, packing: Option<Compression>) -> Result<Made> {
        let sink = Sink::create(self.directory, packing)?;
        let written = self.series(&sink).await;
        // When the disk fails, the sink's own error says so; what the stream says is only that nobody listens.
        match written {
            Ok(()) => sink.finish().await,
            Err(Error::Cancelled) => Err(sink.finish().await.err().unwrap_or(Error::Cancelled)),
            Err(error) => Err(error),
        }
    }

    async fn series(&self, sink: &Sink) -> Result<()> {
        sink.text(self.frame.head()).await;
        if !self.plan.added.is_empty() {
            let numbers = db::sequence_numbers(self.session, self.frame.cluster).await?;
            let of_node = numbers.iter().filter(|(_, sequence)| self.sequences.contains(sequence));
            let of_node = of_node.map(|(number, sequence)| (*number, sequence));
            sink.text(sql::sequence_numbers(self.frame.cluster, of_node)).await;
        }
        for series in &self.plan.added {
            self.one_series(sink, series).await?;
        }
        sink.text(self.frame.tail()).await;
        Ok(())
    }

    async fn one_series(&self, sink: &Sink, series: &Series) -> Result<()> {
        let client = self.client();
        let reading = || format!("read the structure of {series}");
        let structure = structure::structure(client, series).await.tried(reading())?;
        sink.text(structure.before_data).await;
        let overrides = Overrides {
            archive: self.request.archive,
            retention: self.request.retention,
            tapegroup: self.request.tapegroup,
            owner: self.frame.owner.to_owned(),
        };
        let masters = structure::master_rows(client, series, &overrides).await.tried(reading())?;
        for rows in masters.iter().rev() {
            sink.text(format!("{}\n", rows.delete)).await;
        }
        for rows in masters {
            sink.text(format!("{}\n", rows.copy_in)).await;
            db::copy_out(self.session, &rows.copy_out, sink.pieces(), 0).await?;
            sink.text("\\.\n").await;
        }
        sink.text(sql::copy_in(series, &structure.copy_columns, self.frame.encoding)).await;
        let query = sql::copy_out(series, &structure.copy_columns, self.frame.encoding);
        let rows = db::copy_out(self.session, &query, sink.pieces(), self.rate).await?;
        tracing::info!(node = %self.frame.node, %series, rows, "dumped");
        sink.text(sql::after_rows(series, rows) + &structure.after_data).await;
        for sequence in &structure.sequences {
            sink.text(self.sequence(sequence).await?).await;
        }
        sink.text(sql::grants(series, self.grant_to) + &format!("analyze {};\n", series.sql())).await;
        Ok(())
    }

    /// A sequence is outside of every snapshot: it may be ahead of the cut, which harms nobody.
    async fn sequence(&self, sequence: &Sequence) -> Result<String> {
        let query = format!("select last_value, is_called from {}", sequence.sql());
        let row = self.client().query_one(&query, &[]).await.tried(format!("read sequence {sequence}"))?;
        Ok(sql::set_sequence(sequence, row.get(0), row.get(1)))
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
