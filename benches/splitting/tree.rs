//! An installation for one run of the real binary.

use std::collections::HashSet;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::archives::{SERIES, series};
use crate::measure::{Run, Watch, run};

/// The lists of all nodes.
pub(crate) type Lists = Vec<Vec<String>>;

/// Registry, lists, directories of the nodes.
pub(crate) struct Tree {
    root: PathBuf,
}

/// A file that a run has written, however many names it has.
#[derive(Clone)]
pub(crate) struct Output {
    /// `<node>/<file>`.
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
}

/// What a run has left.
#[derive(Default, Clone)]
pub(crate) struct Outputs {
    pub(crate) files: Vec<Output>,
    /// Names beyond the first of each file.
    pub(crate) links: u64,
}

impl Outputs {
    pub(crate) fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }
}

impl Tree {
    pub(crate) fn make(root: PathBuf, archives: &Path, lists: &Lists) -> Self {
        let tree = Self { root };
        for directory in ["triggers", "logs", "etc", "work"] {
            fs::create_dir_all(tree.root.join(directory)).expect("create a directory");
        }
        let mut registry = String::new();
        for (node, list) in lists.iter().enumerate() {
            let (directory, file) =
                (tree.root.join(format!("logs/n{node:04}")), tree.root.join(format!("etc/n{node:04}.lst")));
            fs::create_dir(&directory).expect("create a directory");
            fs::write(&file, list.join("\n") + "\n").expect("write a list");
            registry += &format!("{}\t{}\n", directory.display(), file.display());
        }
        fs::write(tree.root.join("etc/slon_parser.cfg"), registry).expect("write the registry");
        let sequences: String =
            (0..SERIES).map(|rank| format!("{} {}_seq\n", rank + 1, series(rank))).collect();
        fs::write(tree.root.join("work/sequences"), sequences).expect("write the sequences");
        let at = |name: &str| tree.root.join(name).display().to_string();
        let config = format!(
            "triggerdir={}\nsubscribers_dir={}\nparser_config={}\ntables_dir={}\nwork_dir={}\narchive_dir={}\n\
             log_level=error\n",
            at("triggers"),
            at("logs"),
            at("etc/slon_parser.cfg"),
            at("etc"),
            at("work"),
            archives.display()
        );
        fs::write(tree.root.join("etc/subscription_manager.cfg"), config).expect("write the configuration");
        tree
    }

    /// Splits; `Err` is what the binary said.
    pub(crate) fn split(&self, until: u64, watch: Watch) -> Result<Run, String> {
        let said = self.root.join("stderr");
        let mut command = Command::new(env!("CARGO_BIN_EXE_subscription_manager"));
        command
            .arg("--config")
            .arg(self.root.join("etc/subscription_manager.cfg"))
            .args(["split", "--until", &until.to_string()])
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&said).expect("create a file"));
        let run = run(&mut command, watch);
        let counter = fs::read_to_string(self.root.join("work/split.counter")).unwrap_or_default();
        if run.success && counter.trim() == until.to_string() {
            return Ok(run);
        }
        let said = fs::read_to_string(said).unwrap_or_default();
        Err(said.lines().last().unwrap_or("it said nothing").to_owned())
    }

    /// The site logs, by archive and node.
    pub(crate) fn outputs(&self) -> Outputs {
        let mut outputs = Outputs::default();
        let mut inodes = HashSet::new();
        let logs = self.root.join("logs");
        let mut nodes: Vec<_> = entries(&logs);
        nodes.sort();
        for path in nodes.iter().flat_map(|node| entries(node)) {
            let about = fs::metadata(&path).expect("a site log");
            if inodes.insert(about.ino()) {
                let path = path.strip_prefix(&logs).expect("below").to_owned();
                outputs.files.push(Output { path, bytes: about.len() });
            } else {
                outputs.links += 1;
            }
        }
        outputs.files.sort_by(|one, other| one.path.file_name().cmp(&other.path.file_name()));
        outputs
    }

    /// Gives back the space and keeps the names.
    pub(crate) fn drain(&self, outputs: &Outputs) {
        drain(&self.root.join("logs"), outputs);
    }
}

/// Empties files without removing them: after thousands were removed, creating is slow for minutes.
pub(crate) fn drain(root: &Path, outputs: &Outputs) {
    for file in &outputs.files {
        let open = File::options().write(true).open(root.join(&file.path)).expect("open an output");
        open.set_len(0).expect("empty an output");
    }
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("read a directory");
    entries.map(|entry| entry.expect("an entry").path()).collect()
}
