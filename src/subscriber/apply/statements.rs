//! A group of changes is made with as few words to the server as it takes.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;

use super::gather::Group;
use super::plan::Direct;
use crate::db::Session;
use crate::db::site::{Literal, Pipeline, Statement, feed_copy, numbers, prepare};
use crate::error::Result;
use crate::spelling::array::quote;
use crate::spelling::copy_text::escape;
use crate::spelling::legacy::Verb;

/// From so many changes on, one statement for all is quicker than one for each.
const MANY: usize = 8;

/// Rows go to COPY in pieces of this size.
const PIECE: usize = 256 << 10;

/// Statements that stay prepared at most.
const PREPARED: usize = 500;

/// A change that met no row: the numbers of its group and of itself.
pub(super) type Missed = (usize, usize);

/// What has been prepared in a session.
#[derive(Default)]
pub(super) struct Statements(HashMap<String, Statement>);

impl Statements {
    /// They may not serve any longer.
    pub(super) fn forget(&mut self) {
        self.0.clear();
    }

    /// Makes the changes of all groups, in order. Returns which met no row: the numbers of group and change.
    pub(super) async fn make<'g>(
        &mut self,
        session: &'g Session,
        groups: &'g [Group],
    ) -> Result<Vec<Missed>> {
        let mut pipeline = Pipeline::new(session);
        let mut missed = Vec::new();
        for (number, group) in groups.iter().enumerate() {
            let direct = &group.direct;
            match (&direct.copy, &direct.many) {
                (Some(copy), _) if group.rows >= MANY => {
                    missed.extend(answered(&mut pipeline, groups).await?);
                    copy_in(session, copy, group).await?;
                }
                (_, Some(many)) if group.rows >= MANY => {
                    missed.extend(self.many(session, many, (number, group), &mut pipeline).await?);
                }
                _ => self.singles(session, (number, group), 0..group.rows, &mut pipeline).await?,
            }
        }
        missed.extend(answered(&mut pipeline, groups).await?);
        Ok(missed)
    }

    /// One statement for as many changes as have different keys.
    async fn many<'g>(
        &mut self,
        session: &Session,
        sql: &str,
        (number, group): (usize, &'g Group),
        pipeline: &mut Pipeline<'g, Missed>,
    ) -> Result<Vec<Missed>> {
        let mut missed = Vec::new();
        let mut start = 0;
        while start < group.rows {
            let end = different(group, start);
            if end - start < MANY {
                // Also where a key is spelled as no server spells it.
                let end = end.max(start + 1);
                self.singles(session, (number, group), start..end, pipeline).await?;
                start = end;
                continue;
            }
            let arrays = arrays(group, start..end);
            let values: Vec<_> = arrays.iter().map(|array| Literal(Some(array))).collect();
            pipeline.settle().await?;
            let statement = self.prepared(session, sql, &group.direct, pipeline).await?;
            let found = numbers(session, &statement, &group.direct.action, &values).await?;
            let found: HashSet<_> =
                found.into_iter().filter_map(|number| usize::try_from(number).ok()).collect();
            let lost = (start..end).filter(|row| !found.contains(&(row - start + 1)));
            missed.extend(lost.map(|row| (number, row)));
            start = end;
        }
        Ok(missed)
    }

    /// A statement for each.
    async fn singles<'g>(
        &mut self,
        session: &Session,
        (number, group): (usize, &'g Group),
        rows: std::ops::Range<usize>,
        pipeline: &mut Pipeline<'g, Missed>,
    ) -> Result<()> {
        let statement = self.prepared(session, &group.direct.single, &group.direct, pipeline).await?;
        for row in rows {
            let values = group.row(row).map(Literal).collect();
            pipeline.send((number, row), &group.direct.action, statement.clone(), values).await?;
        }
        Ok(())
    }

    async fn prepared(
        &mut self,
        session: &Session,
        sql: &str,
        direct: &Direct,
        pipeline: &mut Pipeline<'_, Missed>,
    ) -> Result<Statement> {
        let key = format!("{sql};{}", direct.types);
        if let Some(statement) = self.0.get(&key) {
            return Ok(statement.clone());
        }
        if self.0.len() >= PREPARED {
            self.0.clear();
        }
        pipeline.settle().await?;
        let statement = prepare(session, sql).await?;
        self.0.insert(key, statement.clone());
        Ok(statement)
    }
}

/// Waits for what is under way. Returns the updates and deletes that met no row.
async fn answered(pipeline: &mut Pipeline<'_, Missed>, groups: &[Group]) -> Result<Vec<Missed>> {
    let is_insert = |group: usize| groups.get(group).is_some_and(|group| group.direct.verb == Verb::Insert);
    let all = pipeline.finish().await?.into_iter();
    Ok(all.filter(|((group, _), rows)| *rows == 0 && !is_insert(*group)).map(|(missed, _)| missed).collect())
}

async fn copy_in(session: &Session, copy: &str, group: &Group) -> Result<()> {
    let mut row = 0;
    let pieces = || {
        let mut piece = Vec::with_capacity(PIECE + PIECE / 4);
        while row < group.rows && piece.len() < PIECE {
            for (at, value) in group.row(row).enumerate() {
                if at > 0 {
                    piece.push(b'\t');
                }
                match value {
                    Some(text) => escape(text, &mut piece),
                    None => piece.extend_from_slice(b"\\N"),
                }
            }
            piece.push(b'\n');
            row += 1;
        }
        Ok(Some(Bytes::from(piece)).filter(|piece| !piece.is_empty()))
    };
    feed_copy(session, copy.as_bytes(), pieces).await.map(|_| ())
}

/// The end of the changes from `start` on whose keys are different and spelled as the server spells them.
fn different(group: &Group, start: usize) -> usize {
    let mut seen = HashSet::new();
    for row in start..group.rows {
        let key: Vec<_> = group.key(row).collect();
        let mut spelled = key.iter().zip(&group.direct.spelled);
        let fits = spelled.all(|(key, spelled)| key.is_some_and(|key| spelled.fits(key)));
        if !fits || !seen.insert(key) {
            return row;
        }
    }
    group.rows
}

/// The values of some changes, an array literal for each column.
fn arrays(group: &Group, rows: std::ops::Range<usize>) -> Vec<Vec<u8>> {
    let mut arrays = vec![vec![b'{']; group.direct.kept.len()];
    for row in rows {
        for (array, value) in arrays.iter_mut().zip(group.row(row)) {
            if array.len() > 1 {
                array.push(b',');
            }
            match value {
                Some(text) => quote(text, array),
                None => array.extend_from_slice(b"NULL"),
            }
        }
    }
    for array in &mut arrays {
        array.push(b'}');
    }
    arrays
}
