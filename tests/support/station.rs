//! The data centre's side: directories, a configuration and the real daemon, in front of a real cluster.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::{Cluster, wait};

/// How long the daemon may take for one step. Most take milliseconds; the machine may be busy.
pub const LIMIT: Duration = Duration::from_secs(180);

/// Files of more bytes are not looked into.
const LARGEST: u64 = 1 << 28;

/// The program under test.
pub const MANAGER: &str = env!("CARGO_BIN_EXE_subscription_manager");

/// One installation. The daemon dies with it.
pub struct Station<'c> {
    cluster: &'c Cluster,
    name: String,
    directory: PathBuf,
}

impl<'c> Station<'c> {
    /// Makes the directories and the configuration; `settings` are further lines of it. Nothing runs yet.
    pub fn new(cluster: &'c Cluster, settings: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("manager-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let directory = cluster.server().socket_dir().join(&name);
        for part in ["triggers", "site_logs", "etc", "work", "log"] {
            fs::create_dir_all(directory.join(part)).expect("create a directory");
        }
        let station = Self { cluster, name, directory };
        station.configure(settings);
        station
    }

    /// Writes the configuration anew; the daemon reads it at its next start. A setting takes the place of the usual one
    /// with its key.
    pub fn configure(&self, settings: &str) {
        let server = self.cluster.server();
        let at = self.directory.display();
        // Stations share slon's directory, and one that bundles there does so for all.
        let usual = format!(
            "triggerdir={at}/triggers\nsubscribers_dir={at}/site_logs\nparser_config={at}/etc/slon_parser.cfg\n\
             tables_dir={at}/etc\nwork_dir={at}/work\nlog_dir={at}/log\narchive_dir={}\npg_host={}\npg_port={}\n\
             pg_user=postgres\npg_dbname=archiver\nlog_level=debug\nbundle_after=0\n",
            self.cluster.archive_dir().display(),
            server.socket_dir().display(),
            server.port()
        );
        let key = |line: &str| line.split('=').next().unwrap_or_default().to_owned();
        let given: Vec<String> = settings.lines().map(key).collect();
        let kept = usual.lines().filter(|line| !given.contains(&key(line)));
        let text: String = kept.chain(settings.lines()).map(|line| format!("{line}\n")).collect();
        let path = self.directory.join("manager.cfg");
        fs::write(&path, text).expect("write the configuration");
        // Whatever the umask of the caller: what others can change is refused.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("chmod");
    }

    /// The same with a daemon that runs.
    pub fn started(cluster: &'c Cluster, settings: &str) -> Self {
        let station = Self::new(cluster, settings);
        station.start();
        station
    }

    /// Starts the daemon and waits until it has looked at the archives, so that it splits what comes from now on.
    pub fn start(&self) {
        self.start_unready();
        let ready = || (self.counter().is_some() || self.has_ended()).then_some(());
        wait::until("the daemon to start", LIMIT, ready);
    }

    /// Starts the daemon and does not wait: its database may be away.
    pub fn start_unready(&self) {
        let config = self.directory.join("manager.cfg");
        let config = config.to_str().expect("a plain path");
        let home = self.cluster.server().home();
        home.start_as_caller(&self.name, Path::new(MANAGER), &["--config", config, "run"]);
    }

    /// Starts the daemon with further variables in its environment. Does not wait: it may be dead at once.
    pub fn start_with(&self, environment: &[(String, String)]) {
        let mut args: Vec<String> =
            environment.iter().map(|(variable, value)| format!("{variable}={value}")).collect();
        let config = self.directory.join("manager.cfg").display().to_string();
        args.extend([MANAGER.to_owned(), "--config".to_owned(), config, "run".to_owned()]);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        self.cluster.server().home().start_as_caller(&self.name, &super::programs::find("env"), &args);
    }

    /// The daemon's process, as its lock file names it.
    pub fn process(&self) -> u32 {
        self.read("work/subscription_manager.lock").trim().parse().expect("a process number")
    }

