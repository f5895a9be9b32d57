//! A site's desk: a database with one table, a configuration, and the data centre's directories beside it.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use subscription_manager::model::TextStyle;
use subscription_manager::subscription::offline::offline_objects;

use crate::support::postgres::{expect_success, feed};
use crate::support::site::OWNER;
use crate::support::station::log_name;
use crate::support::{Server, wait};

/// The program under test.
pub(crate) const TOOL: &str = env!("CARGO_BIN_EXE_get_slony_logs");

pub(crate) const LIMIT: Duration = Duration::from_secs(60);

const DASHES: &str = "------------------------------------------------------------------";

pub(crate) struct Desk {
    pub(crate) root: tempfile::TempDir,
    database: String,
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) status: ExitStatus,
    pub(crate) said: String,
    pub(crate) printed: String,
}

impl Run {
    #[track_caller]
    pub(crate) fn expect(&self, status: i32) -> &Self {
        assert_eq!(self.status.code(), Some(status), "{self:#?}");
        self
    }

    #[track_caller]
    pub(crate) fn expect_says(&self, status: i32, words: &str) {
        self.expect(status);
        assert!(self.said.contains(words), "`{words}` is not in {self:#?}");
    }

    /// Killed by SIGKILL, itself or the one who watched it.
    pub(crate) fn was_killed(&self) -> bool {
        self.status.signal() == Some(9) || self.status.code() == Some(137)
    }
}

pub(crate) fn server() -> &'static Server {
    static SHARED: OnceLock<Server> = OnceLock::new();
    SHARED.get_or_init(|| {
        let server = Server::start();
        server.execute("postgres", &format!("create role {OWNER} login"));
        server
    })
}

impl Desk {
    /// A site that has applied the log 7. The table has no key: what comes twice is there twice.
    pub(crate) fn new(settings: &str) -> Self {
        let desk = Self::unsubscribed(settings);
        desk.own(&format!(
            "{}\ncreate schema aia; create table aia.l (id int, note text);\n\
             insert into _jsoc.sl_archive_tracking values (7, now(), now());",
            offline_objects("jsoc", &TextStyle::usual("UTF8"))
        ));
        desk
    }

    /// A site with an empty database.
    pub(crate) fn unsubscribed(settings: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let database = format!("desk_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        server().create_database(&database);
        server().execute("postgres", &format!("grant create on database {database} to {OWNER}"));
        let desk = Self { root: tempfile::tempdir().unwrap(), database };
        for part in ["site_logs/nso", "triggers", "ingestion"] {
            fs::create_dir_all(desk.at(part)).unwrap();
        }
        desk.configure(settings);
        desk
    }

    /// Writes the configuration anew; a setting takes the place of the usual one with its key.
    pub(crate) fn configure(&self, settings: &str) {
        let at = self.root.path().display();
        let usual = format!(
            "node=nso\nrmt_slony_dir={at}/site_logs\nwebdb_dir={at}/triggers\npg_host={}\npg_port={}\npg_user={OWNER}\n\
             pg_dbname={}\ningestion_path={at}/ingestion\nwork_dir={at}/work\nslony_logs={at}/logs\ninterval=1\n",
            server().socket_dir().display(),
            server().port(),
            self.database
        );
        let key = |line: &str| line.split('=').next().unwrap_or_default().to_owned();
        let given: Vec<String> = settings.lines().map(key).collect();
        let kept = usual.lines().filter(|line| !given.contains(&key(line)));
        let text: String = kept.chain(settings.lines()).map(|line| format!("{line}\n")).collect();
        fs::write(self.at("site.cfg"), text).unwrap();
    }

    pub(crate) fn at(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.at(path)).unwrap_or_else(|error| format!("{path}: {error}"))
    }

    pub(crate) fn die_file(&self) -> PathBuf {
        self.at("ingestion/get_slony_logs.nso.die")
    }

    #[track_caller]
    pub(crate) fn own(&self, sql: &str) {
        let mut psql = server().psql(&self.database, OWNER);
        psql.args(["-q", "-v", "ON_ERROR_STOP=1"]);
        expect_success(sql, &feed(psql, sql));
    }

    pub(crate) fn database(&self) -> &str {
        &self.database
    }

    pub(crate) fn query(&self, sql: &str) -> String {
        server().query(&self.database, sql)
    }

    /// The rows that are there, each log's own number, and the place: `8 9 at 9`.
    pub(crate) fn state(&self) -> String {
        self.query(
            "select coalesce(string_agg(id::text, ' ' order by id) || ' ', '') || 'at ' || \
             (select at_counter from _jsoc.sl_archive_tracking) from aia.l",
        )
    }

    /// What [`Desk::state`] must be once everything up to this log is applied, each once.
    pub(crate) fn all_up_to(last: u64) -> String {
        let ids: String = (8..=last).map(|id| format!("{id} ")).collect();
        format!("{ids}at {last}")
    }

    /// The server gets these logs, each with one row.
    pub(crate) fn publish(&self, counters: impl IntoIterator<Item = u64>) {
        for counter in counters {
            self.write(&log_name(counter), log(counter));
        }
    }

