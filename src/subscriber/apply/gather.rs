//! Changes are gathered until there are many, or until the next one must not be mixed with them. Pure.
//!
//! Changes of one table stay in their order. Those of several tables are taken apart only where nobody can see it: see
//! [`Direct::may_move`]. Where one of them may not move, all that are gathered with it stay in the order in which they came.

use std::sync::Arc;

use super::change::{Change, Values};
use super::plan::Direct;

/// Bytes of values that are gathered at most; a row may reach over it.
const ROOM: usize = 4 << 20;

/// Changes of one kind that follow one another in their table.
pub(super) struct Group {
    pub(super) direct: Arc<Direct>,
    values: Values,
    pub(super) rows: usize,
}

impl Group {
    /// The values of a change: to set, then of the key.
    pub(super) fn row(&self, row: usize) -> impl Iterator<Item = Option<&[u8]>> {
        let width = self.direct.kept.len();
        (row * width..(row + 1) * width).map(|at| self.values.at(at))
    }

    /// The key of a change.
    pub(super) fn key(&self, row: usize) -> impl Iterator<Item = Option<&[u8]>> {
        self.row(row).skip(self.direct.kept.len() - self.direct.keys.len())
    }
}

/// What is gathered.
#[derive(Default)]
pub(super) struct Gathered {
    lot: Lot,
    bytes: usize,
}

/// Groups in the order in which they are to be made.
enum Lot {
    /// Those of each table in order; all of them may move.
    Movable(Vec<Vec<Group>>),
    /// Those of all tables, as their changes came.
    Fixed(Vec<Group>),
}

impl Default for Lot {
    fn default() -> Self {
        Self::Movable(Vec::new())
    }
}

impl Gathered {
    /// Whether a change may join. If not, what is there must be made first.
    pub(super) fn has_room_for(&self, direct: &Direct) -> bool {
        let fits = match &self.lot {
            // The groups of several tables have lost the order in which their changes came.
            Lot::Movable(tables) => direct.may_move || tables.len() <= 1,
            Lot::Fixed(_) => true,
        };
        fits && self.bytes < ROOM
    }

    /// Adds a change for which there is room.
    pub(super) fn add(&mut self, direct: &Arc<Direct>, change: &Change) {
        if !direct.may_move
            && let Lot::Movable(tables) = &mut self.lot
        {
            self.lot = Lot::Fixed(std::mem::take(tables).into_iter().flatten().collect());
        }
        let groups = match &mut self.lot {
            Lot::Movable(tables) => of_table(tables, direct),
            Lot::Fixed(groups) => groups,
        };
        match groups.last_mut() {
            Some(last) if Arc::ptr_eq(&last.direct, direct) => self.bytes += push(last, change),
            _ => {
                let mut group = Group { direct: Arc::clone(direct), values: Values::default(), rows: 0 };
                self.bytes += size_of::<Group>() + push(&mut group, change);
                groups.push(group);
            }
        }
    }

    /// Whether nothing is there.
    pub(super) fn is_empty(&self) -> bool {
        match &self.lot {
            Lot::Movable(tables) => tables.is_empty(),
            Lot::Fixed(groups) => groups.is_empty(),
        }
    }

    /// All that is there, in the order in which it is to be made.
    pub(super) fn take(&mut self) -> Vec<Group> {
        match std::mem::take(self).lot {
            Lot::Movable(tables) => tables.into_iter().flatten().collect(),
            Lot::Fixed(groups) => groups,
        }
    }
}

/// The groups of the table of a change.
fn of_table<'t>(tables: &'t mut Vec<Vec<Group>>, direct: &Direct) -> &'t mut Vec<Group> {
    let is_of =
        |groups: &Vec<Group>| groups.first().is_some_and(|group| group.direct.series == direct.series);
    let at = tables.iter().position(is_of).unwrap_or(tables.len());
    if at == tables.len() {
        tables.push(Vec::new());
    }
    tables.get_mut(at).expect("it is there or was pushed")
}

