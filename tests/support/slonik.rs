//! What slonik does to a cluster: its nodes, its sets, scripts at will.

use std::path::PathBuf;
use std::process::Command;

use super::postgres::{expect_success, feed};
use super::series;
use super::slony::{ARCHIVER, CLUSTER, Cluster, Member, ORIGIN};

impl Cluster {
    /// Runs a slonik script; the name of the cluster and the nodes' addresses are put before it.
    #[track_caller]
    pub fn slonik(&self, script: &str) {
        self.run_slonik(&[], script);
    }

    /// Adds a node to the cluster, with a new database in which the SQL is run first, and its slon.
    #[track_caller]
    pub fn add_node(&mut self, id: u32, database: &'static str, schema_sql: &str) {
        self.server.create_database(database);
        self.server.execute(database, schema_sql);
        let others = self.members.clone();
        let mut script = format!("store node (id = {id}, comment = '{database}', event node = 1);\n");
        for other in others {
            script += &self.path(id, other.id, database);
            script += &self.path(other.id, id, other.database);
        }
        // A slon that hears of a node before it hears of the path to it sleeps for 10 s.
        self.stop_slons();
        self.members.push(Member { id, database });
        self.configure(&script);
        self.start_slons();
        self.sync_from(database);
    }

    /// Makes a set of every table with a primary key and every sequence of the schemas; nobody is subscribed to it yet.
    #[track_caller]
    pub fn create_set(&self, set: u32, schemas: &[&str]) {
        self.slonik(&self.set(set, schemas));
    }

    /// Subscribes the node of a database to a set of the origin, and waits until it has the rows.
    #[track_caller]
    pub fn subscribe(&self, set: u32, database: &str) {
        let receiver = self.member(database).id;
        self.slonik(&format!(
            "subscribe set (id = {set}, provider = 1, receiver = {receiver}, forward = yes);"
        ));
        self.await_copy(set, database);
    }

    /// Waits until the initial copy of a set is there.
    #[track_caller]
    pub(super) fn await_copy(&self, set: u32, database: &str) {
        let receiver = self.member(database).id;
        let active = format!(
            "select sub_active from _jsoc.sl_subscribe where sub_set = {set} and sub_receiver = {receiver}"
        );
        self.wait_for("the initial copy", || (self.server.query(database, &active) == "t").then_some(()));
    }

    /// Runs SQL by EXECUTE SCRIPT, with further words such as `execute only on = '1,2'`.
    #[track_caller]
    pub fn execute_script(&self, sql: &str, further: &str) {
        let file = self.script_file(sql);
        let comma = if further.is_empty() { "" } else { ", " };
        self.slonik(&format!(
            "execute script (filename = '{}', event node = 1{comma}{further});",
            file.display()
        ));
    }

    /// As [`Cluster::execute_script`], for a cluster whose servers may be away: whether slonik was content.
    pub fn try_script(&self, sql: &str) -> bool {
        let file = self.script_file(sql);
        let script = format!("execute script (filename = '{}', event node = 1);", file.display());
        let (slonik, script) = self.slonik_command(&[], &script);
        feed(slonik, &script).status.success()
    }

    /// A file with the SQL that slonik can read.
    fn script_file(&self, sql: &str) -> PathBuf {
        static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let path = self.server.socket_dir().join(format!("script-{number}.sql"));
        std::fs::write(&path, sql).expect("write a script");
        path
    }

    #[track_caller]
    fn run_slonik(&self, args: &[&str], script: &str) {
        let (slonik, script) = self.slonik_command(args, script);
        expect_success(&script, &feed(slonik, &script));
    }

    /// slonik, and the script with what has to stand before it.
    fn slonik_command(&self, args: &[&str], script: &str) -> (Command, String) {
        let mut slonik = self.server.home().command("slonik");
        slonik.args(args);
        let mut preamble = format!("cluster name = {CLUSTER};\n");
        for member in &self.members {
            let conninfo = self.conninfo(member.database);
            preamble += &format!("node {} admin conninfo = '{conninfo}';\n", member.id);
        }
        (slonik, format!("{preamble}{script}\n"))
    }

    pub(super) fn create_nodes(&self) {
        self.configure(&format!(
            "init cluster (id = 1, comment = 'origin');\n\
             store node (id = 2, comment = 'archiver', event node = 1);\n{}{}",
            self.path(1, 2, ORIGIN),
            self.path(2, 1, ARCHIVER)
        ));
    }

    fn path(&self, server: u32, client: u32, database: &str) -> String {
        let conninfo = self.conninfo(database);
        format!(
            "store path (server = {server}, client = {client}, conninfo = '{conninfo}', connretry = 1);\n"
        )
    }

    /// All at once, and before a slon runs: then the first thing it does is to copy.
    pub(super) fn create_first_set(&self, schemas: &[&str]) {
        let script = self.set(1, schemas);
        self.configure(&(script + "\nsubscribe set (id = 1, provider = 1, receiver = 2, forward = yes);"));
    }

    /// The script that makes a set.
    fn set(&self, set: u32, schemas: &[&str]) -> String {
        let members = self.members_of(schemas);
        let add = members.lines().enumerate().map(|(number, member)| {
            let (kind, name) = member.split_once(' ').expect("a kind and a name");
            // The ids of all sets differ.
            let id = set as usize * 1000 + number;
            // Not for names with a backslash: slonik doubles it, and then finds no such table.
            let name = series::quote_literal(name);
            format!("set add {kind} (set id = {set}, origin = 1, id = {id}, fully qualified name = {name});")
        });
        let mut script = vec![format!("create set (id = {set}, origin = 1, comment = 'series');")];
        script.extend(add);
        script.join("\n")
    }

    /// The tables and sequences of the schemas, a kind and a quoted name a line.
    fn members_of(&self, schemas: &[&str]) -> String {
        let array: Vec<_> = schemas.iter().map(|schema| series::quote_literal(schema)).collect();
        self.server.query(
            ORIGIN,
            &format!(
                "select case relkind when 'r' then 'table' else 'sequence' end, format('%I.%I', nspname, relname) \
                 from pg_class c join pg_namespace n on n.oid = relnamespace \
                 where nspname = any (array[{}]) and relname not like 'drms\\_%' \
                 and (relkind = 'S' or relkind = 'r' and exists \
                     (select from pg_index where indrelid = c.oid and indisprimary)) \
                 order by relkind, nspname, relname \\g (format=unaligned fieldsep=' ')",
                array.join(", ")
            ),
        )
    }

    /// `-w`: slonik would wait for confirmations, and nobody confirms while no slon runs.
    fn configure(&self, script: &str) {
        self.run_slonik(&["-w"], script);
    }

    pub(super) fn conninfo(&self, database: &str) -> String {
        let host = self.server.socket_dir().display();
        format!("host={host} port={} dbname={database} user=postgres", self.server.port())
    }
}
