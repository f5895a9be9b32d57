//! The first reading of an archive: checks every byte and notes what occurs.

use std::io::Read;

use xxhash_rust::xxh3::Xxh3;

use super::fault::SplitError;
use super::keys::Keys;
use super::reader::{Depth, Format, Reader};
use super::statement::Found;
use super::window::{WINDOW, Window};
use crate::spelling::header::{Expected, Header};

/// What a whole and faultless archive holds.
#[derive(Debug)]
pub struct Survey {
    /// What its header says.
    pub header: Header,
    /// How changes are written; `None`: there are none.
    pub format: Option<Format>,
    /// What occurs.
    pub keys: Keys,
    /// Bytes of the archive.
    pub bytes: u64,
    /// Their digest (XXH3, 128 bits): tells whether an archive was replaced, and is no proof against an attacker.
    pub digest: u128,
    /// The archive and its statements, if all of it was in memory at once: then it need not be read again.
    pub(super) whole: Option<Vec<Found>>,
    /// Memory, of which the first so many bytes are the archive then.
    pub(super) buffer: (Vec<u8>, usize),
    /// The size of the window.
    pub(super) window: usize,
}

impl Survey {
    /// Reads an archive to its end. `buffer` is memory to be used again, see [`Survey::into_buffer`].
    pub fn of<R: Read>(archive: R, expected: &Expected<'_>, buffer: Vec<u8>) -> Result<Self, SplitError> {
        Self::through(archive, expected, buffer, WINDOW)
    }

    /// The same through a window of another size, for tests: nothing may depend on it.
    #[doc(hidden)]
    pub fn through<R: Read>(
        archive: R,
        expected: &Expected<'_>,
        buffer: Vec<u8>,
        window: usize,
    ) -> Result<Self, SplitError> {
        let mut reader = Reader::new(expected, Depth::Whole, Keys::default());
        let mut digest = Xxh3::new();
        let mut whole = None;
        let mut first = true;
        let buffer = windows(archive, buffer, window, &mut reader, |part, found| {
            digest.update(part.done);
            whole = (first && part.last).then(|| std::mem::take(found));
            first = false;
            Ok(())
        })?;
        let bytes = reader.bytes();
        match reader.finish() {
            (Some(header), format, keys) => {
                Ok(Self { header, format, keys, bytes, digest: digest.digest128(), whole, buffer, window })
            }
            (None, ..) => Err(SplitError::Read(std::io::ErrorKind::UnexpectedEof.into())),
        }
    }

    /// Gives the memory back.
    pub fn into_buffer(self) -> Vec<u8> {
        self.buffer.0
    }

    /// The window that is still in memory.
    pub(super) fn in_memory(&self) -> &[u8] {
        self.buffer.0.get(..self.buffer.1).unwrap_or_default()
    }
}

/// The digest of a whole file, as in [`Survey::digest`].
pub(super) fn digest<R: Read>(mut file: R) -> std::io::Result<u128> {
    let mut digest = Xxh3::new();
    let mut piece = vec![0; 256 << 10];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(digest.digest128()),
            read => digest.update(piece.get(..read).unwrap_or_default()),
        }
    }
}

/// A part of an archive whose statements were found.
pub(super) struct Part<'w> {
    /// The window.
    pub(super) bytes: &'w [u8],
    /// What of it was read.
    pub(super) done: &'w [u8],
    /// Whether the archive ends with it.
    pub(super) last: bool,
}

/// Reads an archive window by window, and hands each with its statements to `act`.
pub(super) fn windows<R: Read>(
    archive: R,
    buffer: Vec<u8>,
    size: usize,
    reader: &mut Reader,
    mut act: impl FnMut(&Part<'_>, &mut Vec<Found>) -> Result<(), SplitError>,
) -> Result<(Vec<u8>, usize), SplitError> {
    let mut window = Window::new(archive, buffer, size);
    let mut found = Vec::new();
    let mut done = 0;
    loop {
        window.advance(done).map_err(SplitError::Read)?;
        found.clear();
        done = reader.read(window.bytes(), window.ended(), &mut found)?;
        reader.pass(window.bytes(), done);
        let bytes = window.bytes();
        let last = reader.ended();
        act(&Part { bytes, done: bytes.get(..done).unwrap_or_default(), last }, &mut found)?;
        if last {
            return Ok(window.into_buffer());
        }
    }
}