/// Returns by how much it has grown.
fn push(group: &mut Group, change: &Change) -> usize {
    let before = group.values.size();
    for at in &group.direct.kept {
        group.values.push(change.values.at(*at));
    }
    group.rows += 1;
    group.values.size() - before
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Series;
    use crate::spelling::legacy::Verb;

    fn direct(verb: Verb, table: &str, may_move: bool) -> Arc<Direct> {
        Arc::new(Direct {
            verb,
            action: String::new(),
            series: Series::new("public", table),
            kept: vec![0],
            keys: Vec::new(),
            single: String::new(),
            copy: None,
            many: None,
            spelled: Vec::new(),
            types: String::new(),
            may_move,
        })
    }

    /// Gathers changes, each spelled as its verb and its table; `|` stands where what was gathered had to be made first.
    /// Tables in capitals may not move.
    fn made(changes: &str) -> String {
        let mut kinds: Vec<(&str, Arc<Direct>)> = Vec::new();
        let mut gathered = Gathered::default();
        let mut made = Vec::new();
        for kind in changes.split(' ') {
            let (verb, table) = kind.split_at(1);
            let verb = match verb {
                "I" => Verb::Insert,
                "U" => Verb::Update,
                _ => Verb::Delete,
            };
            if !kinds.iter().any(|(known, _)| *known == kind) {
                kinds.push((kind, direct(verb, table, table.to_lowercase() == table)));
            }
            let direct = &kinds.iter().find(|(known, _)| *known == kind).unwrap().1;
            if !gathered.has_room_for(direct) {
                made.extend(spelled(&gathered.take()));
                made.push("|".to_owned());
            }
            let mut change = Change::empty();
            change.values.push(Some(b"x"));
            gathered.add(direct, &change);
            assert!(!gathered.is_empty());
        }
        made.extend(spelled(&gathered.take()));
        assert!(gathered.is_empty());
        made.join(" ")
    }

    fn spelled(groups: &[Group]) -> Vec<String> {
        let word = |group: &Group| {
            let verb = match group.direct.verb {
                Verb::Insert => "I",
                Verb::Update => "U",
                Verb::Delete | Verb::Truncate => "D",
            };
            [format!("{verb}{}", group.direct.series.0.name).as_str()].repeat(group.rows).join(" ")
        };
        groups.iter().map(word).collect()
    }

    #[test]
    fn what_may_not_move_stays_in_its_order() {
        for (changes, expected) in [
            // A child, its parent.
            ("DC DP IP IC", "DC DP IP IC"),
            ("IP IC DC DP", "IP IC DC DP"),
            ("IC IC IP IC UC UC DP", "IC IC IP IC UC UC DP"),
            // Those that may move are taken together by table.
            ("Ia Ib Ia Ub Ia Da", "Ia Ia Ia Da Ib Ub"),
            // Behind those of several tables none that may not move; behind those of one it may.
            ("Ia Ib Ia IP Ia", "Ia Ia Ib | IP Ia"),
            ("Ia Ua IP Ia Ib IP", "Ia Ua IP Ia Ib IP"),
            // With one that may not move, none moves.
            ("IP Ia Ib Ia Ib IC", "IP Ia Ib Ia Ib IC"),
        ] {
            assert_eq!(made(changes), expected, "{changes}");
        }
    }

    #[test]
    fn a_full_lot_takes_no_more() {
        let direct = direct(Verb::Insert, "t", false);
        let mut change = Change::empty();
        change.values.push(Some(&vec![b'x'; ROOM]));
        let mut gathered = Gathered::default();
        assert!(gathered.has_room_for(&direct));
        gathered.add(&direct, &change);
        assert!(!gathered.has_room_for(&direct));
        assert_eq!(gathered.take().len(), 1);
        assert!(gathered.has_room_for(&direct));
    }
}
