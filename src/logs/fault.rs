//! What can be wrong with splitting an archive.

use std::io;

pub use crate::spelling::fault::ArchiveFault;

/// Why an archive was not split.
#[derive(Debug, thiserror::Error)]
pub enum SplitError {
    /// The archive is not what slon writes. Trying again does not help.
    #[error(transparent)]
    Archive(#[from] ArchiveFault),
    /// Slony-I before 2.2 calls sequences by number, and these are not known.
    #[error("line {line}: {}", unknown_numbers(numbers))]
    Numbers {
        /// The line of the first.
        line: u64,
        /// The numbers.
        numbers: Vec<u32>,
    },
    /// The archive could not be read.
    #[error("read the archive")]
    Read(#[source] io::Error),
    /// A site log could not be written; all outputs of this attempt are to be thrown away.
    #[error("write output {output}")]
    Write {
        /// Index into [`super::Plan::outputs`].
        output: usize,
        /// What the writer said.
        #[source]
        source: io::Error,
    },
}

fn unknown_numbers(numbers: &[u32]) -> String {
    let list: Vec<String> = numbers.iter().take(20).map(u32::to_string).collect();
    let (what, verb) = if numbers.len() == 1 { ("sequence", "is") } else { ("sequences", "are") };
    format!(
        "{what} {} {verb} not known by number; hint: `sl_sequence` of the log-shipping node says them, the daemon asks it",
        list.join(", ")
    )
}
