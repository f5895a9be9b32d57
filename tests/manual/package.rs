//! The packages: built, installed, used, upgraded, removed and purged, with the real dpkg and the real daemon.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::calls::allowed;
use crate::looks::{
    the_manual_can_be_read, the_shell_completes, the_trials_work_under_the_unit, the_units_are_sound,
};
use crate::machine::Machine;
use crate::service::{CONFIG, Service, UNIT};
use crate::support::Cluster;
use crate::support::station::MANAGER;

/// A stand-in for systemd's own command, which notes what it is asked for: no systemd runs in a test.
const SYSTEMCTL: &str =
    "#!/bin/sh\necho \"$@\" >>/var/log/asked\ncase \"$*\" in *is-enabled*) echo enabled;; esac\n";

/// Every file, directory, owner, mode and content below.
const TREE: &str =
    "cd /srv/slony && find . -printf '%p %u %g %m\\n' | sort && find . -type f | sort | xargs md5sum";

/// dpkg with the files that images for containers leave out.
const INSTALL: &str = "dpkg --path-include='/usr/share/*' --force-confdef --install";

/// Builds both packages; returns their paths.
fn build(into: &Path) -> Vec<PathBuf> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/build.sh");
    let programs = Path::new(MANAGER).parent().expect("a directory");
    let mut build = Command::new(script);
    // Compressing programs that were built for debugging takes most of a minute.
    build.args([programs, into]).env("VERSION", "1.0").env("COMPRESSION", "none");
    let output = build.output().expect("run packaging/build.sh");
    let said = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    said.lines().map(PathBuf::from).collect()
}

/// The next version of a package: its sample configuration has a line more.
fn next(package: &Path, into: &Path) -> PathBuf {
    let newer = into.join("newer.deb");
    let script = "set -e; dpkg-deb -R \"$1\" \"$2/x\"; sed -i 's/^Version: .*/Version: 1.1/' \"$2/x/DEBIAN/control\"; \
         echo '# of 1.1' >>\"$2/x/etc/subscription_manager.cfg\"; \
         dpkg-deb --root-owner-group -Znone -b \"$2/x\" \"$3\"; rm -r \"$2/x\"";
    let mut shell = Command::new("sh");
    shell.args(["-c", script, "sh"]).args([package, into, &newer]);
    let output = shell.output().expect("run sh");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    newer
}

/// What the maintainer scripts have asked systemd for since the last time, of starting and stopping.
fn asked(machine: &Machine) -> Vec<String> {
    let said = machine.run("cat /var/log/asked; : >/var/log/asked");
    let verbs = ["start", "restart", "stop", "try-restart"];
    let is_work = |line: &&str| line.split(' ').any(|word| verbs.contains(&word));
    said.lines().filter(is_work).map(|line| line.replace("--system ", "").replace("--quiet ", "")).collect()
}

/// A copy of this machine on which systemd seems to run.
fn machine(seen: &Path) -> Machine {
    let machine = Machine::new(seen);
    machine.run(
        "mkdir -p /run/systemd/system && rm -f /usr/sbin/policy-rc.d /var/lib/man-db/auto-update && : >/var/log/asked; \
         userdel -f slony 2>/dev/null; rm -rf /srv/slony",
    );
    fs::write(machine.at("/bin/systemctl"), SYSTEMCTL).expect("write a stand-in");
    machine.run("chmod 755 /bin/systemctl");
    machine
}

#[test]
fn the_packages_are_installed_used_upgraded_removed_and_purged() {
    let cluster = Cluster::shared();
    let home = cluster.server().home();
    let packages = home.directory("packages");
    let built = build(&packages);
    let machine = machine(home.path());
    let said = machine.run(&format!("{INSTALL} {} {}", built[0].display(), built[1].display()));
    assert_eq!(asked(&machine), ["start subscription_manager.service"], "{said}");
    the_directories_are_there(&machine);
    the_units_are_sound(&machine);
    the_manual_can_be_read(&machine);
    the_trials_work_under_the_unit(&machine);
    the_shell_completes(&machine);

    let service = Service::configured(&machine, cluster);
    a_site_is_served(&service);
    let newer = next(&built[0], &packages);
    an_upgrade_keeps_everything(&service, &newer);
    the_unit_allows_what_is_called(&service);
    removing_keeps_everything(&service, &newer);
    purging_keeps_what_is_the_subscribers(&machine);
}

fn the_directories_are_there(machine: &Machine) {
    let directories = machine.run("stat -c '%n %U %G %a' /srv/slony /srv/slony/*");
    assert_eq!(
        directories.lines().collect::<Vec<_>>(),
        [
            "/srv/slony root root 755",
            "/srv/slony/archives slony slony 755",
            "/srv/slony/etc slony slony 755",
            "/srv/slony/site_logs slony slony 755",
            "/srv/slony/triggers slony slony-sites 3775",
            "/srv/slony/work slony slony 755",
        ]
    );
    assert!(machine.run("id -nG slony").contains("slony-sites"));
    // The home of the account, before any service has run, and the place of the sites' configurations.
    let own = machine.run("stat -c '%n %U %G %a' /var/lib/subscription_manager /etc/subscription_manager");
    assert_eq!(
        own.lines().collect::<Vec<_>>(),
        ["/var/lib/subscription_manager slony slony 755", "/etc/subscription_manager root root 755"]
    );
}

