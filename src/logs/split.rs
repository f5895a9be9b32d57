//! Splitting an archive, in two readings: [`survey`] checks it and notes what occurs, [`plan`] finds the distinct
//! outputs, [`write()`] fills them with the archive's own bytes.

use std::collections::HashMap;
use std::io::{BufRead, BufWriter, Write};

use super::fault::{ArchiveFault, SplitError};
use super::route::Routes;
use super::site_log;
use super::statement::{Depth, Expected, Reader, Statement};
use crate::model::{Dialect, Sequence, Series};

/// Bytes that an output gathers before it writes; smaller pieces are slower, larger ones too.
const BUFFER: usize = 64 << 10;

/// Bytes that all outputs of an archive gather together at the most.
const BUFFERS: usize = 16 << 20;

/// What a whole and faultless archive holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey {
    /// The tables that occur, as rows spell them, and the line where each does first.
    pub series: HashMap<Vec<u8>, u64>,
    /// The sequences that occur, as slon pastes them, and the line where each does first.
    pub sequences: HashMap<Vec<u8>, u64>,
    /// Bytes of the archive.
    pub bytes: u64,
}

/// One distinct content: written once, the same for all its destinations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// How it is written.
    pub dialect: Dialect,
    /// Who gets it: indices into the destinations that the routes were made of, ascending. Never empty.
    pub destinations: Vec<usize>,
}

/// What is to be written from an archive.
#[derive(Debug)]
pub struct Plan {
    /// The outputs, in the order of their first destinations. Every destination is in exactly one.
    pub outputs: Vec<Output>,
    series: HashMap<Vec<u8>, Share<Series>>,
    sequences: HashMap<Vec<u8>, Share<Sequence>>,
    bytes: u64,
}

/// A name and the outputs that get it.
#[derive(Debug)]
struct Share<N> {
    name: N,
    outputs: Vec<usize>,
}

/// Reads an archive to its end and checks every byte of it.
pub fn survey<R: BufRead>(archive: R, expected: &Expected<'_>) -> Result<Survey, SplitError> {
    let mut reader = Reader::open(archive, expected, Depth::Whole)?;
    let mut series = HashMap::new();
    let mut sequences = HashMap::new();
    let mut last: Vec<u8> = Vec::new();
    while let Some(statement) = reader.next()? {
        let (names, key) = match statement {
            Statement::LogRow { series: key, .. } if last == key => continue,
            Statement::LogRow { series: key, .. } => {
                last.clear();
                last.extend_from_slice(key);
                (&mut series, key)
            }
            Statement::Delete { series: key, .. } => (&mut series, key),
            Statement::Sequence { names: key, .. } => (&mut sequences, key),
            _ => continue,
        };
        if !names.contains_key(key) {
            let key = key.to_vec();
            names.insert(key, reader.line());
        }
    }
    Ok(Survey { series, sequences, bytes: reader.bytes() })
}

/// The distinct outputs of an archive: destinations share one if they have the same dialect and, of what occurs,
/// the same series and sequences. A fault if a sequence line could mean two sequences.
pub fn plan(survey: &Survey, routes: &Routes) -> Result<Plan, ArchiveFault> {
    let series = survey.series.keys().filter_map(|key| routes.series.get(key).map(|route| (key, route)));
    let series: Vec<_> = series.collect();
    let mut sequences = Vec::new();
    for (key, line) in &survey.sequences {
        match routes.sequences.get(key).map(Vec::as_slice) {
            None | Some([]) => {}
            Some([route]) => sequences.push((key, route)),
            Some([one, two, ..]) => {
                let what = format!("the line may mean two sequences, {} and {}", one.name, two.name);
                return Err(ArchiveFault { line: *line, what });
            }
        }
    }
    // What each list has of what occurs.
    let mut has = vec![Vec::new(); routes.lists];
    let lists = series.iter().map(|(_, route)| &route.lists);
    for (occurrence, lists) in lists.chain(sequences.iter().map(|(_, route)| &route.lists)).enumerate() {
        for list in lists {
            if let Some(has) = has.get_mut(*list) {
                has.push(occurrence);
            }
        }
    }
    let mut outputs: Vec<Output> = Vec::new();
    let mut by_content = HashMap::new();
    let mut by_list = HashMap::new();
    for (destination, (dialect, list)) in routes.destinations.iter().enumerate() {
        let output = *by_list.entry((*list, *dialect)).or_insert_with(|| {
            let content = has.get(*list).map_or(&[][..], Vec::as_slice);
            *by_content.entry((*dialect, content)).or_insert_with(|| {
                outputs.push(Output { dialect: *dialect, destinations: Vec::new() });
                outputs.len() - 1
            })
        });
        if let Some(output) = outputs.get_mut(output) {
            output.destinations.push(destination);
        }
    }
    let outputs_of = |lists: &[usize]| {
        let both = lists.iter().flat_map(|list| [(*list, Dialect::Psql), (*list, Dialect::Slony)]);
        let mut found: Vec<usize> = both.filter_map(|key| by_list.get(&key).copied()).collect();
        found.sort_unstable();
        found.dedup();
        found
    };
    Ok(Plan {
        series: series
            .iter()
            .map(|(key, route)| {
                let share = Share { name: route.name.clone(), outputs: outputs_of(&route.lists) };
                ((*key).clone(), share)
            })
            .collect(),
        sequences: sequences
            .iter()
            .map(|(key, route)| {
                let share = Share { name: route.name.clone(), outputs: outputs_of(&route.lists) };
                ((*key).clone(), share)
            })
            .collect(),
        outputs,
        bytes: survey.bytes,
    })
}

