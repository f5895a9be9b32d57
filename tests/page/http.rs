//! What is served, to whom, and what is not.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};

use crate::client::{address, ask, get, get_at_socket, read, try_ask};
use crate::cluster;
use crate::nodes::{SHOWING, names, showing};
use crate::support::Station;
use crate::support::station::LIMIT;

const PATHS: &[&str] = &["/", "/page.css", "/page.js", "/status.json", "/metrics", "/healthz"];

#[test]
fn it_can_only_be_read() {
    let station = showing(&names(2));
    let address = address(&station);
    station.wait_for("the first look", || (get(&address, "/healthz").status == 200).then_some(()));
    let before = station.tree();
    for path in PATHS {
        let answer = get(&address, path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        let head = ask(&address, "HEAD", path, "");
        assert_eq!((head.status, head.body.as_str()), (200, ""), "{path}");
        assert_eq!(head.header("content-type"), answer.header("content-type"), "{path}");
        for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT"] {
            let refused = ask(&address, method, path, "{}");
            assert!((400..=405).contains(&refused.status), "{method} {path}: {}", refused.status);
            assert_policy(&refused.head);
        }
        assert_policy(&answer.head);
    }
    assert_eq!(ask(&address, "POST", "/", "").status, 405);
    assert_eq!(ask(&address, "POST", "/", "").header("allow"), "GET,HEAD");
    for path in ["/etc/passwd", "/../etc/passwd", "/%2e%2e/etc/passwd", "/status.json/", "//", "/page.html"] {
        let answer = get(&address, path);
        assert_eq!((answer.status, answer.body.as_str()), (404, "there is nothing of this name\n"), "{path}");
    }
    assert_eq!(station.tree(), before);
}

/// Where the server itself refuses, before anybody of ours is asked, nothing is shown that could be misused.
#[track_caller]
fn assert_policy(head: &str) {
    let lower = head.to_lowercase();
    let refused_at_once = lower.contains("content-length: 0") && !lower.contains("content-type");
    assert!(refused_at_once || lower.contains("content-security-policy: default-src 'none';"), "{head}");
    assert!(refused_at_once || lower.contains("x-content-type-options: nosniff"), "{head}");
}

#[test]
fn no_secret_is_shown() {
    let station =
        Station::new(cluster(), &format!("{SHOWING}archive_dir={}\n", cluster().archive_dir().display()));
    let passfile = station.at("pass");
    fs::write(&passfile, "*:*:*:*:a-secret-word\n").expect("write a passfile");
    fs::set_permissions(&passfile, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("chmod");
    station.configure(&format!("http_listen=127.0.0.1:0\nrescan=1\npg_passfile={}\n", passfile.display()));
    station.start();
    let address = address(&station);
    for path in PATHS {
        let body = get(&address, path).body;
        for secret in ["a-secret-word", "archiver", passfile.to_str().expect("plain"), "postgres"] {
            assert!(!body.contains(secret), "{path} shows {secret}");
        }
    }
}

#[test]
fn who_asks_slowly_or_for_too_much_is_let_go_and_the_others_are_answered() {
    let station = showing(&[]);
    let address = address(&station);
    // More than there are places for, and none of them ever says what it wants.
    let mut silent: Vec<TcpStream> =
        (0..40).map(|_| TcpStream::connect(&address).expect("connect")).collect();
    silent[0].write_all(b"GET / HTTP/1.1\r\nX: ").expect("begin a request");
    assert_eq!(get(&address, "/healthz").status, 200);
    for stream in &mut silent {
        stream.set_read_timeout(Some(LIMIT)).expect("set a limit");
        let mut said = Vec::new();
        let _ = stream.read_to_end(&mut said);
        assert!(said.is_empty() || read(&said).status == 408, "{}", String::from_utf8_lossy(&said));
    }
    let long = format!("/?q={}", "x".repeat(40_000));
    assert!(try_ask(&address, "GET", &long, "").is_none_or(|refused| [414, 431].contains(&refused.status)));
    assert_eq!(get(&address, "/").status, 200);
    assert!(!station.has_ended());
}

#[test]
fn an_address_that_is_taken_is_tried_again_and_sites_are_served_meanwhile() {
    let other = TcpListener::bind("127.0.0.1:0").expect("take an address");
    let taken = other.local_addr().expect("an address").to_string();
    let station = Station::new(cluster(), &format!("http_listen={taken}\narchive_dir=\nrescan=1\n"));
    station.start_unready();
    station.wait_for("the failure", || {
        station.said().contains("the status page cannot be served").then_some(())
    });
    station.drop_file("nso.subscription_series.tgr", "node nso\nbig.nothing subscribe\nend\n");
    assert!(station.await_file("nso.subscription_series.sqldone").starts_with("failure"));
    drop(other);
    assert_eq!(address(&station), taken);
    assert_eq!(get(&taken, "/healthz").body, "well\n");
}

#[test]
fn a_socket_of_a_killed_daemon_is_no_obstacle_and_another_file_is() {
    let station = Station::new(cluster(), "");
    let socket = station.at("http.sock");
    station.configure(&format!("http_listen={}\narchive_dir=\nrescan=1\n", socket.display()));
    let answered = || get_at_socket(&socket, "/healthz").filter(|answer| answer.status == 200);
    for _ in 0..2 {
        station.start_unready();
        station.wait_for("the page to be served", answered);
        // A web server before it is another user; who comes to it the directory decides.
        assert_eq!(fs::metadata(&socket).expect("it is there").permissions().mode() & 0o777, 0o666);
        station.kill();
        assert!(fs::symlink_metadata(&socket).expect("it is left").file_type().is_socket());
    }
    fs::remove_file(&socket).expect("remove the socket");
    fs::write(&socket, "of somebody else").expect("write a file");
    station.start_unready();
    station.wait_for("the failure", || station.said().contains("is no socket: take it away").then_some(()));
    assert_eq!(station.read("http.sock"), "of somebody else");
}
