//! `make bench`: splitting, beside what the machine can do with the same bytes. Ratios of things measured in turn
//! within one run; absolute times on a busy machine mean nothing, and none of them decides a test.
//!
//! `cargo bench --bench splitting -- WORDS` takes only the cases whose names hold one of the words. `BENCH_MB` (300)
//! is the size of the input, `BENCH_RUNS` (5) how often each thing is measured, `BENCH_SECONDS` (30) after how long a
//! case takes no further run. Everything lies below `CARGO_TARGET_TMPDIR` and is removed at the end.

#![allow(clippy::cast_precision_loss, reason = "figures for people, of three digits")]

mod archives;
mod baseline;
mod cases;
mod measure;
mod tree;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use archives::Input;
use cases::{Beside, Case};
use measure::{Run, Watch, median, settle};
use tree::{Lists, Outputs, Tree, drain};

fn main() {
    // `cargo test --all-targets` runs benches once to see that they work; this one is for `make bench` only.
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    if !words.iter().any(|word| word == "--bench") {
        return;
    }
    words.retain(|word| !word.starts_with("--"));
    let megabytes = number("BENCH_MB", 300);
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("create a directory");
    let mut bench = Bench { root: directory.path().to_owned(), trees: 0 };
    println!(
        "splitting, {megabytes} MB of archives, medians of at most {} runs in turn",
        number("BENCH_RUNS", 5)
    );
    println!(
        "{:<34} {:<38} {:>9} {:>7} {:>6} {:>6} {:>6} {:>7} {:>7}",
        "case", "", "seconds", "ratio", "limit", "user", "system", "MB/s in", "MB out"
    );
    for case in cases::all(megabytes << 20) {
        if words.is_empty() || words.iter().any(|word| case.name.contains(word.as_str())) {
            bench.case(&case);
        }
    }
}

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// Where everything lies.
struct Bench {
    root: PathBuf,
    /// How many directories were made: nothing is used twice, nothing is removed before the end.
    trees: u32,
}

/// What a case's runs took.
#[derive(Default)]
struct Figures {
    ours: Vec<Run>,
    beside: Vec<Vec<f64>>,
    outputs: Outputs,
}

impl Bench {
    fn case(&mut self, case: &Case) {
        let archives = self.archives(case.input);
        match self.measure(case, &archives) {
            Ok(figures) => print(case, size(&archives), &figures),
            Err(said) => println!("{:<34} stopped: {said}", case.name),
        }
    }

    fn archives(&self, input: Input) -> PathBuf {
        let name = format!("{:?}-{}-{}-{}", input.format, input.files, input.bytes, input.long_row);
        let directory = self.root.join(name);
        archives::make(&directory, input);
        directory
    }

    /// Everything in turn, every other round backwards, so that none always follows the same. The first
    /// round warms up and shows what is written; it counts only where there is no time for another.
    fn measure(&mut self, case: &Case, archives: &Path) -> Result<Figures, String> {
        let mut figures = Figures { beside: vec![Vec::new(); case.beside.len()], ..Figures::default() };
        let begun = Instant::now();
        for round in 0..=number("BENCH_RUNS", 5) {
            if round > 0 && begun.elapsed().as_secs() >= number("BENCH_SECONDS", 30) {
                break;
            }
            let mut order: Vec<Option<usize>> = vec![None];
            order.extend((0..case.beside.len()).map(Some));
            if round % 2 == 1 {
                order.reverse();
            }
            for at in order {
                if let Some((beside, at)) = at.and_then(|at| Some((case.beside.get(at)?, at))) {
                    let seconds = self.beside(case, beside, archives, &figures.outputs)?;
                    figures.beside[at].push(seconds);
                } else {
                    let (run, outputs) = self.split(archives, &case.lists, case.until, case.watch)?;
                    figures.ours.push(run);
                    figures.outputs = outputs;
                }
            }
        }
        if figures.ours.len() > 1 {
            figures.ours.remove(0);
            for beside in &mut figures.beside {
                beside.remove(0);
            }
        }
        Ok(figures)
    }

