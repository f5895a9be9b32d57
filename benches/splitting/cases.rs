//! The cases and their limits.

use std::fmt;

use crate::archives::{Format, Input, Random, SERIES, series};
use crate::baseline::{Kept, Plain};
use crate::measure::Watch;
use crate::tree::Lists;

/// One case.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) input: Input,
    /// The last archive that is split.
    pub(crate) until: u64,
    pub(crate) lists: Lists,
    pub(crate) watch: Watch,
    /// MiB that may be resident.
    pub(crate) memory: f64,
    /// Seconds of user CPU for 300 MB of input.
    pub(crate) user: Option<f64>,
    /// What it is measured beside; the first has the limit.
    pub(crate) beside: Vec<Beside>,
    /// The limit of the ratio to the first.
    pub(crate) ratio: Option<f64>,
}

/// What a case is measured beside.
#[derive(PartialEq)]
pub(crate) enum Beside {
    /// A program that reads the archives.
    Read(&'static [&'static str]),
    /// `cp -r` of the archives.
    Copy(Kept),
    /// Files of the same sizes.
    Files(Plain, Kept),
    /// The splitter itself with other archives or other nodes.
    Split {
        input: Input,
        /// `None`: those of the case.
        lists: Option<Lists>,
        /// Seconds that each further link may take.
        link: f64,
    },
}

impl fmt::Display for Beside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kept = |kept: &Kept| if *kept == Kept::Durable { " + syncfs" } else { "" };
        match self {
            Self::Read(words) => f.write_str(&words.join(" ")),
            Self::Copy(durable) => write!(f, "cp -r{}", kept(durable)),
            Self::Files(Plain::Written, durable) => write!(f, "64 kB writes, 2 threads{}", kept(durable)),
            Self::Files(Plain::Renamed, durable) => {
                write!(f, "create, write, rename, 2 threads{}", kept(durable))
            }
            Self::Files(Plain::Linked, durable) => write!(f, "one file and links{}", kept(durable)),
            Self::Split { lists: Some(lists), link, .. } => {
                write!(f, "split for {} nodes + {:.0} us a link", lists.len(), link * 1e6)
            }
            Self::Split { .. } => f.write_str("split of the 2.2 format"),
        }
    }
}

impl Case {
    fn new(name: &'static str, input: Input, lists: Lists) -> Self {
        Self {
            name,
            input,
            until: input.files,
            lists,
            watch: Watch::Nothing,
            memory: 0.0,
            user: None,
            beside: Vec::new(),
            ratio: None,
        }
    }

    fn beside(self, ratio: f64, beside: Vec<Beside>) -> Self {
        Self { ratio: Some(ratio), beside, ..self }
    }

    pub(crate) fn limit(&self, beside: &Beside) -> Option<f64> {
        self.ratio.filter(|_| self.beside.first() == Some(beside))
    }
}

/// Every case, for that many bytes of archives.
pub(crate) fn all(bytes: u64) -> Vec<Case> {
    let rows = |files, bytes| Input { format: Format::Rows, files, bytes, long_row: 0 };
    let usual = rows(50, bytes / 50);
    let old = Input { format: Format::Statements, ..usual };
    let small = rows((bytes / 150_000).max(1), 140_000);
    let every = vec![(0..SERIES).map(series).collect::<Vec<_>>()];
    // Every sixteenth: neither the most popular alone nor only what nobody writes.
    let twelve = vec![(3..SERIES).step_by(16).take(12).map(series).collect::<Vec<_>>()];
    let writes =
        || vec![Beside::Files(Plain::Written, Kept::Cached), Beside::Files(Plain::Written, Kept::Durable)];
    let new_format = || Beside::Split { input: usual, lists: None, link: 0.0 };
    let twenty = lists(20, SERIES, 20);
    let thousand: Lists = twenty.iter().cycle().take(1000).cloned().collect();
    let memory = |name, input, limit: u64| Case {
        watch: Watch::Memory,
        memory: limit as f64,
        ..Case::new(name, input, lists(10, SERIES, 38))
    };
    vec![
        Case::new("1 node, 12 of 200 series", usual, twelve.clone()).beside(
            5.0,
            vec![Beside::Read(&["cat"]), Beside::Read(&["grep", "-c", ";$"]), Beside::Read(&["wc", "-l"])],
        ),
        Case::new("1 node, all series", usual, every)
            .beside(1.5, vec![Beside::Copy(Kept::Cached), Beside::Copy(Kept::Durable)]),
        Case { user: Some(0.1), ..Case::new("10 nodes, different lists", usual, lists(10, SERIES, 38)) }
            .beside(1.5, writes()),
        Case::new("100 nodes, different lists", usual, lists(100, SERIES, 11)).beside(1.5, writes()),
        Case { until: 10, ..Case::new("1,000 nodes, 20 lists", usual, thousand) }
            .beside(1.3, vec![Beside::Split { input: usual, lists: Some(twenty), link: 40e-6 }]),
        Case::new("small archives, 10 nodes", small, lists(10, SERIES, 38)).beside(
            1.5,
            vec![Beside::Files(Plain::Renamed, Kept::Cached), Beside::Files(Plain::Renamed, Kept::Durable)],
        ),
        Case::new("2.1 format, 1 node, 12 series", old, twelve).beside(2.0, vec![new_format()]),
        Case::new("2.1 format, 10 nodes", old, lists(10, SERIES, 38)).beside(2.0, vec![new_format()]),
        memory("memory, an archive of 1 GB", rows(1, 1 << 30), 64),
        memory("memory, a row of 200 MB", Input { long_row: 200 << 20, ..rows(1, 1 << 20) }, 64 + 200),
        memory(
            "memory, a 2.1 row of 200 MB",
            Input { format: Format::Statements, long_row: 200 << 20, ..rows(1, 1 << 20) },
            64 + 200,
        ),
        Case {
            beside: vec![
                Beside::Files(Plain::Linked, Kept::Cached),
                Beside::Files(Plain::Linked, Kept::Durable),
            ],
            ..Case::new("1,000 nodes, 10,000 series, empty", rows(1, 0), lists(1000, 10_000, 100))
        },
    ]
}

/// Different lists of so many series each.
fn lists(nodes: usize, of: usize, each: usize) -> Lists {
    let mut random = Random::new(nodes as u64);
    (0..nodes)
        .map(|_| {
            let mut ranks: Vec<usize> = (0..of).collect();
            for at in 0..each {
                let other = at + usize::try_from(random.below((of - at) as u64)).expect("a rank");
                ranks.swap(at, other);
            }
            ranks.truncate(each);
            ranks.sort_unstable();
            ranks.into_iter().map(series).collect()
        })
        .collect()
}
