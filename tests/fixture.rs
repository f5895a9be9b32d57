//! The ground of all other tests holds: servers start, answer, and leave nothing behind.

mod support;

use support::Server;

#[test]
fn a_server_starts_and_answers() {
    let start = std::time::Instant::now();
    let server = Server::start();
    println!("server: {:?}", start.elapsed());
    server.create_database("some \"name");
    server.execute("some \"name", "create table t (x text); insert into t values ('a'), ('b')");
    assert_eq!(server.query("some \"name", "select x from t order by x"), "a\nb");
    assert!(server.pg_dump("some \"name", &["--data-only"]).contains("COPY public.t (x)"));
    let home = server.socket_dir().to_owned();
    drop(server);
    assert!(!home.exists());
}

#[test]
fn a_cluster_archives_what_the_origin_writes() {
    let start = std::time::Instant::now();
    let cluster = support::Cluster::shared();
    println!("cluster: {:?}", start.elapsed());
    let start = std::time::Instant::now();
    let c = cluster.sync();
    println!("sync: {:?} {c}", start.elapsed());
}
