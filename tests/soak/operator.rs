//! The operator of the data centre: scripts of EXECUTE SCRIPT, decisions about what stopped a node, and a look now and then.

use std::fs;

use subscription_manager::protocol::Stopped;

use crate::NODES;
use crate::dice::Dice;
use crate::support::slony::ORIGIN;
use crate::support::station::log_name;
use crate::world::World;

/// Stands in a statement that every node must get; what has none of it may be sent or skipped.
const NEEDED: &str = "not to be skipped";

/// The columns that are added to a table at the most.
const COLUMNS: u64 = 20;

/// Works until all requests are over.
pub(crate) fn work(world: &World<'_>) {
    let mut dice = world.dice("operator");
    while world.is_alive() {
        if world.goes_on() {
            match dice.below(4) {
                0 | 1 => script(world, &mut dice),
                2 => command(world, &["tidy"]),
                _ => command(world, &["list"]),
            }
        }
        decide(world, &mut dice);
        world.rest(&mut dice, 3000);
    }
}

/// Runs a script.
fn script(world: &World<'_>, dice: &mut Dice) {
    let table = *dice.pick(&["soak.a", "soak.b"]);
    let (kind, sql) = match dice.below(6) {
        0 if world.journal.times("columns added") < COLUMNS => {
            let sql = format!(
                "alter table {table} add column x{} text default 'it''s; {{x}}, \"q\"'; update {table} /* {NEEDED} */ set note = 'a; script' \
                 where recnum % 11 = 3;",
                world.journal.times("columns added")
            );
            ("columns added", sql)
        }
        0..2 => (
            "scripts of rows",
            format!("update {table} /* {NEEDED} */ set quality = 7 where recnum % 5 = 0;"),
        ),
        2..4 => {
            // A table that is in the way of a request has no such column.
            let sql = format!(
                "do $$ begin /* {NEEDED} */ if exists (select from pg_attribute where attrelid = to_regclass('{table}') and \
                 attname = 'quality') then update {table} set note = 'by the block' where recnum % 5 = 1; end if; end $$;"
            );
            ("scripts that stop every node", sql)
        }
        _ => ("scripts that stop every node", "do $$ begin perform 1; end $$;".to_owned()),
    };
    let _pen = world.pen();
    if world.cluster.try_script(&sql) {
        world.journal.count("operator", kind);
    } else if !world.cluster.server().answers()
        || world.cluster.server().try_query(ORIGIN, "select 1").is_none()
    {
        world.journal.note("operator", "no script: the server is away");
    } else {
        world.journal.note("operator", format!("a script was not taken: {sql}"));
    }
}

/// What is told or done by a command, whatever goes on meanwhile.
fn command(world: &World<'_>, args: &[&str]) {
    let output = world.station.command(args);
    // `tidy` may meet the daemon's own, and asks the database.
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let last = said.lines().last().filter(|_| !output.status.success()).unwrap_or_default();
    world.journal.note("operator", format!("{args:?}: {} {last}", output.status));
}

/// Decides about every node that has stopped.
pub(crate) fn decide(world: &World<'_>, dice: &mut Dice) {
    for node in NODES {
        let Ok(bytes) = fs::read(world.station.at(&format!("etc/{node}.stopped"))) else { continue };
        let stopped = Stopped::parse(&bytes).expect("a file that is replaced as a whole");
        if stopped.why.is_none() {
            continue;
        }
        let archive = world.cluster.archive_dir().join(log_name(stopped.before.value()));
        let archive = fs::read_to_string(archive).expect("an archive that stops a node is kept");
        let verdict = if archive.contains(NEEDED) || dice.one_in(2) { "--send" } else { "--skip" };
        let output = world.station.command(&["ddl", node, &stopped.before.to_string(), verdict]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() {
            world.journal.count("operator", "decisions");
            world.journal.note("operator", format!("{node} gets {verdict} for {}", stopped.before));
        } else {
            // It may have come to its end in another way: by a request that was rolled back.
            world
                .journal
                .note("operator", format!("no decision for {node} before {}: {said}", stopped.before));
        }
    }
}
