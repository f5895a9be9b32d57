//! Who writes at the origin. Every statement finds its row by itself, so that nothing has to be remembered when the server
//! dies in the middle.

use crate::dice::Dice;
use crate::support::postgres::feed;
use crate::support::series::{HOSTILE, ODD, quote_literal};
use crate::support::slony::ORIGIN;
use crate::world::World;
use crate::{STANDARD, TYPED};

/// How many rows a table may have before the oldest go.
const MOST: u64 = 400;

/// Writes on and on.
pub(crate) fn write(world: &World<'_>) {
    let mut dice = world.dice("author");
    while world.goes_on() {
        let transactions = 1 + dice.below(20);
        let sql: String = (0..transactions).map(|_| transaction(&mut dice)).collect();
        let pen = world.pen();
        let psql = world.cluster.server().psql(ORIGIN, "postgres");
        // What fails is rolled back; the server may be away.
        if feed(psql, &sql).status.success() {
            world.journal.count("author", "transactions written");
        }
        drop(pen);
        world.rest(&mut dice, 150);
    }
}

fn transaction(dice: &mut Dice) -> String {
    let count = 1 + dice.below(5);
    let statements: String = (0..count).map(|_| statement(dice) + ";\n").collect();
    let end = if dice.one_in(10) { "rollback" } else { "commit" };
    format!("begin;\n{statements}{end};\n")
}

fn statement(dice: &mut Dice) -> String {
    match dice.below(10) {
        0 => odd(dice),
        1 => typed(dice),
        _ => standard(dice),
    }
}

fn standard(dice: &mut Dice) -> String {
    let (table, note) = (*dice.pick(STANDARD), note(dice));
    let row = format!("(select recnum from {table} order by recnum offset {} limit 1)", dice.below(MOST));
    match dice.below(60) {
        0..30 => format!(
            "insert into {table} (recnum, t_rec, quality, note) select coalesce(max(recnum), 0) + 1, clock_timestamp(), \
             {}, {note} from {table}",
            dice.below(1000)
        ),
        30..40 => {
            format!(
                "update {table} set note = {note}, quality = nullif({}, 0) where recnum = {row}",
                dice.below(3)
            )
        }
        40..45 => {
            format!("update {table} set recnum = (select max(recnum) + 1 from {table}) where recnum = {row}")
        }
        45..48 => format!("update {table} set quality = quality + 1 where recnum % 17 = {}", dice.below(17)),
        48..54 => format!("delete from {table} where recnum = {row}"),
        54..56 => format!("delete from {table} where recnum < (select max(recnum) - {MOST} from {table})"),
        56..59 => "select nextval('soak.a_seq') \\g /dev/null\n select 1 \\g /dev/null\n".to_owned(),
        _ => format!("truncate {}", dice.pick(&["soak.c", ODD])),
    }
}

fn odd(dice: &mut Dice) -> String {
    let row =
        format!(r#"(select "K ey", "k\2" from {ODD} order by 1, 2 offset {} limit 1)"#, dice.below(100));
    match dice.below(4) {
        0 | 1 => format!(
            "insert into {ODD} values (coalesce({}, '') || clock_timestamp(), {}, {}, {})",
            note(dice),
            dice.below(9),
            note(dice),
            note(dice)
        ),
        2 => format!(r#"update {ODD} set "select" = {} where ("K ey", "k\2") = {row}"#, note(dice)),
        _ => format!(r#"delete from {ODD} where ("K ey", "k\2") = {row}"#),
    }
}

fn typed(dice: &mut Dice) -> String {
    if dice.one_in(3) {
        return format!("update {TYPED} set mood = 'ill' where recnum % 7 = {}", dice.below(7));
    }
    format!("insert into {TYPED} select coalesce(max(recnum), 0) + 1, 'well' from {TYPED}")
}

/// A text as a literal, or NULL.
fn note(dice: &mut Dice) -> String {
    let text: &&str = dice.pick(HOSTILE);
    if dice.one_in(20) { "null".to_owned() } else { quote_literal(text) }
}
