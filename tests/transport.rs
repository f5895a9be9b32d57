//! The door to the data centre's host, over a real sshd that offers SFTP and nothing else.
#![allow(clippy::unwrap_used, reason = "clippy takes the functions around a test for no test")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use rustix::fs::{CWD, FileType, mknodat};
use subscription_manager::error::Error;
use subscription_manager::transport::{Entry, Host, HostConfig};
use support::sshd::is_root;
use support::{Sshd, wait};
use tempfile::TempDir;

/// Long enough for a machine with much to do; no test waits for its end.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where the parts of a larger test lie: the host's directory, which everybody may enter, and ours.
struct Place {
    there: TempDir,
    here: TempDir,
}

impl Place {
    fn new() -> Self {
        let there = tempfile::tempdir().unwrap();
        fs::set_permissions(there.path(), fs::Permissions::from_mode(0o755)).unwrap();
        Self { there, here: tempfile::tempdir().unwrap() }
    }

    /// The path of a file there, as the host's calls take it.
    fn at(&self, name: &str) -> String {
        self.there.path().join(name).to_str().unwrap().to_owned()
    }

    fn directory(&self) -> &str {
        self.there.path().to_str().unwrap()
    }

    fn local(&self, name: &str) -> PathBuf {
        self.here.path().join(name)
    }
}

fn config(sshd: &Sshd, ssh: &str) -> HostConfig {
    let ssh = ssh.split(' ').map(str::to_owned).collect();
    HostConfig { name: Some(sshd.host().into()), port: Some(sshd.port()), user: None, ssh }
}

fn host(sshd: &Sshd) -> Host {
    Host::new(&config(sshd, &sshd.ssh_cmd())).with_patience(PATIENCE)
}

/// A host that is this machine.
fn this_machine() -> Host {
    Host::new(&HostConfig { name: None, port: None, user: None, ssh: Vec::new() })
}

/// Every name in a directory, hidden ones too, with the content of what is a file.
fn tree(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(directory).unwrap().map(Result::unwrap);
    let content = |entry: &fs::DirEntry| {
        if entry.file_type().unwrap().is_file() {
            fs::read(entry.path()).unwrap()
        } else {
            b"no file".to_vec()
        }
    };
    entries.map(|entry| (entry.file_name().into_string().unwrap(), content(&entry))).collect()
}

fn files(names: &[(&str, &[u8])]) -> BTreeMap<String, Vec<u8>> {
    names.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec())).collect()
}

/// Bytes in which a piece that is missing, doubled or in the wrong place shows.
fn noise(count: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    std::iter::repeat_with(&mut next).flatten().take(count).collect()
}

