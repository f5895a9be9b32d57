//! The second reading of an archive: its pieces go to the outputs of a plan, as they lie in memory.

use std::io::{Read, Write};

use xxhash_rust::xxh3::Xxh3;

use super::fault::{ArchiveFault, SplitError};
use super::gather::{Gather, Piece};
use super::plan::{Plan, Share};
use super::reader::{Depth, Reader};
use super::statement::{Found, Key, Statement};
use super::survey::{Survey, windows};
use super::{master, site_log};
use crate::model::Dialect;
use crate::spelling::header::Expected;
use crate::spelling::legacy;

/// Writes all outputs of a plan, `writers` in the order of [`Plan::outputs`]. They need no buffers of their own. `again`
/// opens the archive once more, if it was too large to be kept. After an error throw all outputs away.
///
/// # Panics
///
/// If there are not as many writers as outputs.
pub fn write<R: Read, W: Write>(
    survey: &mut Survey,
    again: impl FnOnce() -> std::io::Result<R>,
    expected: &Expected<'_>,
    plan: &Plan,
    writers: &mut [W],
) -> Result<(), SplitError> {
    assert_eq!(writers.len(), plan.outputs.len(), "one writer for each output");
    let mut outputs = Outputs::new(expected.cluster, plan, writers);
    outputs.begin(survey);
    if let Some(found) = survey.whole.take() {
        outputs.take(survey.in_memory(), &found)?;
    } else {
        // The same keys are found again, in the same order.
        let mut reader = Reader::new(expected, Depth::Subjects, std::mem::take(&mut survey.keys));
        let mut digest = Xxh3::new();
        let archive = again().map_err(SplitError::Read)?;
        let (buffer, _) = std::mem::take(&mut survey.buffer);
        survey.buffer = windows(archive, buffer, survey.window, &mut reader, |part, found| {
            digest.update(part.done);
            outputs.take(part.bytes, found)
        })?;
        let bytes = reader.bytes();
        if (bytes, digest.digest128()) != (survey.bytes, survey.digest) {
            let what =
                format!("the archive had {} bytes when it was checked, now {bytes}, or others", survey.bytes);
            return Err(ArchiveFault { line: 1, what }.into());
        }
        (_, _, survey.keys) = reader.finish();
    }
    outputs.end()
}

/// All outputs of an archive, and who got the statement at hand.
struct Outputs<'p, 'w, W> {
    cluster: &'p str,
    plan: &'p Plan,
    sinks: Vec<Sink<'w, W>>,
    /// Text that does not lie in the window, for as long as that is there. It begins with [`ENDS`].
    made: Vec<u8>,
    /// The `COPY` line at hand; an output gets it with its first row.
    copy: Vec<u8>,
    /// Who got the last statement, and the empty lines that came after it: the very last one belongs to the trailer.
    current: Current,
    blanks: usize,
}

struct Sink<'w, W> {
    dialect: Dialect,
    gather: Gather<&'w mut W>,
    /// Whether the output is within a `COPY`.
    copying: bool,
}

/// The outputs that got a statement.
enum Current {
    All,
    Of(Key),
    These(Vec<usize>),
}

/// What ends a statement of a script that lacks its semicolon, and any other.
const ENDS: &[u8] = b";\n";
const LINE_FEED: Piece = Piece::Made(1, 2);
const SEMICOLON: Piece = Piece::Made(0, 2);

impl<'p, 'w, W: Write> Outputs<'p, 'w, W> {
    fn new(cluster: &'p str, plan: &'p Plan, writers: &'w mut [W]) -> Self {
        let sink = |(output, writer): (&super::Output, &'w mut W)| Sink {
            dialect: output.dialect,
            gather: Gather::new(writer),
            copying: false,
        };
        let sinks = plan.outputs.iter().zip(writers).map(sink).collect();
        let (made, copy) = (ENDS.to_vec(), Vec::new());
        Self { cluster, plan, sinks, made, copy, current: Current::All, blanks: 0 }
    }

    fn begin(&mut self, survey: &Survey) {
        for dialect in [Dialect::Psql, Dialect::Slony] {
            let start = self.made.len();
            site_log::begin(&mut self.made, dialect, self.cluster, &survey.header, survey.format);
            let piece = Piece::Made(start, self.made.len());
            for sink in self.sinks.iter_mut().filter(|sink| sink.dialect == dialect) {
                // Written with what follows, or with the end of the window at the latest.
                sink.gather.add(piece);
            }
        }
    }

    /// Takes the statements of a window; what they put into the outputs is written when it returns.
    fn take(&mut self, window: &[u8], found: &[Found]) -> Result<(), SplitError> {
        for found in found {
            if found.statement == Statement::Blank {
                self.blanks += 1;
                continue;
            }
            self.empty_lines(window, 0)?;
            self.statement(window, *found)?;
        }
        self.flush(window)
    }

