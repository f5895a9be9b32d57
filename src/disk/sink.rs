//! A large file made from a stream: packed, counted and digested on its way to the disk, in one pass.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinHandle;

use super::publish::create_hidden;
use super::readers::{Readers, publish_for};
use crate::error::{Context, Error, Result};
use crate::model::Compression;

/// Pieces that may wait for the disk: with pieces of 256 kB, 4 MB.
const WAITING: usize = 16;

/// How much is written before the disk is told to begin with it. A sync at the end that finds everything still to be
/// written keeps the subscriber waiting.
const WINDOW: u64 = 8 << 20;

/// Where a stream of pieces becomes a hidden file. Dropping it, at any time, leaves nothing behind.
pub struct Sink {
    pieces: Sender<Bytes>,
    thread: JoinHandle<Result<Made>>,
}

/// A file that is whole, under a hidden name that vanishes unless it is published.
#[derive(Debug)]
pub struct Made {
    file: NamedTempFile,
    /// Its size.
    pub bytes: u64,
    /// SHA-256 of its content in hexadecimal digits.
    pub sha256: String,
}

impl Sink {
    /// Begins a file in `directory`.
    pub fn create(directory: &Path, compression: Option<Compression>) -> Result<Self> {
        let file = create_hidden(directory)?;
        let (pieces, received) = channel(WAITING);
        let thread = tokio::task::spawn_blocking(move || drain(file, compression, received));
        Ok(Self { pieces, thread })
    }

    /// Where the pieces go.
    pub fn pieces(&self) -> &Sender<Bytes> {
        &self.pieces
    }

    /// Sends a text. If the file cannot be written, [`Sink::finish`] says why.
    pub async fn text(&self, text: impl Into<String>) {
        let text = text.into();
        // An empty piece would be the end.
        if !text.is_empty() {
            let _ = self.pieces.send(Bytes::from(text)).await;
        }
    }

    /// Ends the stream and waits until everything is in the file. Without this call nothing is ever published: an
    /// encoder that is merely dropped ends its stream as if it were whole.
    pub async fn finish(self) -> Result<Made> {
        let Self { pieces, thread } = self;
        // An empty piece is the end; a channel that just closes is a dump that was given up.
        let _ = pieces.send(Bytes::new()).await;
        drop(pieces);
        thread.await.map_err(|error| Error::Stopped(format!("the writer of the SQL broke: {error}")))?
    }
}

impl Made {
    /// Gives the file its name, for these readers; content and name are on disk then.
    pub fn publish(self, path: &Path, readers: Readers) -> Result<()> {
        publish_for(self.file, path, readers)
    }

    /// Where it lies meanwhile.
    pub fn path(&self) -> &Path {
        self.file.path()
    }
}

fn drain(file: NamedTempFile, compression: Option<Compression>, mut pieces: Receiver<Bytes>) -> Result<Made> {
    let path = file.path().to_owned();
    let digesting = Digesting::new(file);
    let written = match compression {
        None => pour(digesting, &mut pieces).and_then(Digesting::finish),
        Some(Compression::Gzip) => {
            let encoder = GzEncoder::new(digesting, flate2::Compression::new(1));
            pour(encoder, &mut pieces).and_then(GzEncoder::finish).and_then(Digesting::finish)
        }
        Some(Compression::Zstd) => zstd::Encoder::new(digesting, 3)
            .and_then(|encoder| pour(encoder, &mut pieces))
            .and_then(zstd::Encoder::finish)
            .and_then(Digesting::finish),
    };
    match written {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(Error::Cancelled),
        written => written.context("write", &path),
    }
}

fn pour<W: Write>(mut target: W, pieces: &mut Receiver<Bytes>) -> io::Result<W> {
    while let Some(piece) = pieces.blocking_recv() {
        if piece.is_empty() {
            return Ok(target);
        }
        target.write_all(&piece)?;
    }
    Err(io::ErrorKind::UnexpectedEof.into())
}

