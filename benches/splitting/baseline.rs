//! What the machine can do, beside which the splitter is measured.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::measure::{Watch, run, settle};
use crate::tree::Outputs;

/// Files of the same sizes as a run's outputs, by other means.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plain {
    /// Created under their names.
    Written,
    /// Created under hidden names and renamed.
    Renamed,
    /// The first created and renamed; the others of each archive are links to it, made hidden and renamed.
    Linked,
}

/// Whether the files are on disk at the end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    Cached,
    Durable,
}

/// Bytes of one write.
const PIECE: usize = 64 << 10;

/// `cat *`, `grep -c ';$' *`, `wc -l *`: the words before the files. What they say goes into the file `said`, but that
/// of `cat` to `/dev/null`: grep would stop at the first match if its output went there.
pub(crate) fn read(words: &[&str], archives: &Path, said: &Path) -> f64 {
    let mut files: Vec<_> =
        fs::read_dir(archives).expect("archives").map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).args(files);
    match words {
        ["cat"] => command.stdout(Stdio::null()),
        _ => command.stdout(File::create(said).expect("create a file")),
    };
    run(&mut command, Watch::Nothing).seconds
}

/// `cp -r`, into a directory that is not there.
pub(crate) fn copy(archives: &Path, target: &Path, kept: Kept) -> f64 {
    let begun = Instant::now();
    let mut command = Command::new("cp");
    command.arg("-r").args([archives, target]);
    assert!(run(&mut command, Watch::Nothing).success);
    if kept == Kept::Durable {
        settle(target);
    }
    let seconds = begun.elapsed().as_secs_f64();
    for copied in fs::read_dir(target).expect("copies") {
        let open = File::options().write(true).open(copied.expect("an entry").path());
        open.and_then(|copied| copied.set_len(0)).expect("empty a copy");
    }
    seconds
}

/// Writes files of these sizes with two threads.
pub(crate) fn write(root: &Path, outputs: &Outputs, plain: Plain, kept: Kept) -> f64 {
    for file in &outputs.files {
        fs::create_dir_all(root.join(&file.path).parent().expect("a node")).expect("create a directory");
    }
    settle(root);
    let piece = &vec![b'x'; PIECE];
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..2 {
            scope.spawn(move || {
                for file in outputs.files.iter().skip(thread).step_by(2) {
                    let path = root.join(&file.path);
                    let hidden = if plain == Plain::Written { path.clone() } else { beside(&path) };
                    let mut open = File::create(&hidden).expect("create a file");
                    let mut left = usize::try_from(file.bytes).expect("a size");
                    while left > 0 {
                        let now = left.min(PIECE);
                        open.write_all(&piece[..now]).expect("write a file");
                        left -= now;
                    }
                    if plain != Plain::Written {
                        fs::rename(hidden, path).expect("rename a file");
                    }
                }
            });
        }
    });
    if plain == Plain::Linked {
        link(root, outputs);
    }
    if kept == Kept::Durable {
        settle(root);
    }
    begun.elapsed().as_secs_f64()
}

/// As many more names of the first file, all in one directory for each thousand.
fn link(root: &Path, outputs: &Outputs) {
    let Some(first) = outputs.files.first().map(|file| root.join(&file.path)) else { return };
    for number in 0..outputs.links {
        let path = root.join(format!("link{number}"));
        let hidden = beside(&path);
        fs::hard_link(&first, &hidden).and_then(|()| fs::rename(hidden, path)).expect("link a file");
    }
}

fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().expect("a name").to_string_lossy();
    path.with_file_name(format!(".tmp-{name}"))
}