    fn statement(&mut self, window: &[u8], found: Found) -> Result<(), SplitError> {
        let raw = window.get(found.start..found.end).unwrap_or_default();
        let piece = Piece::Window(found.start, found.end);
        match found.statement {
            Statement::Blank => {}
            Statement::LogRow(key) | Statement::LogScript(key) | Statement::LogScriptEnd(key) => {
                self.rows(window, key, raw, piece)?;
            }
            Statement::LogCopy => {
                self.copy.clear();
                self.copy.extend_from_slice(raw);
            }
            Statement::EndOfCopy => self.end_of_copy(window, piece)?,
            Statement::TableRow => {
                for output in 0..self.sinks.len() {
                    if self.sinks.get(output).is_some_and(|sink| sink.copying) {
                        self.put(window, output, piece)?;
                    }
                }
            }
            Statement::Event => {
                self.current = Current::All;
                for output in 0..self.sinks.len() {
                    self.put(window, output, piece)?;
                }
            }
            Statement::SequenceTable => {
                self.in_dialects(window, None, [None, Some(piece)])?;
            }
            Statement::SessionRole(key) => self.in_dialects(window, Some(key), [None, Some(piece)])?,
            Statement::Finish(key) => self.in_dialects(window, Some(key), [Some(piece); 2])?,
            Statement::TableCopy(key) => {
                self.in_dialects(window, Some(key), [Some(piece); 2])?;
                for output in share(self.plan, key).map_or(&[][..], |share| &share.outputs) {
                    if let Some(sink) = self.sinks.get_mut(*output) {
                        sink.copying = true;
                    }
                }
            }
            Statement::Delete(key) => {
                let psql = self.make(|made, _| site_log::delete_only(made, raw));
                self.in_dialects(window, Some(key), [Some(psql), Some(piece)])?;
            }
            Statement::Sequence(key) | Statement::SequenceCopy(key) | Statement::SequenceNumber(key) => {
                let Some(sequence) = share(self.plan, key).and_then(|share| share.sequence.as_ref()) else {
                    self.current = Current::Of(key);
                    return Ok(());
                };
                let pieces = [Dialect::Psql, Dialect::Slony].map(|dialect| {
                    let line = site_log::sequence(dialect, self.cluster, raw, sequence);
                    Some(line.map_or(piece, |line| self.make(|made, _| made.extend_from_slice(&line))))
                });
                self.in_dialects(window, Some(key), pieces)?;
            }
            Statement::Change(key) => self.change(window, key, raw, piece)?,
            Statement::Truncate(key) => {
                let psql = self.make(|made, cluster| site_log::truncate(made, cluster, raw));
                self.in_dialects(window, Some(key), [Some(psql), Some(piece)])?;
            }
            Statement::Script(key) => {
                let text = raw.strip_suffix(b"\n").unwrap_or(raw);
                let psql = self.make(|made, cluster| site_log::script(made, cluster, text));
                self.in_dialects(window, Some(key), [Some(psql), Some(piece)])?;
            }
        }
        Ok(())
    }

    /// Appends text to what was made.
    fn make(&mut self, text: impl FnOnce(&mut Vec<u8>, &str)) -> Piece {
        let start = self.made.len();
        text(&mut self.made, self.cluster);
        Piece::Made(start, self.made.len())
    }

    /// Gives a piece to an output.
    fn put(&mut self, window: &[u8], output: usize, piece: Piece) -> Result<(), SplitError> {
        let Some(sink) = self.sinks.get_mut(output) else { return Ok(()) };
        if sink.gather.add(piece) {
            sink.gather.write(window, &self.made).map_err(|source| SplitError::Write { output, source })?;
        }
        Ok(())
    }

    /// Gives a statement to those who have its subject (`None`: to all), as it reads in the dialect of each: for psql, for
    /// slony.
    fn in_dialects(
        &mut self,
        window: &[u8],
        key: Option<Key>,
        [psql, slony]: [Option<Piece>; 2],
    ) -> Result<(), SplitError> {
        let plan = self.plan;
        let all: Vec<usize>;
        let outputs = if let Some(key) = key {
            share(plan, key).map_or(&[][..], |share| &share.outputs)
        } else {
            all = (0..self.sinks.len()).collect();
            &all
        };
        let mut got = Vec::with_capacity(outputs.len());
        for output in outputs {
            let dialect = self.sinks.get(*output).map(|sink| sink.dialect);
            if let Some(piece) = if dialect == Some(Dialect::Psql) { psql } else { slony } {
                self.put(window, *output, piece)?;
                self.end_line(window, *output, piece)?;
                got.push(*output);
            }
        }
        self.current = Current::These(got);
        Ok(())
    }