/// What every kind of host does alike.
async fn calls(host: &Host) {
    let place = Place::new();
    let at = |name: &str| place.at(name);
    assert_eq!(host.list(place.directory()).await.unwrap(), []);
    assert_eq!(host.size(&at("b")).await.unwrap(), None);
    assert_eq!(host.read(&at("b"), 10).await.unwrap(), None);
    assert_eq!(host.fetch(&at("b"), 0, 10, &place.local("b"), &|_| ()).await.unwrap(), None);
    host.remove(&at("b")).await.unwrap();

    let long = noise(300_001);
    host.put(&at("b"), b"one").await.unwrap();
    host.put(&at("a"), &long).await.unwrap();
    host.put(&at("b"), b"other").await.unwrap();
    host.put(&at("b"), b"other").await.unwrap();
    host.put(&at("empty"), b"").await.unwrap();
    assert_eq!(tree(place.there.path()), files(&[("a", &long), ("b", b"other"), ("empty", b"")]));

    let entry = |name: &str, bytes| Entry { name: name.into(), bytes };
    let listed = [entry("a", 300_001), entry("b", 5), entry("empty", 0)];
    assert_eq!(host.list(place.directory()).await.unwrap(), listed);
    assert_eq!(host.size(&at("b")).await.unwrap(), Some(5));
    assert_eq!(host.read(&at("b"), 5).await.unwrap().unwrap(), b"other");
    assert_eq!(host.read(&at("a"), 300_001).await.unwrap().unwrap(), long);
    assert_eq!(host.read(&at("empty"), 0).await.unwrap().unwrap(), b"");

    let seen = AtomicU64::new(0);
    let progress = |bytes| seen.store(bytes, Ordering::Relaxed);
    let into = place.local("a");
    assert_eq!(host.fetch(&at("a"), 0, 300_001, &into, &progress).await.unwrap(), Some(300_001));
    assert_eq!((fs::read(&into).unwrap() == long, seen.load(Ordering::Relaxed)), (true, 300_001));
    // The rest of one that is there in part, of one that is there whole, and of one without bytes.
    fs::write(&into, &long[..70_000]).unwrap();
    assert_eq!(host.fetch(&at("a"), 70_000, 230_001, &into, &progress).await.unwrap(), Some(300_001));
    assert_eq!((fs::read(&into).unwrap() == long, seen.load(Ordering::Relaxed)), (true, 230_001));
    assert_eq!(host.fetch(&at("a"), 300_001, 0, &into, &progress).await.unwrap(), Some(300_001));
    assert_eq!(fs::metadata(&into).unwrap().len(), 300_001);
    assert_eq!(host.fetch(&at("empty"), 0, 0, &place.local("empty"), &progress).await.unwrap(), Some(0));
    assert_eq!(fs::read(place.local("empty")).unwrap(), b"");

    // More than there may be: nothing is written.
    for error in [
        host.read(&at("a"), 300_000).await.unwrap_err(),
        host.fetch(&at("a"), 0, 300_000, &place.local("large"), &progress).await.unwrap_err(),
        host.fetch(&at("a"), 1, 299_999, &place.local("large"), &progress).await.unwrap_err(),
    ] {
        assert!(matches!(error, Error::Stopped(_)), "{error:?}");
        assert!(error.chain().contains("300000 bytes that it may have"), "{}", error.chain());
    }
    assert!(!place.local("large").exists());

    host.remove(&at("a")).await.unwrap();
    host.remove(&at("a")).await.unwrap();
    assert_eq!(tree(place.there.path()), files(&[("b", b"other"), ("empty", b"")]));
    let missing = host.list(&at("none")).await.unwrap_err();
    assert!(missing.chain().starts_with(&format!("list `{}`", at("none"))), "{}", missing.chain());
    assert!(host.put(&at("none/a"), b"x").await.is_err());
}

/// Only plain files with plain names are seen.
async fn odd_things(host: &Host) {
    let place = Place::new();
    let there = place.there.path();
    for name in ["plain", ".hidden", "new\nline", "\u{1b}[2J"] {
        fs::write(there.join(name), "x").unwrap();
    }
    let bytes: &std::ffi::OsStr = std::os::unix::ffi::OsStrExt::from_bytes(b"no\xffutf8");
    fs::write(there.join(bytes), "x").unwrap();
    fs::create_dir(there.join("directory")).unwrap();
    symlink(there.join("plain"), there.join("link")).unwrap();
    symlink("/etc/passwd", there.join("passwd")).unwrap();
    mknodat(CWD, there.join("fifo"), FileType::Fifo, 0o644.into(), 0).unwrap();
    let listed = host.list(place.directory()).await.unwrap();
    assert_eq!(listed, [Entry { name: "plain".into(), bytes: 1 }]);
    for name in ["directory", "link", "passwd", "fifo"] {
        let path = place.at(name);
        assert_eq!(host.size(&path).await.unwrap(), None, "{name}");
        assert_eq!(host.read(&path, 10_000).await.unwrap(), None, "{name}");
        let into = place.local(name);
        assert_eq!(host.fetch(&path, 0, 10_000, &into, &|_| ()).await.unwrap(), None, "{name}");
        assert!(!into.exists(), "{name}");
    }
}

#[tokio::test]
async fn a_directory_of_this_machine_is_a_host() {
    calls(&this_machine()).await;
    odd_things(&this_machine()).await;
}

#[tokio::test]
async fn a_host_behind_sshd_does_the_same() {
    let sshd = Sshd::start();
    calls(&host(&sshd)).await;
    odd_things(&host(&sshd)).await;
}