    /// Puts a file into the node's directory as the server does.
    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let hidden = self.at(&format!("site_logs/nso/.{name}"));
        fs::write(&hidden, bytes).unwrap();
        fs::rename(hidden, self.at(&format!("site_logs/nso/{name}"))).unwrap();
    }

    /// Bundles singles with the real tar, then removes them.
    pub(crate) fn bundle(&self, first: u64, last: u64) {
        let directory = self.at("site_logs/nso");
        let name = format!("slony_logs_{first}-{last}.tar.gz");
        let mut tar = Command::new("tar");
        tar.args(["cfz", &format!(".{name}")]).args((first..=last).map(log_name));
        assert!(tar.current_dir(&directory).status().unwrap().success());
        fs::rename(directory.join(format!(".{name}")), directory.join(name)).unwrap();
        for counter in first..=last {
            fs::remove_file(directory.join(log_name(counter))).unwrap();
        }
    }

    /// The tool with further arguments.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(TOOL);
        command.arg(self.at("site.cfg")).args(arguments);
        command
    }

    /// Runs the tool once.
    pub(crate) fn run(&self) -> Run {
        self.run_with(&[])
    }

    pub(crate) fn run_with(&self, arguments: &[&str]) -> Run {
        run(&mut self.command(arguments))
    }

    /// Runs it once and expects that all went well.
    #[track_caller]
    pub(crate) fn catches_up(&self) -> Run {
        let run = self.run();
        run.expect(0);
        run
    }

    /// Starts the service.
    pub(crate) fn follow(&self) -> Service {
        self.follow_in(&[])
    }

    /// The same with these variables in its environment.
    pub(crate) fn follow_in(&self, environment: &[(String, String)]) -> Service {
        let log = self.at("service.log");
        let file = fs::File::create(&log).unwrap();
        let mut command = self.command(&["--follow"]);
        command.envs(environment.iter().cloned());
        let child = command.stderr(file).stdout(Stdio::null()).spawn().unwrap();
        Service { child, log }
    }

    #[track_caller]
    pub(crate) fn wait_for_state(&self, service: &Service, state: &str) {
        let reached = wait::within(LIMIT, || (self.state() == state).then_some(()));
        assert!(reached.is_some(), "{} instead of {state}\n{}", self.state(), service.said());
    }

    /// Names in a directory below the root, sorted, logs and bundles in short.
    pub(crate) fn names(&self, directory: &str) -> String {
        let mut names: Vec<String> = fs::read_dir(self.at(directory))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            // Where logs lie before they are applied.
            .filter(|name| name != ".nso")
            .collect();
        names.sort();
        let short = |name: &String| {
            let log = name.strip_prefix("slony1_log_2_").and_then(|rest| rest.strip_suffix(".sql"));
            let bundle = name.strip_prefix("slony_logs_").and_then(|rest| rest.strip_suffix(".tar.gz"));
            let number = log.and_then(|digits| digits.parse::<u64>().ok()).map(|number| number.to_string());
            number.or(bundle.map(str::to_owned)).unwrap_or_else(|| name.clone())
        };
        names.iter().map(short).collect::<Vec<_>>().join(" ")
    }
}

pub(crate) fn run(command: &mut Command) -> Run {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Run { status: output.status, said: text(&output.stderr), printed: text(&output.stdout) }
}

/// The tool as a service; killed when it is dropped.
pub(crate) struct Service {
    child: Child,
    log: PathBuf,
}

impl Service {
    pub(crate) fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    #[track_caller]
    pub(crate) fn wait_for(&self, words: &str) {
        let said = wait::within(LIMIT, || self.said().contains(words).then_some(()));
        assert!(said.is_some(), "waited in vain for `{words}`\n{}", self.said());
    }

    pub(crate) fn count(&self, words: &str) -> usize {
        self.said().matches(words).count()
    }

    /// How it has ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), signal).unwrap();
    }

    /// SIGTERM or SIGINT; it must end well.
    #[track_caller]
    pub(crate) fn stop(mut self, signal: rustix::process::Signal) -> String {
        self.signal(signal);
        let status = wait::within(LIMIT, || self.ended());
        assert_eq!(status.and_then(|status| status.code()), Some(0), "{}", self.said());
        self.said()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A log with one row: its own number, and a text that careless readers take for the end.
pub(crate) fn log(counter: u64) -> String {
    log_of(counter, &format!("1\t17\t1\t{counter}\taia\tl\tI\t0\t{{id,{counter},note,\"a\\n-- EOL\"}}\n"))
}

/// A log with these rows.
pub(crate) fn log_of(counter: u64, rows: &str) -> String {
    format!(
        "\\set ON_ERROR_STOP on\n{DASHES}\n-- Slony-I log shipping archive\n-- Node 1, Event 99\n{DASHES}\n\
         start transaction;\nselect \"_jsoc\".site_log_offline(1);\n\
         select \"_jsoc\".archiveTracking_offline('{counter}', '2026-11-20 21:41:14.173756+00');\n\
         -- end of log archiving header\n{DASHES}\n-- start of Slony-I data\n{DASHES}\n\
         COPY \"_jsoc\".\"sl_log_archive\" ( log_origin, log_txid,log_tableid,log_actionseq,log_tablenspname, \
         log_tablerelname, log_cmdtype, log_cmdupdncols,log_cmdargs) FROM STDIN;\n{rows}\\.\n\n{DASHES}\n\
         -- End Of Archive Log\n{DASHES}\ncommit;\nvacuum analyze \"_jsoc\".sl_archive_tracking;\n-- EOL\n"
    )
}

/// Every file below a directory, with its content.
pub(crate) fn tree(root: &Path) -> std::collections::BTreeMap<PathBuf, Vec<u8>> {
    let mut tree = std::collections::BTreeMap::new();
    for entry in fs::read_dir(root).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.is_symlink() {
            tree.extend(self::tree(&path));
        } else {
            let bytes = fs::read(&path).unwrap_or_default();
            tree.insert(path, bytes);
        }
    }
    tree
}