    /// Ends a statement that stood before another in its line, or at the end of a script.
    fn end_line(&mut self, window: &[u8], output: usize, piece: Piece) -> Result<(), SplitError> {
        let Piece::Window(start, end) = piece else { return Ok(()) };
        match window.get(start..end) {
            Some([.., b'\n']) | None => Ok(()),
            Some([.., b';']) => self.put(window, output, LINE_FEED),
            Some(_) => self.put(window, output, SEMICOLON),
        }
    }

    /// The raw bytes of rows of one subject, to all that have it.
    fn rows(&mut self, window: &[u8], key: Key, raw: &[u8], piece: Piece) -> Result<(), SplitError> {
        let Some(share) = share(self.plan, key).filter(|share| !share.is_empty()) else { return Ok(()) };
        for output in &share.outputs {
            self.begin_copy(window, *output)?;
            self.put(window, *output, piece)?;
        }
        if share.own.is_empty() {
            return Ok(());
        }
        let own = self.make(|made, _| {
            for row in raw.split_inclusive(|byte| *byte == b'\n') {
                match master::without_site_settings(row.strip_suffix(b"\n").unwrap_or(row)) {
                    Some(row) => made.extend_from_slice(&row),
                    None => made.extend_from_slice(row),
                }
            }
        });
        for output in &share.own {
            self.begin_copy(window, *output)?;
            self.put(window, *output, own)?;
        }
        Ok(())
    }

    fn begin_copy(&mut self, window: &[u8], output: usize) -> Result<(), SplitError> {
        match self.sinks.get_mut(output) {
            Some(sink) if !sink.copying => sink.copying = true,
            _ => return Ok(()),
        }
        let start = self.made.len();
        self.made.extend_from_slice(&self.copy);
        self.put(window, output, Piece::Made(start, self.made.len()))
    }

    fn end_of_copy(&mut self, window: &[u8], piece: Piece) -> Result<(), SplitError> {
        let mut got = Vec::new();
        for output in 0..self.sinks.len() {
            let copying = self.sinks.get_mut(output).is_some_and(|sink| std::mem::take(&mut sink.copying));
            if copying {
                got.push(output);
                self.put(window, output, piece)?;
            }
        }
        self.current = Current::These(got);
        Ok(())
    }

    /// A statement that changes rows.
    fn change(&mut self, window: &[u8], key: Key, raw: &[u8], piece: Piece) -> Result<(), SplitError> {
        self.current = Current::Of(key);
        let Some(share) = share(self.plan, key) else { return Ok(()) };
        for output in &share.outputs {
            self.put(window, *output, piece)?;
            self.end_line(window, *output, piece)?;
        }
        if share.own.is_empty() {
            return Ok(());
        }
        let own = self.make(|made, _| {
            made.extend_from_slice(&legacy::without_site_settings(raw.strip_suffix(b"\n").unwrap_or(raw)));
            made.push(b'\n');
        });
        share.own.iter().try_for_each(|output| self.put(window, *output, own))
    }

    /// Empty lines go with the statement before them, but for the last so many.
    fn empty_lines(&mut self, window: &[u8], kept: usize) -> Result<(), SplitError> {
        let blanks = std::mem::take(&mut self.blanks).saturating_sub(kept);
        if blanks == 0 {
            return Ok(());
        }
        let outputs: Vec<usize> = match &self.current {
            Current::All => (0..self.sinks.len()).collect(),
            Current::These(outputs) => outputs.clone(),
            Current::Of(key) => {
                let share = share(self.plan, *key);
                share.into_iter().flat_map(|share| share.outputs.iter().chain(&share.own)).copied().collect()
            }
        };
        for output in outputs {
            for _ in 0..blanks {
                self.put(window, output, LINE_FEED)?;
            }
        }
        Ok(())
    }

    /// Writes what was gathered: the window goes on.
    fn flush(&mut self, window: &[u8]) -> Result<(), SplitError> {
        for (output, sink) in self.sinks.iter_mut().enumerate() {
            sink.gather.write(window, &self.made).map_err(|source| SplitError::Write { output, source })?;
        }
        self.made.truncate(ENDS.len());
        Ok(())
    }

    fn end(&mut self) -> Result<(), SplitError> {
        self.empty_lines(&[], 1)?;
        let end = self.make(site_log::end);
        for output in 0..self.sinks.len() {
            self.put(&[], output, end)?;
        }
        self.flush(&[])
    }
}

fn share(plan: &Plan, key: Key) -> Option<&Share> {
    plan.shares.get(key.0 as usize)
}
