//! An output that is put together from pieces of the window, which are handed to the system where they lie.

use std::io::{self, IoSlice, Write};

/// How much is written at once; smaller pieces are slower, larger ones too.
const PORTION: usize = 64 << 10;

/// How many pieces are handed over at once; the system takes 1,024.
const PIECES: usize = 512;

/// Where a piece of an output lies: from one byte to behind another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece {
    /// In the window.
    Window(usize, usize),
    /// In the text that was made beside it.
    Made(usize, usize),
}

impl Piece {
    fn of<'b>(self, window: &'b [u8], made: &'b [u8]) -> &'b [u8] {
        match self {
            Self::Window(start, end) => window.get(start..end),
            Self::Made(start, end) => made.get(start..end),
        }
        .unwrap_or_default()
    }

    fn length(self) -> usize {
        let (Self::Window(start, end) | Self::Made(start, end)) = self;
        end - start
    }
}

/// Pieces in the order of the output. They are to be written before the window goes on.
#[derive(Debug)]
pub(super) struct Gather<W> {
    out: W,
    pieces: Vec<Piece>,
    bytes: usize,
}

impl<W: Write> Gather<W> {
    pub(super) fn new(out: W) -> Self {
        Self { out, pieces: Vec::new(), bytes: 0 }
    }

    /// Adds a piece. Returns whether it is time to write.
    pub(super) fn add(&mut self, piece: Piece) -> bool {
        self.bytes += piece.length();
        match (self.pieces.last_mut(), piece) {
            (Some(Piece::Window(_, end)), Piece::Window(start, next)) if *end == start => *end = next,
            _ => self.pieces.push(piece),
        }
        self.bytes >= PORTION || self.pieces.len() >= PIECES
    }

    /// Writes all pieces.
    pub(super) fn write(&mut self, window: &[u8], made: &[u8]) -> io::Result<()> {
        let mut slices = Vec::with_capacity(self.pieces.len());
        let mut bytes = 0;
        for piece in self.pieces.drain(..) {
            let mut rest = piece.of(window, made);
            while let Some((portion, more)) = rest.split_at_checked(PORTION - bytes) {
                slices.push(IoSlice::new(portion));
                write_all(&mut self.out, &mut slices)?;
                slices.clear();
                bytes = 0;
                rest = more;
            }
            if !rest.is_empty() {
                slices.push(IoSlice::new(rest));
                bytes += rest.len();
            }
        }
        self.bytes = 0;
        write_all(&mut self.out, &mut slices)
    }
}

/// `Write::write_all_vectored`, which is not stable.
fn write_all(out: &mut impl Write, slices: &mut Vec<IoSlice<'_>>) -> io::Result<()> {
    let mut left = slices.as_mut_slice();
    while !left.is_empty() {
        match out.write_vectored(left) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut left, written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes seven bytes at a time.
    struct Slow(Vec<u8>);

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let taken = bytes.len().min(7);
            self.0.extend_from_slice(&bytes[..taken]);
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn pieces_are_written_in_order() {
        let window: Vec<u8> = (0..3 * PORTION).map(|at| at.to_le_bytes()[0]).collect();
        let mut gather = Gather::new(Slow(Vec::new()));
        assert!(!gather.add(Piece::Window(0, 10)));
        assert!(!gather.add(Piece::Window(10, 20)));
        assert_eq!(gather.pieces, [Piece::Window(0, 20)]);
        assert!(!gather.add(Piece::Made(2, 4)));
        assert!(gather.add(Piece::Window(100, 2 * PORTION)));
        gather.write(&window, b"made").unwrap();
        assert_eq!(gather.out.0, [&window[..20], b"de", &window[100..2 * PORTION]].concat());
        gather.write(&window, b"").unwrap();
        assert_eq!(gather.out.0.len(), 2 * PORTION - 78);
    }
}
