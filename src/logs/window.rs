//! The part of an archive that is in memory: some megabytes, or one row if that is longer.

use std::io::{self, Read};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How much of an archive is looked at together. Most archives are smaller: they are read once and no more.
pub(super) const WINDOW: usize = 8 << 20;

/// A row may have hundreds of megabytes: only one window at a time is larger than usual, however many threads split.
static LARGE: Mutex<()> = Mutex::new(());

/// Passes over a source, from its front to its end.
pub(super) struct Window<R> {
    source: R,
    /// Its bytes, as long as no statement is longer: [`WINDOW`] but in tests.
    size: usize,
    /// Memory, of which the first `filled` bytes are the window. The rest is left as it is, so that it need not be cleared
    /// for every archive.
    buffer: Vec<u8>,
    filled: usize,
    /// Whether the window ends where the source does.
    ended: bool,
    large: Option<MutexGuard<'static, ()>>,
}

impl<R: Read> Window<R> {
    /// Reuses the memory of `buffer`.
    pub(super) fn new(source: R, buffer: Vec<u8>, size: usize) -> Self {
        Self { source, size, buffer, filled: 0, ended: false, large: None }
    }

    /// What is in memory now.
    pub(super) fn bytes(&self) -> &[u8] {
        self.buffer.get(..self.filled).unwrap_or_default()
    }

    /// Whether nothing follows it.
    pub(super) fn ended(&self) -> bool {
        self.ended
    }

    /// Forgets the first `done` bytes and reads on. Where nothing was done the window gets larger: the statement at its
    /// front does not fit.
    pub(super) fn advance(&mut self, done: usize) -> io::Result<()> {
        let done = done.min(self.filled);
        self.buffer.copy_within(done..self.filled, 0);
        self.filled -= done;
        if self.buffer.is_empty() {
            // Fresh from the system, which clears only what is touched: most archives are small.
            self.buffer = vec![0; self.size];
        } else if self.filled < self.size {
            // A row that has blown it up is done.
            self.buffer.truncate(self.size);
            self.buffer.shrink_to(self.size);
            self.buffer.resize(self.size, 0);
            self.large = None;
        } else {
            if self.large.is_none() {
                self.large = Some(LARGE.lock().unwrap_or_else(PoisonError::into_inner));
            }
            // What is begun anew is read from its front: in steps that keep both that and the memory small.
            let more = self.size.max(self.filled / 4);
            self.buffer.reserve_exact((self.filled + more).saturating_sub(self.buffer.len()));
            self.buffer.resize(self.filled + more, 0);
        }
        while let Some(free @ [_, ..]) = self.buffer.get_mut(self.filled..) {
            match self.source.read(free) {
                Ok(0) => {
                    self.ended = true;
                    return Ok(());
                }
                Ok(read) => self.filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Gives the memory back, and how much of it is the window.
    pub(super) fn into_buffer(self) -> (Vec<u8>, usize) {
        (self.buffer, self.filled)
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