#[tokio::test]
async fn what_was_left_over_of_a_put_is_replaced_and_no_link_is_written_through() {
    let (sshd, place) = (Sshd::start(), Place::new());
    let victim = place.at("victim");
    fs::write(&victim, "whole").unwrap();
    fs::write(place.at(".a.part"), "left over, and longer than what comes").unwrap();
    symlink(&victim, place.at(".b.part")).unwrap();
    symlink(&victim, place.at("c")).unwrap();
    let host = host(&sshd);
    for name in ["a", "b", "c"] {
        host.put(&place.at(name), b"new").await.unwrap();
    }
    let expected = files(&[("a", b"new"), ("b", b"new"), ("c", b"new"), ("victim", b"whole")]);
    assert_eq!(tree(place.there.path()), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_calls_share_one_connection() {
    let (sshd, place) = (Sshd::start(), Place::new());
    let host = Arc::new(host(&sshd));
    let bytes = noise(200_000);
    fs::write(place.at("a"), &bytes).unwrap();
    let calls: Vec<_> = (0..200)
        .map(|number| {
            let (host, path, into) = (Arc::clone(&host), place.at("a"), place.local(&number.to_string()));
            tokio::spawn(async move { host.fetch(&path, 0, 200_000, &into, &|_| ()).await })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap(), Some(200_000));
    }
    assert!(tree(place.here.path()).values().all(|copy| *copy == bytes));
    assert_eq!(sshd.said().matches("Accepted publickey").count(), 1, "{}", sshd.said());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fetch_goes_on_where_the_line_broke() {
    let (sshd, place) = (Sshd::start(), Place::new());
    let bytes = noise(40_000_000);
    fs::write(place.at("a"), &bytes).unwrap();
    let (host, into) = (host(&sshd), place.local("a"));
    let cuts = [AtomicBool::new(false), AtomicBool::new(false), AtomicBool::new(false)];
    let progress = |come: u64| {
        let reached = usize::try_from(come / 10_000_000).unwrap();
        if let Some(cut) = reached.checked_sub(1).and_then(|at| cuts.get(at))
            && !cut.swap(true, Ordering::Relaxed)
        {
            assert!(sshd.cut() > 0);
        }
    };
    assert_eq!(host.fetch(&place.at("a"), 0, 40_000_000, &into, &progress).await.unwrap(), Some(40_000_000));
    assert!(fs::read(&into).unwrap() == bytes, "the bytes are the same");
    assert!(cuts.iter().all(|cut| cut.load(Ordering::Relaxed)));
    assert_eq!(sshd.said().matches("Accepted publickey").count(), 4, "{}", sshd.said());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_another_after_the_line_broke_is_not_gone_on_with() {
    let (sshd, place) = (Sshd::start(), Place::new());
    fs::write(place.at("a"), noise(20_000_000)).unwrap();
    let (host, into) = (host(&sshd), place.local("a"));
    let cut = AtomicBool::new(false);
    let progress = |_| {
        if !cut.swap(true, Ordering::Relaxed) {
            sshd.cut();
            fs::write(place.at("b"), noise(19_000_000)).unwrap();
            fs::rename(place.at("b"), place.at("a")).unwrap();
        }
    };
    let error = host.fetch(&place.at("a"), 0, 20_000_000, &into, &progress).await.unwrap_err();
    assert!(error.chain().ends_with("it was changed while it was fetched"), "{}", error.chain());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_breaks_between_two_calls_is_not_noticed() {
    let (sshd, place) = (Sshd::start(), Place::new());
    let host = host(&sshd);
    for number in 0..3 {
        host.put(&place.at(&number.to_string()), b"x").await.unwrap();
        assert!(sshd.cut() > 0);
    }
    assert_eq!(host.list(place.directory()).await.unwrap().len(), 3);
    drop(host);
    wait::until("ssh to end with the host", PATIENCE, || (!sshd.is_connected()).then_some(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_is_dead_without_a_word_is_given_up() {
    let (sshd, place) = (Sshd::start(), Place::new());
    fs::write(place.at("a"), "x").unwrap();
    let quick = format!("{} -o ServerAliveInterval=1 -o ServerAliveCountMax=2", sshd.ssh_cmd());
    let host = Host::new(&config(&sshd, &quick)).with_patience(PATIENCE);
    assert_eq!(host.size(&place.at("a")).await.unwrap(), Some(1));
    assert!(sshd.freeze() > 0);
    assert_eq!(host.size(&place.at("a")).await.unwrap(), Some(1));
}

/// Lets a call go on so many times, then drops it.
async fn drop_after(polls: usize, call: impl Future) {
    let (mut call, mut left) = (std::pin::pin!(call), polls);
    std::future::poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(());
        }
        left -= 1;
        call.as_mut().poll(context).map(|_| ())
    })
    .await;
}

#[tokio::test]
async fn calls_that_are_dropped_leave_nothing_open() {
    let (sshd, place) = (Sshd::start(), Place::new());
    let bytes = noise(100_000);
    fs::write(place.at("a"), &bytes).unwrap();
    let (host, path) = (host(&sshd), place.at("a"));
    host.size(&path).await.unwrap();
    for number in 0..600 {
        drop_after(number % 4, host.fetch(&path, 0, 100_000, &place.local("dropped"), &|_| ())).await;
        drop_after(number % 4, host.list(place.directory())).await;
        // Not only at the end: it is with some numbers of open files that one more does not work.
        if number % 50 == 0 {
            let into = place.local(&number.to_string());
            assert_eq!(host.fetch(&path, 0, 100_000, &into, &|_| ()).await.unwrap(), Some(100_000));
            assert!(fs::read(into).unwrap() == bytes);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_sshd_that_is_down_for_a_while_is_waited_for() {
    let (sshd, place) = (Sshd::start(), Place::new());
    let impatient = host(&sshd).with_patience(Duration::from_secs(2));
    let host = Arc::new(host(&sshd));
    host.put(&place.at("a"), b"one").await.unwrap();
    sshd.stop();
    let calls: Vec<_> = (0..20)
        .map(|number| {
            let (host, path) = (Arc::clone(&host), place.at(&number.to_string()));
            tokio::spawn(async move { host.put(&path, b"other").await })
        })
        .collect();
    // It is away for so long that another gives up.
    impatient.list(place.directory()).await.unwrap_err();
    assert_eq!(tree(place.there.path()), files(&[("a", b"one")]));
    sshd.start_again();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert_eq!(tree(place.there.path()).len(), 21);
}

#[tokio::test]
async fn the_patience_ends() {
    let sshd = Sshd::start();
    sshd.stop();
    let host = host(&sshd).with_patience(Duration::from_secs(2));
    let begin = Instant::now();
    let error = host.list("/somewhere").await.unwrap_err();
    assert!(matches!(error, Error::Line { .. }), "{error:?}");
    let said = error.chain();
    assert!(
        said.starts_with("list `/somewhere` at 127.0.0.1: ") && said.contains("Connection refused"),
        "{said}"
    );
    let took = begin.elapsed();
    assert!(took >= Duration::from_secs(2) && took < PATIENCE, "{took:?}");
}

/// Fails at once with what a person has to mend.
async fn must_be_mended(host: Host, words: &[&str]) {
    let begin = Instant::now();
    let error = host.with_patience(Duration::from_secs(600)).list("/").await.unwrap_err();
    assert!(matches!(error, Error::Stopped(_)), "{error:?}");
    for word in words {
        assert!(error.chain().contains(word), "{word}: {}", error.chain());
    }
    assert!(begin.elapsed() < PATIENCE, "{:?}", begin.elapsed());
}

#[tokio::test]
async fn what_a_person_must_mend_is_said_at_once() {
    let sshd = Sshd::start();
    let with = |ssh: &str| Host::new(&config(&sshd, ssh));
    let place = Place::new();
    must_be_mended(
        with(&sshd.ssh_cmd_with_wrong_key()),
        &["connect to 127.0.0.1: ", "Permission denied (publickey)", "hint: "],
    )
    .await;
    must_be_mended(with(&sshd.ssh_cmd_with_wrong_host_key()), &["Host key verification failed", "hint: "])
        .await;
    must_be_mended(with("/nowhere/ssh"), &["start `/nowhere/ssh`", "hint: "]).await;
    must_be_mended(
        with(&format!("{} -o Nonsense=1", sshd.ssh_cmd())),
        &["Bad configuration option", "hint: "],
    )
    .await;
    // What answers is no sftp server: one that ends at once, and a shell that greets people.
    must_be_mended(with("false"), &["exit status 1", "hint: "]).await;
    let shell = place.local("shell");
    fs::write(&shell, "echo Welcome to webdb, and behave yourself; cat").unwrap();
    must_be_mended(with(&format!("sh {}", shell.display())), &["no sftp server", "hint: "]).await;
    let absent = place.local("agent");
    must_be_mended(with(&sshd.ssh_cmd()).with_agent(Some(absent.clone())), &["is not there", "hint: "]).await;
    fs::write(&absent, "echo Agent pid 1\n").unwrap();
    must_be_mended(with(&sshd.ssh_cmd()).with_agent(Some(absent)), &["SSH_AUTH_SOCK", "hint: "]).await;
}

#[tokio::test]
async fn the_agent_of_the_file_is_asked() {
    let sshd = Sshd::start();
    let with = |agent| Host::new(&config(&sshd, &sshd.ssh_cmd_without_key())).with_agent(agent);
    must_be_mended(with(None), &["Permission denied"]).await;
    let agent = sshd.start_agent();
    with(Some(agent)).list("/").await.unwrap();
}

#[tokio::test]
async fn what_is_forbidden_is_told_apart_and_not_tried_again() {
    let (sshd, place) = (Sshd::for_nobody(), Place::new());
    fs::write(place.at("secret"), "x").unwrap();
    fs::set_permissions(place.at("secret"), fs::Permissions::from_mode(0o000)).unwrap();
    fs::set_permissions(place.there.path(), fs::Permissions::from_mode(0o555)).unwrap();
    let host = host(&sshd).with_patience(Duration::from_secs(600));
    let begin = Instant::now();
    for error in [
        host.put(&place.at("slony_counter.txt"), b"1").await.unwrap_err(),
        host.remove(&place.at("secret")).await.unwrap_err(),
        host.read(&place.at("secret"), 10).await.unwrap_err(),
        host.fetch(&place.at("secret"), 0, 10, &place.local("secret"), &|_| ()).await.unwrap_err(),
    ] {
        assert!(error.is_forbidden(), "{error:?}");
        assert!(error.chain().ends_with(" at 127.0.0.1: Permission denied"), "{}", error.chain());
    }
    assert!(begin.elapsed() < PATIENCE, "{:?}", begin.elapsed());
    assert_eq!(host.list(place.directory()).await.unwrap().len(), 1, "the line is as good as before");
    fs::set_permissions(place.there.path(), fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(fs::read_dir(place.there.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn a_chroot_is_enough() {
    if !is_root() {
        eprintln!("the chroot was not tested: that takes root");
        return;
    }
    // Everything above a chroot must belong to root alone, which /tmp does not.
    let root = tempfile::Builder::new().prefix("subscription_manager.").tempdir_in("/run").unwrap();
    let at = |name: &str| root.path().join(name);
    fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::create_dir(at("logs")).unwrap();
    fs::create_dir(at("triggers")).unwrap();
    fs::set_permissions(at("triggers"), fs::Permissions::from_mode(0o1777)).unwrap();
    fs::write(at("logs/a"), "log").unwrap();
    let sshd = Sshd::in_chroot(root.path()).unwrap();
    let host = host(&sshd);
    assert_eq!(host.read("/logs/a", 10).await.unwrap().unwrap(), b"log");
    host.put("/triggers/nso.tgr", b"request").await.unwrap();
    assert_eq!(tree(&at("triggers")), files(&[("nso.tgr", b"request")]));
    assert!(host.put("/logs/slony_counter.txt", b"1").await.unwrap_err().is_forbidden());
    assert_eq!(host.size("/etc/passwd").await.unwrap(), None);
    assert_eq!(host.size(at("logs/a").to_str().unwrap()).await.unwrap(), None);
}
