//! The SQL of a request comes to this machine, whole or not at all. Names and contents are the data centre's: neither is
//! trusted.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::disk;
use crate::error::{Error, Result};
use crate::model::{Node, excerpt};
use crate::protocol::{SqlFile, sql_file_names};
use crate::subscriber::Progress;
use crate::transport::Host;

use super::shown::Ready;

/// Where the SQL comes from and goes to.
pub(super) struct Download<'a> {
    pub(super) host: &'a Host,
    pub(super) node: &'a Node,
    /// The drop directory at the data centre.
    pub(super) from: &'a str,
    /// The directory here.
    pub(super) into: &'a Path,
}

impl Download<'_> {
    /// Whether everything is here.
    pub(super) fn is_whole(&self, ready: &Ready) -> bool {
        self.names(ready).iter().all(|name| disk::exists(&self.into.join(name)))
    }

    /// The names of the files at the data centre.
    pub(super) fn names(&self, ready: &Ready) -> Vec<String> {
        if ready.files.is_empty() {
            return vec![format!("{}.sql.tar.gz", self.node)];
        }
        ready.files.iter().map(|file| file.name.clone()).collect()
    }

    /// Fetches what is not here. What has come when it fails is gone on with.
    pub(super) async fn fetch(&self, ready: &Ready) -> Result<()> {
        disk::create_directories(self.into)?;
        let known = sql_file_names(self.node);
        if let Some(odd) = ready.files.iter().find(|file| !known.contains(&file.name)) {
            return Err(Error::Refused(format!(
                "the data centre names a file `{}` for the SQL: nothing was fetched",
                excerpt(&odd.name)
            )));
        }
        if ready.files.is_empty() {
            return self.unchecked(&format!("{}.sql.tar.gz", self.node)).await;
        }
        for file in &ready.files {
            if !disk::exists(&self.into.join(&file.name)) {
                self.checked(file).await?;
            }
        }
        Ok(())
    }

    /// A file of which size and digest are known. One that is wrong is fetched once more from its beginning.
    async fn checked(&self, file: &SqlFile) -> Result<()> {
        let SqlFile { name, bytes, sha256 } = file;
        let (path, part) = (self.into.join(name), self.into.join(format!("{name}.part")));
        let there = self.host.size(&self.at(name)).await?.ok_or_else(|| self.missing(name))?;
        if there != *bytes {
            return Err(Error::Refused(format!(
                "`{name}` has {there} bytes and is not what `.sqldone` says of it: {bytes} bytes"
            )));
        }
        for attempt in 1..=2 {
            if disk::plain_size(&part).is_some_and(|here| here > *bytes) {
                disk::remove(&part)?;
            }
            self.rest(name, &part, *bytes).await?;
            if disk::plain_size(&part) == Some(*bytes) && disk::sha256(&part)?.eq_ignore_ascii_case(sha256) {
                return disk::settle(&part, &path);
            }
            tracing::warn!(file = %name, attempt, "the digest of what was fetched is not that of the data centre");
            disk::remove(&part)?;
        }
        Err(Error::Refused(format!("`{name}` was fetched twice and is not what `.sqldone` says of it")))
    }

    /// A file of a NetDRMS server: its size is what it is, and whether it is whole shows when it is unpacked.
    async fn unchecked(&self, name: &str) -> Result<()> {
        let (path, part) = (self.into.join(name), self.into.join(format!("{name}.part")));
        let from = self.at(name);
        let bytes = self.host.size(&from).await?.ok_or_else(|| self.missing(name))?;
        if disk::plain_size(&part).is_some_and(|here| here > bytes) {
            disk::remove(&part)?;
        }
        self.rest(name, &part, bytes).await?;
        disk::settle(&part, &path)
    }

    async fn rest(&self, name: &str, part: &Path, bytes: u64) -> Result<()> {
        let here = disk::plain_size(part).unwrap_or(0);
        let (progress, last) = (Progress::begin("SQL", Some(bytes)), AtomicU64::new(0));
        progress.bytes(here);
        let told = |count: u64| progress.bytes(count - last.swap(count, Ordering::Relaxed).min(count));
        let fetched = self.host.fetch(&self.at(name), here, bytes - here, part, &told).await?;
        match fetched {
            Some(_) if here > 0 => tracing::info!(bytes, "fetched the rest of {name}, from byte {here} on"),
            Some(_) => tracing::info!(bytes, "fetched {name}"),
            None => {}
        }
        fetched.map(drop).ok_or_else(|| self.missing(name))
    }

    /// The files to be applied, in order; an archive is unpacked.
    pub(super) fn texts(&self, ready: &Ready) -> Result<Vec<PathBuf>> {
        let names = self.names(ready);
        let archive = format!("{}.sql.tar.gz", self.node);
        if names != [archive.as_str()] {
            return Ok(names.iter().map(|name| self.into.join(name)).collect());
        }
        let last = format!("{}.subscribe_series.sql", self.node);
        let begins = format!("{}.", self.node);
        let accept = |name: &str| {
            name == last
                || name
                    .strip_prefix(&begins)
                    .and_then(|rest| rest.strip_suffix(".createns.sql"))
                    .is_some_and(|schema| !schema.is_empty())
        };
        let mut texts = disk::unpack(&self.into.join(&archive), &self.into.join("unpacked"), &accept)?;
        let is_last = |path: &PathBuf| path.ends_with(&last);
        if !texts.iter().any(is_last) {
            return Err(Error::Refused(format!("`{archive}` has no `{last}` in it")));
        }
        texts.sort_by_key(|path| (is_last(path), path.clone()));
        Ok(texts)
    }

    fn at(&self, name: &str) -> String {
        format!("{}/{name}", self.from)
    }

    fn missing(&self, name: &str) -> Error {
        Error::Line {
            action: format!("fetch `{}`", self.at(name)),
            source: "it is not there any more: run this again to see what has become of the request".into(),
        }
    }
}