/// Reads the archive of a survey once more and writes all outputs of its plan, `writers` in the order of
/// [`Plan::outputs`]. They are flushed; they need no buffers of their own. After an error throw all of them away.
///
/// # Panics
///
/// If there are not as many writers as outputs.
pub fn write<R: BufRead, W: Write>(
    archive: R,
    expected: &Expected<'_>,
    plan: &Plan,
    writers: &mut [W],
) -> Result<(), SplitError> {
    assert_eq!(writers.len(), plan.outputs.len(), "one writer for each output");
    let mut reader = Reader::open(archive, expected, Depth::Series)?;
    let mut sinks = Sinks::new(plan, writers);
    let cluster = expected.cluster;
    sinks.everywhere(|sink| site_log::begin(&mut sink.out, sink.dialect, cluster, reader.header()))?;
    while let Some(statement) = reader.next()? {
        sinks.take(cluster, &statement)?;
    }
    sinks.empty_lines(1)?;
    if reader.bytes() != plan.bytes {
        let what =
            format!("the archive had {} bytes when it was checked, now {}", plan.bytes, reader.bytes());
        return Err(ArchiveFault { line: reader.line(), what }.into());
    }
    sinks.everywhere(|sink| {
        site_log::end(&mut sink.out, cluster)?;
        sink.out.flush()
    })
}

/// All outputs of an archive, and who gets the statement at hand.
struct Sinks<'p, 'w, W: Write> {
    plan: &'p Plan,
    outputs: Vec<Sink<'w, W>>,
    all: Vec<usize>,
    /// The table of the last row, and its outputs: tables come in runs.
    last: Vec<u8>,
    last_outputs: &'p [usize],
    /// The `COPY` line at hand; an output gets it with its first row.
    copy: Vec<u8>,
    /// The outputs that got the last statement, and the empty lines that came after it: the very last one belongs to
    /// the trailer.
    current: Vec<usize>,
    blanks: usize,
}

struct Sink<'w, W: Write> {
    dialect: Dialect,
    out: BufWriter<&'w mut W>,
    /// Whether the output is within a `COPY`.
    copying: bool,
}

impl<'p, 'w, W: Write> Sinks<'p, 'w, W> {
    fn new(plan: &'p Plan, writers: &'w mut [W]) -> Self {
        let capacity = (BUFFERS / writers.len().max(1)).clamp(4 << 10, BUFFER);
        let sink = |(output, writer): (&Output, &'w mut W)| Sink {
            dialect: output.dialect,
            out: BufWriter::with_capacity(capacity, writer),
            copying: false,
        };
        let sinks: Vec<_> = plan.outputs.iter().zip(writers).map(sink).collect();
        let all: Vec<usize> = (0..sinks.len()).collect();
        let current = all.clone();
        Self {
            plan,
            outputs: sinks,
            all,
            last: Vec::new(),
            last_outputs: &[],
            copy: Vec::new(),
            current,
            blanks: 0,
        }
    }

