//! The line to PostgreSQL: every mode against a server with certificates, one with the wrong ones, and one without; the
//! password file that the configuration names; and a request from the dump to the rows over an encrypted line.
#![allow(clippy::unwrap_used, reason = "clippy takes the functions around a test for no test")]

#[path = "tls/certificates.rs"]
mod certificates;
mod support;

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use certificates::Authority;
use subscription_manager::config::{DatabaseConfig, Roots, TlsConfig, TlsMode};
use subscription_manager::db::Database;
use support::station::MANAGER;
use support::{Cluster, Server, Site, Station, wait};

/// How long a server may take to notice its new configuration.
const LIMIT: Duration = Duration::from_secs(60);

/// Who may come in, and how. The socket is the tests' own door.
const RULES: &str = "\
local   all all trust
hostssl   all slony 127.0.0.1/32 scram-sha-256
hostnossl all bare  127.0.0.1/32 trust
hostssl   all crypt 127.0.0.1/32 trust
hostssl   all known 127.0.0.1/32 cert
";

/// What a program says that was let in: there is no Slony-I cluster.
const LET_IN: &str = "relation \"_jsoc.sl_sequence\" does not exist";

const PASSWORD: &str = "not to be seen";

/// A server that encrypts, with a certificate of this authority for these names, and its rules.
fn encrypting(authority: &Authority, names: &[&str]) -> Server {
    let server = Server::listening();
    server.execute(
        "postgres",
        &format!("create role slony login superuser password '{PASSWORD}'; create role bare login superuser; create role crypt login superuser; create role known login superuser"),
    );
    encrypt(&server, &authority.server(names), &authority.root());
    server
}

/// Gives a server its certificate, and rules.
fn encrypt(server: &Server, (certificate, key): &(String, String), root: &str) {
    let data = server.socket_dir().join("data");
    let owner = fs::metadata(&data).unwrap();
    for (name, text) in [("server.crt", certificate.as_str()), ("server.key", key), ("root.crt", root)] {
        let path = data.join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        chown(&path, Some(owner.uid()), Some(owner.gid())).unwrap();
    }
    fs::write(data.join("pg_hba.conf"), RULES).unwrap();
    for setting in ["ssl = on", "ssl_ca_file = 'root.crt'", "log_connections = on"] {
        server.execute("postgres", &format!("alter system set {setting}"));
    }
    reload(server, "on");
}

/// Waits until sessions that begin from now on find encryption on or off.
fn reload(server: &Server, ssl: &str) {
    server.execute("postgres", "select pg_reload_conf()");
    wait::until("the new settings", LIMIT, || (server.query("postgres", "show ssl") == ssl).then_some(()));
}

/// Asks the server for the objects of a site; there is no Slony-I cluster: a program that was let in says that. `home` is
/// the program's home directory, with a configuration in it.
fn ask(server: &Server, home: &Path, settings: &str) -> Output {
    let at = home.display();
    let config = home.join("manager.cfg");
    let text = format!(
        "triggerdir={at}\nsubscribers_dir={at}\nparser_config={at}/slon_parser.cfg\ntables_dir={at}\npg_port={}\n\
         pg_dbname=postgres\nlog_level=trace\n{settings}",
        server.port()
    );
    write(&config, &text, 0o644);
    write(&home.join("slon_parser.cfg"), &format!("{at}/nso {at}/nso.lst\n"), 0o644);
    write(&home.join("nso.lst"), "hmi.m_45s\n", 0o644);
    let mut manager = Command::new(MANAGER);
    support::home::without_pg_variables(&mut manager);
    manager.arg("--config").arg(config).args(["offline-sql", "nso"]).env("HOME", home).output().unwrap()
}

fn write(path: &Path, text: &str, mode: u32) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Was let in.
#[track_caller]
fn assert_in(server: &Server, home: &Path, settings: &str) {
    let output = ask(server, home, settings);
    assert!(said(&output).contains(LET_IN), "{settings}\n{}", said(&output));
}

/// Was not let in, for this reason.
#[track_caller]
fn assert_out(server: &Server, home: &Path, settings: &str, reason: &str) {
    let output = ask(server, home, settings);
    assert!(!output.status.success(), "{settings}");
    assert!(
        said(&output).contains(reason),
        "{reason} is not in what was said of\n{settings}\n{}",
        said(&output)
    );
}