    fn split(
        &mut self,
        archives: &Path,
        lists: &Lists,
        until: u64,
        watch: Watch,
    ) -> Result<(Run, Outputs), String> {
        let tree = Tree::make(self.fresh(), archives, lists);
        settle(&self.root);
        let run = tree.split(until, watch)?;
        let outputs = tree.outputs();
        tree.drain(&outputs);
        Ok((run, outputs))
    }

    fn beside(
        &mut self,
        case: &Case,
        beside: &Beside,
        archives: &Path,
        outputs: &Outputs,
    ) -> Result<f64, String> {
        let fresh = self.fresh();
        settle(&self.root);
        let write = |plain, kept| {
            fs::create_dir_all(&fresh).expect("create a directory");
            let seconds = baseline::write(&fresh, outputs, plain, kept);
            drain(&fresh, outputs);
            seconds
        };
        Ok(match beside {
            Beside::Read(words) => baseline::read(words, archives, &fresh),
            Beside::Copy(kept) => baseline::copy(archives, &fresh, *kept),
            Beside::Files(plain, kept) => write(*plain, *kept),
            Beside::Split { input, lists, link } => {
                let archives = self.archives(*input);
                let lists = lists.as_ref().unwrap_or(&case.lists);
                let (run, fewer) = self.split(&archives, lists, case.until, Watch::Nothing)?;
                // Links that it did not make: allowed beyond the ratio, so they are priced in units of it.
                let limit = case.limit(beside).unwrap_or(1.0);
                run.seconds + link * outputs.links.saturating_sub(fewer.links) as f64 / limit
            }
        })
    }

    fn fresh(&mut self) -> PathBuf {
        self.trees += 1;
        self.root.join(format!("run{}", self.trees))
    }
}

fn size(directory: &Path) -> u64 {
    let files = fs::read_dir(directory).expect("archives");
    files.map(|file| file.and_then(|file| file.metadata()).expect("an archive").len()).sum()
}

fn print(case: &Case, bytes: u64, figures: &Figures) {
    let of = |figure: fn(&Run) -> f64| median(&figures.ours.iter().map(figure).collect::<Vec<_>>());
    let seconds = of(|run| run.seconds);
    let megabytes = bytes as f64 / 1e6 * case.until as f64 / case.input.files as f64;
    println!(
        "{:<34} {:<38} {seconds:>9.4} {:>7} {:>6} {:>6.2} {:>6.2} {:>7.0} {:>7.0}",
        case.name,
        format!("split ({} runs)", figures.ours.len()),
        "",
        "",
        of(|run| run.user),
        of(|run| run.system),
        megabytes / seconds,
        figures.outputs.bytes() as f64 / 1e6,
    );
    for (beside, theirs) in case.beside.iter().zip(&figures.beside) {
        let ratios: Vec<f64> =
            figures.ours.iter().zip(theirs).map(|(run, their)| run.seconds / their).collect();
        row(&beside.to_string(), median(theirs), Some(median(&ratios)), case.limit(beside));
    }
    if let Some(limit) = case.user {
        row(
            "user CPU, s (ratio to 300 MB in)",
            of(|run| run.user),
            Some(of(|run| run.user) * 300.0 / megabytes),
            Some(limit),
        );
    }
    if case.watch == Watch::Memory {
        let peak = figures.ours.iter().map(|run| run.peak).max().unwrap_or_default();
        row(
            "peak of resident memory, MiB",
            (peak >> 20) as f64,
            Some((peak >> 20) as f64),
            Some(case.memory),
        );
    }
}

fn row(name: &str, value: f64, ratio: Option<f64>, limit: Option<f64>) {
    let over = matches!((ratio, limit), (Some(ratio), Some(limit)) if ratio > limit);
    let ratio = ratio.map_or(String::new(), |ratio| format!("{ratio:.2}"));
    let limit = limit.map_or(String::new(), |limit| format!("{limit:.2}"));
    println!("{:<34} {name:<38} {value:>9.4} {ratio:>7} {limit:>6}{}", "", if over { "  over" } else { "" });
}
