//! A monitor under test: its configuration, its process, and what it has told.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::Server;
use crate::support::home::without_pg_variables;
use crate::support::station::{LIMIT, MANAGER};
use crate::support::wait;

/// Appends its name and its input, a line each time.
const TELL: &str = "#!/bin/sh\nprintf '%s %s\\n' \"$1\" \"$(cat)\" >>\"$0.told\"\n";

/// The process that watches, in the home of a server.
pub(crate) struct Watch<'s> {
    server: &'s Server,
    directory: PathBuf,
}

impl<'s> Watch<'s> {
    /// Makes the directories and the configuration. Nothing runs yet.
    pub(crate) fn new(server: &'s Server, settings: &str) -> Self {
        let directory = server.socket_dir().join("watch");
        fs::create_dir(&directory).expect("create a directory");
        let watch = Self { server, directory };
        let at = watch.directory.display();
        watch.put("tell", TELL, 0o755);
        let text = format!(
            "triggerdir={at}\nsubscribers_dir={at}\nparser_config={at}/slon_parser.cfg\ntables_dir={at}\nwork_dir={at}\n\
             pg_host={}\npg_port={}\npg_user=postgres\npg_dbname=postgres\nlog_level=debug\n{}",
            server.socket_dir().display(),
            server.port(),
            settings.replace("{at}", &at.to_string())
        );
        watch.put("manager.cfg", &text, 0o644);
        watch
    }

    pub(crate) fn put(&self, name: &str, text: &str, mode: u32) {
        let path = self.directory.join(name);
        fs::write(&path, text).expect("write a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("chmod");
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    pub(crate) fn start(&self) {
        let config = self.path("manager.cfg");
        let arguments = ["--config", config.to_str().expect("a plain path"), "monitor"];
        self.server.home().start_as_caller("manager-monitor", MANAGER.as_ref(), &arguments);
    }

    /// SIGTERM; it must end well.
    pub(crate) fn stop(&self) {
        let status = self.server.home().stop("manager-monitor").expect("it runs");
        assert!(status.success(), "{status}\n{}", self.said());
    }

    pub(crate) fn kill(&self) {
        self.server.home().kill("manager-monitor");
    }

    pub(crate) fn said(&self) -> String {
        self.server.home().said("manager-monitor")
    }

    /// `monitor --once`
    pub(crate) fn once(&self, further: &[&str]) -> Output {
        let mut command = Command::new(MANAGER);
        let config = self.path("manager.cfg");
        without_pg_variables(&mut command).arg("--config").arg(config).args(["monitor", "--once"]);
        command.args(further).output().expect("run the manager")
    }

    pub(crate) fn json(&self, name: &str) -> Option<Value> {
        // Whatever is there is whole.
        Some(serde_json::from_slice(&fs::read(self.path(name)).ok()?).expect("JSON"))
    }

    /// What was told so far: names and inputs. A line that is just being written does not count.
    pub(crate) fn told(&self) -> Vec<(String, Value)> {
        let text = fs::read_to_string(self.path("tell.told")).unwrap_or_default();
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let line = |line: &str| {
            let (name, input) = line.split_once(' ').expect("two words");
            (name.to_owned(), serde_json::from_str(input).expect("JSON"))
        };
        whole.lines().map(line).collect()
    }

    /// Waits until another round has begun and ended, and everything is told that was seen until then.
    #[track_caller]
    pub(crate) fn settle(&self) {
        let looked = || self.json("monitor.state")?["looked"].as_u64();
        let mut before = self.wait_for("a look", looked);
        for _ in 0..2 {
            before = self.wait_for("another look", || looked().filter(|at| *at > before));
        }
        self.wait_for("everything to be told", || {
            (self.json("monitor.state")?["untold"] == serde_json::json!([])).then_some(())
        });
    }

    /// Waits for a round that begins after this.
    #[track_caller]
    pub(crate) fn look_again(&self) {
        let looked = || self.json("monitor.state")?["looked"].as_u64();
        let before = self.wait_for("a look", looked);
        self.wait_for("another look", || looked().filter(|at| *at > before));
    }

    #[track_caller]
    pub(crate) fn wait_for<T>(&self, what: &str, probe: impl FnMut() -> Option<T>) -> T {
        wait::within(LIMIT, probe).unwrap_or_else(|| {
            let said = self.said();
            let from = said.len().saturating_sub(4000);
            let state = fs::read_to_string(self.path("monitor.state")).unwrap_or_default();
            panic!("waited {LIMIT:?} in vain for {what}\n{}\n{state}", said.get(from..).unwrap_or(&said))
        })
    }
}
