//! Over a real sshd.

use std::fs;

use crate::client::Client;
use crate::hand::{Hand, SQL};
use crate::support::sshd::Sshd;
use crate::support::{Station, wait};
use crate::{change, cluster};

/// The lines of a configuration that reach the station by this sshd.
fn settings(sshd: &Sshd) -> String {
    let (host, port, user, ssh) = (sshd.host(), sshd.port(), sshd.user(), sshd.ssh_cmd());
    format!("webdb_ip {host}\nwebdb_port {port}\nwebdb_user {user}\nssh_cmd {ssh}")
}

#[test]
fn a_subscription_over_ssh() {
    let (station, sshd) = (Station::started(cluster(), ""), Sshd::start());
    for (node, packing) in [("nso", "zstd"), ("mps", "gzip"), ("ias", "none")] {
        let client = Client::new(&station, node, &format!("{}\naccept {packing}", settings(&sshd)));
        client.subscribed("flow.a subscribe\nflow.b subscribe\n", &[]);
        assert_eq!(client.triggers(), [""; 0]);
        change("flow.a");
        client.subscribed("flow.c subscribe\nflow.b unsubscribe\n", &["--drop"]);
        client.site.assert_equal(&station, &["flow.a", "flow.c"]);
        assert_eq!(client.tables(), "flow.a flow.c");
        let status = client.status();
        assert!(status.contains("the newest log is"), "{status}");
    }
}

#[test]
fn a_host_that_is_away_is_no_end_of_a_request() {
    let (station, sshd) = (Station::new(cluster(), ""), Sshd::start());
    let client = Client::new(&station, "nso", &format!("{}\nattempts 1", settings(&sshd)));
    client.subscribe("flow.b subscribe\n", &[]).is(1, "the request stays open", &client);
    sshd.stop();
    client.configure(&format!("{}\nline_patience 1", settings(&sshd)));
    client.go_on(&[]).is(1, "", &client);
    let status = client.status();
    assert!(status.contains("cannot be asked about it"), "{status}");
    client.configure(&format!("{}\nssh_cmd {}", settings(&sshd), sshd.ssh_cmd_with_wrong_key()));
    sshd.start_again();
    client.go_on(&[]).is(4, "", &client);
    client.configure(&settings(&sshd));
    station.start();
    client.go_on(&[]).is(0, "", &client);
    client.is_at_rest();
    client.site.assert_equal(&station, &["flow.b"]);
}

#[test]
fn a_line_that_is_cut_is_taken_up_where_it_broke() {
    let (station, sshd) = (Station::new(cluster(), ""), Sshd::start());
    let client = Client::new(&station, "nso", &settings(&sshd));
    let mut hand = Hand::asked(&client, "subscription_series", "hand.a subscribe", &[]);
    let name = hand.accept();
    // Comments that no line packs.
    let noise: String =
        (0..1_500_000_u64).map(|i| format!("-- {:016x}\n", i.wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect();
    let line = hand.sql("subscribe_series.sql", format!("{noise}{SQL}").as_bytes());
    hand.put("sqldone", &format!("cut 7\n{name}{line}hand.a\n"));
    let part = client.work("sql/nso.subscribe_series.sql.part");
    wait::until("a part of the SQL", crate::support::station::LIMIT, || {
        fs::metadata(&part).is_ok_and(|part| part.len() > 0).then_some(())
    });
    sshd.cut();
    hand.done(&format!("success true\n{name}hand.a\n"));
    hand.end().is(0, "subscribed to hand.a", &client);
    client.is_at_rest();
}

#[test]
fn what_is_here_already_is_not_fetched_again() {
    let station = Station::new(cluster(), "");
    for (what, damage) in [("whole", false), ("damaged", true)] {
        let client = Client::new(&station, "nso", "attempts 1");
        let mut hand = Hand::asked(&client, "subscription_series", "hand.a subscribe", &[]);
        let name = hand.accept();
        hand.end().is(1, "the request stays open", &client);
        client.configure("");
        let half = SQL.len() / 2;
        let mut part = SQL.as_bytes()[..half].to_vec();
        if damage {
            part[3] ^= 1;
        }
        fs::create_dir_all(client.work("sql")).unwrap();
        fs::write(client.work("sql/nso.subscribe_series.sql.part"), part).unwrap();
        let line = hand.sql("subscribe_series.sql", SQL.as_bytes());
        hand.put("sqldone", &format!("cut 7\n{name}{line}hand.a\n"));
        let mut hand = hand.again(&["-r"]);
        hand.done(&format!("success true\n{name}hand.a\n"));
        let run = hand.end();
        run.is(0, &format!("from byte {half} on"), &client);
        assert_eq!(run.stderr.contains("the digest of what was fetched"), damage, "{what}");
        client.is_at_rest();
        assert_eq!(client.site.query("select count(*) from hand.a"), "2");
        fs::remove_file(hand.path("done")).unwrap_or_default();
    }
}
