//! This machine once more, to install packages on: whatever is changed there is gone with it.
//!
//! An overlay lies over `/`, in a mount namespace of its own, and a process that holds it; the upper part is in memory.
//! Nothing has to be downloaded, dpkg and its database are the real ones, and this machine notices nothing.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use crate::support::programs;

/// Makes the overlay at `$1`, lets `$2` be seen there too, says so, and waits for the end of its input.
const HOLDER: &str = r#"
set -eu
mount -t tmpfs -o size=1500m,mode=0755 tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" overlay "$1/root"
mount --rbind /proc "$1/root/proc"
mount --rbind /dev "$1/root/dev"
mount -t tmpfs tmpfs "$1/root/run"
mkdir -p "$1/root$2" && mount --bind "$2" "$1/root$2"
echo ready
while read -r line; do :; done
"#;

/// The other machine.
pub(crate) struct Machine {
    directory: tempfile::TempDir,
    holder: Child,
}

impl Machine {
    /// Makes it; `seen` is a directory that both have. Needs root, and says so.
    pub(crate) fn new(seen: &Path) -> Self {
        let uid = Command::new("id").arg("-u").output().expect("run id");
        assert_eq!(
            String::from_utf8_lossy(&uid.stdout).trim(),
            "0",
            "this test installs packages on a copy of this machine, which only root can make: run it as root"
        );
        let directory = tempfile::tempdir().expect("make a directory");
        let mut holder = Command::new(programs::find("unshare"))
            .args(["--mount", "--propagation", "private", "sh", "-c", HOLDER, "sh"])
            .args([directory.path(), seen])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("run unshare");
        let mut line = String::new();
        let said = holder.stdout.take().expect("stdout is a pipe");
        BufReader::new(said).read_line(&mut line).expect("read a line");
        assert_eq!(
            line, "ready\n",
            "no overlay can be mounted here: this needs a kernel with overlayfs and CAP_SYS_ADMIN"
        );
        Self { directory, holder }
    }

    /// The words before a command that let it run there.
    pub(crate) fn there(&self) -> Vec<String> {
        let root = self.directory.path().join("root").display().to_string();
        let holder = self.holder.id().to_string();
        ["nsenter", "--target", &holder, "--mount", "chroot", &root].map(str::to_owned).to_vec()
    }

    /// Runs a script of bash there.
    pub(crate) fn bash(&self, script: &str) -> Output {
        let there = self.there();
        let mut command = Command::new(&there[0]);
        command.args(&there[1..]).args(["bash", "-c", script]).stdin(Stdio::null());
        // What the tests are told about servers is not for those there.
        command.env("LC_ALL", "C.UTF-8").env("DEBIAN_FRONTEND", "noninteractive").current_dir("/");
        command.output().expect("run nsenter")
    }

    /// The same; it must succeed. Returns what it says.
    #[track_caller]
    pub(crate) fn run(&self, script: &str) -> String {
        let output = self.bash(script);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{script}: {}\n{said}{complaint}", output.status);
        said + &complaint
    }

    /// A path there, as it can be opened from here.
    pub(crate) fn at(&self, path: &str) -> PathBuf {
        let root = self.directory.path().display().to_string();
        PathBuf::from(format!("/proc/{}/root{root}/root{path}", self.holder.id()))
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // The end of its input ends the holder, and with it the namespace and all that is mounted there.
        drop(self.holder.stdin.take());
        let _ = self.holder.wait();
    }
}
