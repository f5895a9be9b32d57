//! Passwords: a server that asks for one, and the password file.
#![allow(clippy::unwrap_used, reason = "clippy takes the functions around a test for no test")]

mod support;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output};

use support::Server;
use support::station::MANAGER;

/// Asks the server, as the role `slony`, for the objects of a site; returns what the program said. There is no Slony-I
/// cluster: a program that was let in says that.
fn ask(server: &Server, directory: &tempfile::TempDir) -> Output {
    let at = directory.path().display();
    let config = directory.path().join("manager.cfg");
    let text = format!(
        "triggerdir={at}\nsubscribers_dir={at}\nparser_config={at}/slon_parser.cfg\ntables_dir={at}\npg_host={}\n\
         pg_port={}\npg_user=slony\npg_dbname=postgres\n",
        server.socket_dir().display(),
        server.port()
    );
    fs::write(&config, text).unwrap();
    fs::write(directory.path().join("slon_parser.cfg"), format!("{at}/nso {at}/nso.lst\n")).unwrap();
    fs::write(directory.path().join("nso.lst"), "hmi.m_45s\n").unwrap();
    let mut manager = Command::new(MANAGER);
    support::home::without_pg_variables(&mut manager);
    manager.arg("--config").arg(config).args(["offline-sql", "nso"]).env("HOME", directory.path());
    manager.output().unwrap()
}

#[test]
fn a_password_comes_from_the_password_file() {
    let server = Server::start();
    server.execute("postgres", "create role slony login password 'se:cret'");
    let rules = "local all postgres trust\nlocal all all scram-sha-256\n";
    fs::write(server.socket_dir().join("data/pg_hba.conf"), rules).unwrap();
    server.execute("postgres", "select pg_reload_conf()");
    let directory = tempfile::tempdir().unwrap();
    let said = |output: &Output| String::from_utf8_lossy(&output.stderr).into_owned();

    let none = ask(&server, &directory);
    assert!(!none.status.success() && said(&none).contains("password"), "{}", said(&none));

    let path = directory.path().join(".pgpass");
    fs::write(&path, "*:*:postgres:slony:se\\:cret\n").unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    let open = ask(&server, &directory);
    assert!(said(&open).contains("others can read or change it: chmod 600 it"), "{}", said(&open));
    assert!(!open.status.success() && !said(&open).contains("_jsoc"), "{}", said(&open));

    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    let let_in = ask(&server, &directory);
    assert!(said(&let_in).contains("jsoc"), "{}", said(&let_in));
    assert!(!said(&let_in).contains("password") && !said(&let_in).contains("cret"), "{}", said(&let_in));
}