/// The programs' sessions of a role in the server's log: of each, whether it was encrypted.
fn sessions(server: &Server, role: &str) -> Vec<bool> {
    let of_role = format!("connection authorized: user={role} ");
    let is_ours =
        |line: &&str| line.contains(&of_role) && line.contains("application_name=subscription_manager");
    let log = server.said();
    log.lines().filter(is_ours).map(|line| line.contains("SSL enabled")).collect()
}

#[test]
fn every_mode_asks_what_libpq_asks() {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let server = encrypting(&ours, &["localhost"]);
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let file = |name: &str| home.join(name).display().to_string();
    fs::write(file("ours.crt"), ours.root()).unwrap();
    fs::write(file("theirs.crt"), theirs.root()).unwrap();
    let (ours, theirs) = (
        format!("pg_sslrootcert={}\n", file("ours.crt")),
        format!("pg_sslrootcert={}\n", file("theirs.crt")),
    );
    let crypt = "pg_user=crypt\npg_host=localhost\n";
    let numbered = "pg_user=crypt\npg_host=127.0.0.1\n";

    // Without a word, and without root certificates: encrypted, whoever answers.
    assert_in(&server, home, crypt);
    assert_in(&server, home, &format!("{crypt}pg_sslmode=require\n"));
    assert_out(&server, home, &format!("{crypt}pg_sslmode=disable\n"), "no pg_hba.conf entry");
    for mode in ["verify-ca", "verify-full"] {
        let mode = format!("pg_sslmode={mode}\n");
        assert_out(&server, home, &format!("{crypt}{mode}"), "name a file in pg_sslrootcert");
        assert_in(&server, home, &format!("{crypt}{mode}{ours}"));
        assert_out(&server, home, &format!("{crypt}{mode}{theirs}"), "UnknownIssuer");
        assert_out(
            &server,
            home,
            &format!("{crypt}{mode}pg_sslrootcert=/nowhere\n"),
            "(pg_sslrootcert) is not there",
        );
    }
    // `require` verifies where there are root certificates; `prefer` never does.
    assert_out(&server, home, &format!("{crypt}pg_sslmode=require\n{theirs}"), "UnknownIssuer");
    assert_in(&server, home, &format!("{crypt}pg_sslmode=prefer\n{theirs}"));
    // The host's name is asked by `verify-full` alone.
    assert_in(&server, home, &format!("{numbered}pg_sslmode=verify-ca\n{ours}"));
    assert_out(
        &server,
        home,
        &format!("{numbered}pg_sslmode=verify-full\n{ours}"),
        "certificate not valid for name",
    );
    // The roots lie where every client looks for them.
    fs::create_dir(home.join(".postgresql")).unwrap();
    fs::copy(file("ours.crt"), home.join(".postgresql/root.crt")).unwrap();
    assert_in(&server, home, &format!("{crypt}pg_sslmode=verify-full\n"));
    let encrypted = sessions(&server, "crypt");
    assert!(!encrypted.is_empty() && encrypted.iter().all(|encrypted| *encrypted), "{encrypted:?}");

    // A role that the server wants without encryption.
    assert_in(&server, home, "pg_user=bare\npg_host=localhost\n");
    assert_out(
        &server,
        home,
        "pg_user=bare\npg_host=localhost\npg_sslmode=require\n",
        "no pg_hba.conf entry",
    );
    assert_eq!(sessions(&server, "bare"), [false]);

    // Over a socket nothing is encrypted, and nothing of it is asked for.
    let socket = format!("pg_user=crypt\npg_host={}\n", server.socket_dir().display());
    assert_in(&server, home, &format!("{socket}pg_sslmode=verify-full\npg_sslrootcert=/nowhere\n"));

    // A server that cannot do it.
    server.execute("postgres", "alter system set ssl = off");
    reload(&server, "off");
    assert_in(&server, home, "pg_user=bare\npg_host=localhost\n");
    assert_out(&server, home, &format!("{crypt}pg_sslmode=require\n"), "server does not support TLS");
    assert_out(
        &server,
        home,
        &format!("{crypt}pg_sslmode=verify-full\n{ours}"),
        "server does not support TLS",
    );
}

