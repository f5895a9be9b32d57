//! Changes are gathered until there are many, or until the next one must not be mixed with them. Pure.
//!
//! Changes of one table stay in their order. Those of several tables are taken apart only where nobody can see it: see
//! [`Direct::may_move`]. Where one of them may not move, all stay in the order in which they came.

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
    /// Each table's groups in order; or, if they are fixed, those of all tables.
    tables: Vec<Vec<Group>>,
    /// Whether one of them may not move.
    is_fixed: bool,
    bytes: usize,
}

impl Gathered {
    /// Whether a change may join. If not, what is there must be made first.
    pub(super) fn has_room_for(&self, direct: &Direct) -> bool {
        let is_alone = match self.tables.as_slice() {
            [] => true,
            [one] => one.first().is_some_and(|group| group.direct.key == direct.key),
            _ => false,
        };
        self.bytes < ROOM && (is_alone || self.is_fixed || direct.may_move)
    }

    /// Adds a change for which there is room.
    pub(super) fn add(&mut self, direct: &Arc<Direct>, change: &Change) {
        self.is_fixed |= !direct.may_move;
        let of_table =
            |groups: &&mut Vec<Group>| groups.first().is_some_and(|group| group.direct.key == direct.key);
        if let Some(groups) = self.tables.iter_mut().find(of_table) {
            match groups.last_mut() {
                Some(last) if Arc::ptr_eq(&last.direct, direct) => self.bytes += push(last, change),
                _ => groups.push(begin(direct, change, &mut self.bytes)),
            }
        } else {
            let group = begin(direct, change, &mut self.bytes);
            self.tables.push(vec![group]);
        }
    }

    /// Whether nothing is there.
    pub(super) fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }

    /// All that is there, in the order in which it is to be made.
    pub(super) fn take(&mut self) -> Vec<Group> {
        std::mem::take(self).tables.into_iter().flatten().collect()
    }
}

fn begin(direct: &Arc<Direct>, change: &Change, bytes: &mut usize) -> Group {
    let mut group = Group { direct: Arc::clone(direct), values: Values::default(), rows: 0 };
    *bytes += push(&mut group, change);
    group
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