/// A subscription from the request to its logs.
fn a_site_is_served(service: &Service<'_>) {
    let early = service.machine.bash(&service.as_user("subscription_manager list"));
    let early = String::from_utf8_lossy(&early.stderr).into_owned();
    assert!(early.contains("is not there yet: a start of the daemon makes it"), "{early}");
    service.start();
    service.await_file("/srv/slony/etc/split.counter");
    service.drop_file("nso.subscription_series.tgr", "node nso\nhmi.m_45s subscribe\nend\n");
    let answer = service.await_file("/srv/slony/triggers/nso.subscription_series.sqldone");
    assert!(answer.starts_with("cut "), "{answer}");
    service.drop_file("nso.subscription_series.sqlapplied", "success true\n");
    let done = service.await_file("/srv/slony/triggers/nso.subscription_series.done");
    assert!(done.starts_with("success true\n"), "{done}");
    service.await_logs("nso");
    assert!(service.machine.run(&service.as_user("subscription_manager list")).contains("nso"));
    service.stop();
    let tree = service.machine.run(TREE);
    assert!(tree.contains("./site_logs/nso slony slony 755") && tree.contains("audit.jsonl"), "{tree}");
}

/// What the operator has changed stays, so does everything else, and the daemon goes on.
fn an_upgrade_keeps_everything(service: &Service<'_>, newer: &Path) {
    let machine = service.machine;
    let tree = machine.run(TREE);
    let config = machine.run(&format!("cat {CONFIG}"));
    machine.run(&format!("{INSTALL} {}", newer.display()));
    assert_eq!(asked(machine), ["restart subscription_manager.service"]);
    assert_eq!(machine.run("dpkg-query -W -f '${Version}' subscription-manager"), "1.1");
    assert_eq!(machine.run(&format!("cat {CONFIG}")), config);
    assert!(machine.run(&format!("cat {CONFIG}.dpkg-dist")).ends_with("# of 1.1\n"));
    assert_eq!(machine.run(TREE), tree);
    service.start_traced("/run/calls");
    service.await_logs("nso");
    service.stop();
    assert!(machine.run("cat /var/log/subscription_manager/subscription_manager.log").contains("stopped"));
}

/// No systemd runs here that would enforce the filter of the unit: what was called is compared with it.
fn the_unit_allows_what_is_called(service: &Service<'_>) {
    let allowed = allowed(service.machine, &service.machine.run(&format!("cat {UNIT}")));
    let called = service.traced("/run/calls");
    let refused: Vec<_> = called.iter().filter(|call| !allowed.contains(*call)).collect();
    let is_whole = called.iter().any(|call| call == "openat");
    assert!(is_whole && refused.is_empty(), "the unit refuses {refused:?} of {called:?}");
}

/// The program goes, and nothing else. Installed once more, it finds all as it was.
fn removing_keeps_everything(service: &Service<'_>, newer: &Path) {
    let machine = service.machine;
    let kept = || (machine.run(&format!("cat {CONFIG}")), machine.run(TREE));
    let before = kept();
    machine.run("dpkg --remove subscription-manager");
    assert_eq!(asked(machine), ["stop subscription_manager.service"]);
    machine.run(&format!("! ls /usr/bin/subscription_manager {UNIT} 2>/dev/null"));
    assert_eq!(kept(), before);
    machine.run(&format!("{INSTALL} {}", newer.display()));
    assert_eq!(kept(), before);
}

/// Configuration and log go, what is the subscribers' stays, and who purges is told.
fn purging_keeps_what_is_the_subscribers(machine: &Machine) {
    let tree = machine.run(TREE);
    let said = machine.run("dpkg --purge subscription-manager subscription-manager-site");
    let told = "kept as they are: site logs, trigger files, lists, the registry and the audit trail";
    assert!(said.contains(told), "{said}");
    assert_eq!(machine.run(TREE), tree);
    let own =
        "/var/log/subscription_manager /var/lib/subscription_manager /usr/share/doc/subscription-manager*";
    machine.run(&format!("! ls -d {CONFIG}* {UNIT} {own} 2>/dev/null"));
    machine.run(
        "! ls /usr/bin/subscription_manager /usr/bin/subscribe_series /usr/bin/get_slony_logs 2>/dev/null",
    );
    let known = "dpkg-query -W -f '${Package} ${Status}\n' 'subscription-manager*' 2>/dev/null || true";
    assert_eq!(machine.run(known), "");
    machine.run("id slony");
}