#[test]
fn a_certificate_may_be_its_own_root_and_has_its_time() {
    let own = certificates::self_signed("localhost");
    let server = encrypting(&Authority::new("ours"), &["localhost"]);
    encrypt(&server, &own, &own.0);
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let root = home.join("root.crt");
    fs::write(&root, &own.0).unwrap();
    let trusting = |root: &Path| {
        format!(
            "pg_user=crypt\npg_host=localhost\npg_sslmode=verify-full\npg_sslrootcert={}\n",
            root.display()
        )
    };
    // Sessions that began before the new certificate was there are over.
    wait::until("the new certificate", LIMIT, || {
        said(&ask(&server, home, &trusting(&root))).contains(LET_IN).then_some(())
    });
    let another = home.join("another.crt");
    fs::write(&another, certificates::self_signed("localhost").0).unwrap();
    assert_out(&server, home, &trusting(&another), "invalid peer certificate");

    let old = certificates::expired("localhost");
    fs::write(&root, &old.0).unwrap();
    encrypt(&server, &old, &old.0);
    wait::until("the certificate that is over", LIMIT, || {
        said(&ask(&server, home, &trusting(&root))).contains("certificate expired").then_some(())
    });
}

#[test]
fn who_we_are_can_be_said_by_a_certificate() {
    let ours = Authority::new("ours");
    let server = encrypting(&ours, &["localhost"]);
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let (certificate, key) = ours.client("known");
    let settings = "pg_user=known\npg_host=localhost\n";
    assert_out(&server, home, settings, "connect to database postgres at localhost");
    write(&home.join("me.crt"), &certificate, 0o644);
    write(&home.join("me.key"), &key, 0o644);
    let at = home.display();
    let settings = format!("{settings}pg_sslcert={at}/me.crt\npg_sslkey={at}/me.key\n");
    assert_out(&server, home, &settings, "because others can read it: chmod 600 it");
    write(&home.join("me.key"), &key, 0o600);
    assert_in(&server, home, &settings);
    let (certificate, key) = Authority::new("theirs").client("known");
    write(&home.join("me.crt"), &certificate, 0o644);
    write(&home.join("me.key"), &key, 0o600);
    assert_out(
        &server,
        home,
        &format!("{settings}pg_sslmode=require\n"),
        "connect to database postgres at localhost",
    );
}

#[test]
fn a_password_file_that_is_named_must_be_there_and_be_nobody_elses() {
    let ours = Authority::new("ours");
    let server = encrypting(&ours, &["localhost"]);
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let file = home.join("password");
    let settings =
        format!("pg_user=slony\npg_host=localhost\npg_sslmode=require\npg_passfile={}\n", file.display());
    assert_out(&server, home, &settings, "is not there");
    let line = format!("localhost:{}:postgres:slony:{PASSWORD}\n", server.port());
    write(&file, &line, 0o640);
    assert_out(&server, home, &settings, "holds a secret, and others can read or change it: chmod 600 it");
    write(&file, "localhost:*:*:slony:wrong one\n", 0o600);
    let output = ask(&server, home, &settings);
    assert!(said(&output).contains("password authentication failed"), "{}", said(&output));
    assert!(!said(&output).contains("wrong one"), "{}", said(&output));
    write(&file, &line, 0o600);
    let output = ask(&server, home, &settings);
    assert!(said(&output).contains(LET_IN), "{}", said(&output));
    assert!(!said(&output).contains(PASSWORD), "{}", said(&output));
}