/// Counts and digests what goes into the file.
struct Digesting {
    file: BufWriter<NamedTempFile>,
    sha256: Sha256,
    bytes: u64,
    /// Up to here the disk has been told.
    told: u64,
}

impl Digesting {
    fn new(file: NamedTempFile) -> Self {
        Self { file: BufWriter::with_capacity(64 * 1024, file), sha256: Sha256::new(), bytes: 0, told: 0 }
    }

    /// Lets the disk begin with what was written since the last time. Only a hint: it may fail, and data in the buffer
    /// come with the next.
    fn tell(&mut self) {
        use rustix::fs::{Advice, fadvise};
        let length = std::num::NonZeroU64::new(self.bytes - self.told);
        let _ = fadvise(self.file.get_ref().as_file(), self.told, length, Advice::DontNeed);
        self.told = self.bytes;
    }

    fn finish(self) -> io::Result<Made> {
        let file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        let sha256 = self.sha256.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Made { file, bytes: self.bytes, sha256 })
    }
}

impl Write for Digesting {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        self.file.write_all(piece)?;
        self.sha256.update(piece);
        self.bytes += piece.len() as u64;
        if self.bytes - self.told >= WINDOW {
            self.tell();
        }
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Packs files into one `.tar.gz`: pairs of the name inside and the file. Blocks for as long as that takes.
pub fn tarball(directory: &Path, entries: &[(String, PathBuf)]) -> Result<Made> {
    let target = create_hidden(directory)?;
    let path = target.path().to_owned();
    let mut archive =
        tar::Builder::new(GzEncoder::new(Digesting::new(target), flate2::Compression::default()));
    for (name, source) in entries {
        let mut file = File::open(source).context("open", source)?;
        let bytes = file.metadata().context("examine", source)?.len();
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes);
        header.set_mode(0o644);
        header.set_mtime(0);
        archive.append_data(&mut header, name, &mut file).context("pack", source)?;
    }
    archive.into_inner().and_then(GzEncoder::finish).and_then(Digesting::finish).context("write", &path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;

    async fn made(directory: &Path, compression: Option<Compression>) -> Vec<u8> {
        let sink = Sink::create(directory, compression).unwrap();
        sink.text("one\n").await;
        sink.text("").await;
        sink.text("two\n").await;
        let made = sink.finish().await.unwrap();
        let bytes = std::fs::read(made.path()).unwrap();
        assert_eq!(made.bytes, bytes.len() as u64);
        assert_eq!(
            made.sha256,
            Sha256::digest(&bytes).iter().map(|b| format!("{b:02x}")).collect::<String>()
        );
        bytes
    }

    #[tokio::test]
    async fn every_packing_unpacks_to_the_same() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(made(directory.path(), None).await, b"one\ntwo\n");
        let mut text = String::new();
        let gzip = made(directory.path(), Some(Compression::Gzip)).await;
        flate2::read::GzDecoder::new(gzip.as_slice()).read_to_string(&mut text).unwrap();
        assert_eq!(text, "one\ntwo\n");
        let zstd = made(directory.path(), Some(Compression::Zstd)).await;
        assert_eq!(zstd::decode_all(zstd.as_slice()).unwrap(), b"one\ntwo\n");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "what is not published vanishes");
    }

    #[tokio::test]
    async fn a_writer_that_breaks_ends_its_dump_and_not_the_daemon() {
        let (pieces, _received) = channel(WAITING);
        let thread = tokio::task::spawn_blocking(|| -> Result<Made> { panic!("a bug in the packing") });
        let broke = Sink { pieces, thread }.finish().await.unwrap_err();
        assert_eq!(broke.consequence(), crate::error::Consequence::Retry, "{broke}");
    }

    #[tokio::test]
    async fn a_stream_given_up_leaves_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let sink = Sink::create(directory.path(), Some(Compression::Gzip)).unwrap();
        sink.text("one\n").await;
        let Sink { pieces, thread } = sink;
        drop(pieces);
        assert!(matches!(thread.await.unwrap(), Err(Error::Cancelled)));
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
