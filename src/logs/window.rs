//! The part of an archive that is in memory: some megabytes, or one row if that is longer.

use std::io::{self, Read};

/// How much of an archive is looked at together. Most archives are smaller: they are read once and no more.
pub(super) const WINDOW: usize = 8 << 20;

/// Passes over a source, from its front to its end.
pub(super) struct Window<R> {
    source: R,
    buffer: Vec<u8>,
    /// Its bytes, as long as no statement is longer: [`WINDOW`] but in tests.
    size: usize,
    /// Whether the buffer ends where the source does.
    ended: bool,
}

impl<R: Read> Window<R> {
    /// Reuses the memory of `buffer`.
    pub(super) fn new(source: R, mut buffer: Vec<u8>, size: usize) -> Self {
        buffer.clear();
        Self { source, buffer, size, ended: false }
    }

    /// What is in memory now.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer
    }

    /// Whether nothing follows it.
    pub(super) fn ended(&self) -> bool {
        self.ended
    }

    /// Forgets the first `done` bytes and reads on. Where nothing was done the window gets larger: the statement at its
    /// front does not fit.
    pub(super) fn advance(&mut self, done: usize) -> io::Result<()> {
        self.buffer.drain(..done.min(self.buffer.len()));
        if self.buffer.len() <= self.size && self.buffer.capacity() > 2 * self.size {
            // One long row has blown it up.
            self.buffer.shrink_to(self.size);
        }
        let wanted = self.size.max(2 * self.buffer.len()) - self.buffer.len();
        self.buffer.reserve_exact(wanted);
        let limit = u64::try_from(wanted).unwrap_or(u64::MAX);
        let read = self.source.by_ref().take(limit).read_to_end(&mut self.buffer)?;
        self.ended = read < wanted;
        Ok(())
    }

    /// Gives the memory back.
    pub(super) fn into_buffer(self) -> Vec<u8> {
        self.buffer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_grows_only_where_nothing_is_done() {
        let text: Vec<u8> = (0..4 * WINDOW).map(|at| at.to_le_bytes()[0]).collect();
        let mut window = Window::new(&text[..], Vec::new(), WINDOW);
        let mut done = 0;
        for (pass, from, to) in [
            (0, 0, WINDOW),
            (0, 0, 2 * WINDOW),
            (2 * WINDOW - 3, 2 * WINDOW - 3, 3 * WINDOW - 3),
            (WINDOW, 3 * WINDOW - 3, 4 * WINDOW - 3),
            (WINDOW - 5, 4 * WINDOW - 8, 4 * WINDOW),
        ] {
            window.advance(pass).unwrap();
            done += pass;
            assert_eq!((done, window.bytes().len()), (from, to - from));
            assert!(window.bytes() == &text[from..to]);
            assert_eq!(window.ended(), to == 4 * WINDOW);
        }
    }
}