#[test]
fn the_tools_of_a_site_ask_the_same_of_their_database() {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let server = encrypting(&ours, &["localhost"]);
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    fs::create_dir_all(home.join("site_logs/nso")).unwrap();
    fs::create_dir(home.join("ingestion")).unwrap();
    let ask = |root: &Authority| {
        fs::write(home.join("root.crt"), root.root()).unwrap();
        let at = home.display();
        let text = format!(
            "node nso\nrmt_slony_dir {at}/site_logs\ningestion_path {at}/ingestion\npg_dbname postgres\npg_host localhost\n\
             pg_port {}\npg_user slony\npg_sslmode verify-full\npg_sslrootcert {at}/root.crt\npg_passfile {at}/password\n",
            server.port()
        );
        write(&home.join("site.cfg"), &text, 0o644);
        write(&home.join("password"), &format!("*:*:*:*:{PASSWORD}\n"), 0o600);
        let mut tool = Command::new(env!("CARGO_BIN_EXE_get_slony_logs"));
        support::home::without_pg_variables(&mut tool)
            .arg(home.join("site.cfg"))
            .env("HOME", home)
            .output()
            .unwrap()
    };
    let authorized = || {
        server
            .said()
            .matches("user=slony database=postgres application_name=get_slony_logs SSL enabled")
            .count()
    };
    let refused = said(&ask(&theirs));
    assert!(refused.contains("UnknownIssuer") && authorized() == 0, "{refused}");
    let let_in = said(&ask(&ours));
    assert!(authorized() > 0, "{let_in}");
    assert!(!let_in.contains(PASSWORD) && !let_in.contains("connect to database"), "{let_in}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_is_cancelled_over_an_encrypted_line_too() {
    let ours = Authority::new("ours");
    let server = encrypting(&ours, &["localhost"]);
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("root.crt");
    fs::write(&root, ours.root()).unwrap();
    let config = DatabaseConfig {
        host: "localhost".into(),
        port: server.port(),
        user: "crypt".into(),
        dbname: "postgres".into(),
        tls: TlsConfig { mode: TlsMode::VerifyFull, roots: Roots::File(root), ..TlsConfig::default() },
        ..DatabaseConfig::default()
    };
    let session = Database::new(&config, "jsoc").connect().await.unwrap();
    let encrypted = "select ssl from pg_stat_ssl where pid = pg_backend_pid()";
    assert!(session.client().query_one(encrypted, &[]).await.unwrap().get::<_, bool>(0));
    let sleep = session.client().batch_execute("select pg_sleep(3600)");
    let cancel = async {
        let sleeps = || {
            let sql = "select count(*) from pg_stat_activity where wait_event = 'PgSleep'";
            (server.query("postgres", sql) == "1").then_some(())
        };
        tokio::task::block_in_place(|| wait::until("the statement to run", LIMIT, sleeps));
        session.cancel().await;
    };
    let (slept, ()) = tokio::join!(sleep, cancel);
    assert_eq!(slept.unwrap_err().code().unwrap().code(), "57014", "query_canceled");
}

#[test]
fn a_request_goes_over_an_encrypted_line_from_the_dump_to_the_rows() {
    let ours = Authority::new("ours");
    let server = encrypting(&ours, &["localhost"]);
    let schema = "create schema hmi; create table hmi.m (recnum bigint primary key, note text);";
    let seed = "insert into hmi.m select i, repeat(md5(i::text), 10) from generate_series(1, 4000) i;";
    let cluster = Cluster::on(server, schema, seed, &["hmi"]);
    let server = cluster.server();
    let home = tempfile::tempdir().unwrap();
    let (root, password) = (home.path().join("root.crt"), home.path().join("password"));
    write(&root, &ours.root(), 0o644);
    write(&password, &format!("localhost:*:*:slony:{PASSWORD}\n"), 0o600);
    let station = Station::started(
        &cluster,
        &format!(
            "pg_host=localhost\npg_port={}\npg_user=slony\npg_sslmode=verify-full\npg_sslrootcert={}\npg_passfile={}\n\
             dump_rate=300000\nlog_level=trace\n",
            server.port(),
            root.display(),
            password.display()
        ),
    );
    let site = Site::new(&cluster, "nso");
    site.ask(&station, "hmi.m subscribe");
    let lines = "select string_agg(distinct ssl::text || ' ' || version, ',') from pg_stat_ssl join pg_stat_activity using (pid) \
                 where application_name = 'subscription_manager' and query like 'copy%'";
    let dumped = station
        .wait_for("the dump", || Some(server.query("postgres", lines)).filter(|said| !said.is_empty()));
    assert_eq!(dumped, "true TLSv1.3");
    let commands = fs::read(format!("/proc/{}/cmdline", station.process())).unwrap();
    assert!(!String::from_utf8_lossy(&commands).contains(PASSWORD));
    site.await_sql(&station);
    site.apply_sql(&station);
    site.answer(&station, true);
    site.assert_equal(&station, &["hmi.m"]);
    let list = station.command(&["list"]);
    let heard = [station.said(), station.read("log/subscription_manager.log"), said(&list)].concat();
    assert!(!heard.contains(PASSWORD) && !String::from_utf8_lossy(&list.stdout).contains(PASSWORD));
    let encrypted = sessions(server, "slony");
    assert!(!encrypted.is_empty() && encrypted.iter().all(|encrypted| *encrypted), "{encrypted:?}");
}