    /// Processor time that the daemon has used, in hundredths of a second.
    pub fn cpu_ticks(&self) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.process())).expect("the daemon runs");
        // After the name in parentheses: user time is field 14 of all, system time the next.
        let (_, fields) = stat.rsplit_once(')').expect("a name in parentheses");
        fields.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u64>().expect("ticks")).sum()
    }

    /// Starts the daemon under strace, which kills it at the fsync of this number (of one of its threads). Does not wait:
    /// it may be dead at once.
    pub fn start_to_die(&self, fsync: u32) {
        let inject = format!("inject=fsync:signal=SIGKILL:when={fsync}");
        self.start_traced(&["-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync", "-e", &inject]);
    }

    /// Starts the daemon under strace, which makes system calls fail as `inject` says, until [`Station::lift`]; only those
    /// on these very paths, if any are given. Does not wait.
    pub fn start_failing(&self, inject: &str, paths: &[&Path]) {
        let call = inject.trim_start_matches("inject=").split(':').next().unwrap_or_default();
        let trace = format!("trace={call}");
        let mut args = vec!["-D", "-I2", "-f", "-qq", "-o", "/dev/null", "-e", &trace, "-e", inject];
        for path in paths {
            args.extend(["-P", path.to_str().expect("a plain path")]);
        }
        self.start_traced(&args);
    }

    /// Ends what [`Station::start_failing`] began: the daemon goes on by itself.
    pub fn lift(&self) {
        let tracer = || -> u32 {
            let status =
                fs::read_to_string(format!("/proc/{}/status", self.process())).expect("the daemon runs");
            let line = status.lines().find_map(|line| line.strip_prefix("TracerPid:"));
            line.and_then(|pid| pid.trim().parse().ok()).expect("a process number")
        };
        super::home::send("TERM", tracer());
        wait::until("strace to let go", LIMIT, || (tracer() == 0).then_some(()));
    }

    /// Starts the daemon under strace with these arguments.
    pub fn start_traced(&self, args: &[&str]) {
        self.start_by("strace", args);
    }

    /// Starts the daemon by another program with these arguments, which becomes it or runs it.
    pub fn start_by(&self, program: &str, args: &[&str]) {
        let program = super::programs::find(program);
        let config = self.directory.join("manager.cfg");
        let config = config.to_str().expect("a plain path");
        let manager = [MANAGER, "--config", config, "run"];
        let args: Vec<&str> = args.iter().copied().chain(manager).collect();
        self.cluster.server().home().start_as_caller(&self.name, &program, &args);
    }

    /// SIGTERM; the daemon must end well.
    pub fn stop(&self) {
        let status = self.cluster.server().home().stop(&self.name).expect("it runs");
        assert!(status.success(), "{status}\n{}", self.said());
    }

    /// SIGKILL.
    pub fn kill(&self) {
        self.cluster.server().home().kill(&self.name);
    }

    /// Whether the daemon has ended by itself.
    pub fn has_ended(&self) -> bool {
        self.cluster.server().home().has_ended(&self.name)
    }

    /// Runs a subcommand to its end.
    pub fn command(&self, args: &[&str]) -> Output {
        let config = self.directory.join("manager.cfg");
        Command::new(MANAGER).arg("--config").arg(config).args(args).output().expect("run the manager")
    }

    /// What the daemon logged.
    pub fn said(&self) -> String {
        self.cluster.server().home().said(&self.name)
    }

    /// A path below the installation's directory.
    pub fn at(&self, path: &str) -> PathBuf {
        self.directory.join(path)
    }

    /// Reads a file below the installation's directory.
    #[track_caller]
    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.at(path)).unwrap_or_else(|error| panic!("{path}: {error}\n{}", self.said()))
    }

    /// Whether there is a file or directory of this name below the installation's directory.
    pub fn has(&self, path: &str) -> bool {
        fs::symlink_metadata(self.at(path)).is_ok()
    }

    /// Drops a file as careful subscribers do: under another name first, then renamed.
    pub fn drop_file(&self, name: &str, text: &str) {
        let hidden = self.at(&format!("triggers/.{name}.part"));
        fs::write(&hidden, text).expect("write a trigger");
        fs::rename(hidden, self.at(&format!("triggers/{name}"))).expect("rename a trigger");
    }

    /// Waits for a file in the drop directory and returns its text.
    #[track_caller]
    pub fn await_file(&self, name: &str) -> String {
        let path = self.at(&format!("triggers/{name}"));
        self.wait_for(name, || fs::read_to_string(&path).ok())
    }

    /// Waits as [`wait::until`] does; a failure shows what the daemon logged.
    #[track_caller]
    pub fn wait_for<T>(&self, what: &str, probe: impl FnMut() -> Option<T>) -> T {
        wait::within(LIMIT, probe).unwrap_or_else(|| {
            let said = self.said();
            let last: Vec<_> = said.lines().rev().take(60).collect();
            let last: Vec<_> = last.into_iter().rev().collect();
            panic!("waited {LIMIT:?} in vain for {what}\n{}\n{:#?}", last.join("\n"), self.tree())
        })
    }

    /// The cluster in front of which it stands.
    pub fn cluster(&self) -> &'c Cluster {
        self.cluster
    }

    /// The last archive that is split.
    pub fn counter(&self) -> Option<u64> {
        fs::read_to_string(self.at("work/split.counter")).ok()?.trim().parse().ok()
    }

    /// Waits until everything that is committed at the origin is split; returns the counter.
    #[track_caller]
    pub fn caught_up(&self) -> u64 {
        let counter = self.cluster.sync();
        self.wait_for("the splitter", || self.counter().filter(|at| *at >= counter));
        counter
    }

    /// Every file and directory that subscribers or the operator see, with a digest of its content: names below the
    /// installation's directory, without its own logs and locks.
    pub fn tree(&self) -> BTreeMap<String, String> {
        let mut tree = BTreeMap::new();
        for part in ["triggers", "site_logs", "etc"] {
            collect(&self.directory, &self.directory.join(part), &mut tree);
        }
        tree.remove("etc/subscription_manager.lock");
        tree
    }

    /// The names of [`Station::tree`].
    pub fn names(&self) -> Vec<String> {
        self.tree().into_keys().collect()
    }

    /// The counters of the site logs in a directory below `site_logs`.
    pub fn logs(&self, directory: &str) -> Vec<u64> {
        let mut counters: Vec<u64> = fs::read_dir(self.at(&format!("site_logs/{directory}")))
            .into_iter()
            .flatten()
            .filter_map(|entry| {
                let name = entry.ok()?.file_name().into_string().ok()?;
                name.strip_prefix("slony1_log_2_")?.strip_suffix(".sql")?.parse().ok()
            })
            .collect();
        counters.sort_unstable();
        counters
    }
}

impl Drop for Station<'_> {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The path of a site log.
pub fn log_name(counter: u64) -> String {
    format!("slony1_log_2_{counter:020}.sql")
}

fn collect(root: &Path, directory: &Path, tree: &mut BTreeMap<String, String>) {
    // A directory may go while it is looked at.
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = path.strip_prefix(root).expect("below the root").to_string_lossy().into_owned();
        let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
        if metadata.is_dir() {
            tree.insert(format!("{name}/"), format!("{:o}", metadata.mode() & 0o7777));
            collect(root, &path, tree);
        } else if !metadata.is_file() || metadata.len() > LARGEST {
            // Reading it would last for ever, or show what it points to.
            tree.insert(name, format!("{:?} of {} bytes", metadata.file_type(), metadata.len()));
        } else {
            let bytes = fs::read(&path).unwrap_or_default();
            // For comparison only, so a digest of the standard library will do.
            let mut hasher = std::hash::DefaultHasher::new();
            std::hash::Hash::hash(&bytes, &mut hasher);
            tree.insert(name, format!("{} bytes {:016x}", bytes.len(), std::hash::Hasher::finish(&hasher)));
        }
    }
}