    fn take(&mut self, cluster: &str, statement: &Statement<'_>) -> Result<(), SplitError> {
        if *statement == Statement::Blank {
            self.blanks += 1;
            return Ok(());
        }
        self.empty_lines(0)?;
        match *statement {
            Statement::LogRow { raw, series } => return self.row(raw, series),
            Statement::LogCopy(raw) => {
                self.copy.clear();
                self.copy.extend_from_slice(raw);
            }
            Statement::EndOfCopy => return self.end_of_copy(),
            Statement::TableRow(raw) => {
                for (output, sink) in self.outputs.iter_mut().enumerate().filter(|(_, sink)| sink.copying) {
                    sink.out.write_all(raw).map_err(|source| SplitError::Write { output, source })?;
                }
            }
            Statement::Event(raw) => {
                self.current.clone_from(&self.all);
                self.everywhere(|sink| sink.out.write_all(raw))?;
            }
            Statement::Delete { raw, series } => {
                self.block(series, |sink, name| {
                    sink.out.write_all(&site_log::delete(sink.dialect, raw, name))
                })?;
            }
            Statement::TableCopy { raw, series } => self.block(series, |sink, name| {
                sink.copying = true;
                sink.out.write_all(&site_log::table_copy(sink.dialect, raw, name))
            })?,
            Statement::Finish { raw, series } => self.block(series, |sink, _| sink.out.write_all(raw))?,
            Statement::Sequence { raw, names, value, kind } => {
                self.current.clear();
                if let Some(share) = self.plan.sequences.get(names) {
                    self.current.clone_from(&share.outputs);
                    self.each(&share.outputs, |sink| {
                        let line = (raw, value, kind);
                        sink.out.write_all(&site_log::sequence(sink.dialect, cluster, line, &share.name))
                    })?;
                }
            }
            Statement::Blank => {}
        }
        Ok(())
    }

    /// Empty lines go with the statement before them, but for the last so many.
    fn empty_lines(&mut self, kept: usize) -> Result<(), SplitError> {
        let blanks = std::mem::take(&mut self.blanks).saturating_sub(kept);
        if blanks == 0 {
            return Ok(());
        }
        let current = std::mem::take(&mut self.current);
        self.each(&current, |sink| sink.out.write_all(&vec![b'\n'; blanks]))
    }

    /// The raw bytes of a row, to all that have its table.
    fn row(&mut self, raw: &[u8], series: &[u8]) -> Result<(), SplitError> {
        if self.last != series {
            self.last.clear();
            self.last.extend_from_slice(series);
            self.last_outputs = self.plan.series.get(series).map_or(&[], |share| &share.outputs);
        }
        for output in self.last_outputs {
            let Some(sink) = self.outputs.get_mut(*output) else { continue };
            let written = if sink.copying { Ok(()) } else { sink.out.write_all(&self.copy) };
            sink.copying = true;
            written
                .and_then(|()| sink.out.write_all(raw))
                .map_err(|source| SplitError::Write { output: *output, source })?;
        }
        Ok(())
    }

    fn end_of_copy(&mut self) -> Result<(), SplitError> {
        self.current.clear();
        for (output, sink) in self.outputs.iter_mut().enumerate() {
            if std::mem::take(&mut sink.copying) {
                self.current.push(output);
                sink.out.write_all(b"\\.\n").map_err(|source| SplitError::Write { output, source })?;
            }
        }
        Ok(())
    }

    /// A statement of the copy of a table.
    fn block(
        &mut self,
        series: &[u8],
        act: impl Fn(&mut Sink<'w, W>, &Series) -> std::io::Result<()>,
    ) -> Result<(), SplitError> {
        self.current.clear();
        let Some(share) = self.plan.series.get(series) else { return Ok(()) };
        self.current.clone_from(&share.outputs);
        self.each(&share.outputs, |sink| act(sink, &share.name))
    }

    fn everywhere(
        &mut self,
        act: impl Fn(&mut Sink<'w, W>) -> std::io::Result<()>,
    ) -> Result<(), SplitError> {
        let all = std::mem::take(&mut self.all);
        let done = self.each(&all, act);
        self.all = all;
        done
    }

    fn each(
        &mut self,
        outputs: &[usize],
        act: impl Fn(&mut Sink<'w, W>) -> std::io::Result<()>,
    ) -> Result<(), SplitError> {
        for output in outputs {
            let Some(sink) = self.outputs.get_mut(*output) else { continue };
            act(sink).map_err(|source| SplitError::Write { output: *output, source })?;
        }
        Ok(())
    }
}
