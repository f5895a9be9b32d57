//! From what occurs in an archive, and who has what, to its distinct outputs.

use std::collections::{BTreeMap, HashMap};

use super::fault::{ArchiveFault, SplitError};
use super::master;
use super::route::{Route, Routes};
use super::statement::{Key, Subject};
use super::survey::Survey;
use crate::model::{Dialect, Sequence, Unrouted};
use crate::spelling::copy_text::escape;
use crate::spelling::row::series_key;
use crate::spelling::script::{Named, Names};
use crate::spelling::script_effect::Reach;
use crate::spelling::sequence_line;

/// The numbers by which Slony-I before 2.2 calls sequences (`sl_sequence.seq_id`).
pub type Numbers = BTreeMap<u32, Sequence>;

/// One distinct content: written once, the same for all its destinations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// How it is written.
    pub dialect: Dialect,
    /// Who gets it: indices into the destinations that the routes were made of, ascending. Never empty.
    pub destinations: Vec<usize>,
}

/// A node that stops before the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    /// [`super::Destination::node`].
    pub node: usize,
    /// The line of the statement that cannot be routed.
    pub line: u64,
    /// Why.
    pub why: String,
}

/// What is to be written from an archive.
#[derive(Debug)]
pub struct Plan {
    /// The outputs, in the order of their first destinations. Every destination is in exactly one, but those of nodes that
    /// stop.
    pub outputs: Vec<Output>,
    /// The nodes that stop.
    pub stops: Vec<Stop>,
    /// By [`Key`].
    pub(super) shares: Vec<Share>,
}

/// Which outputs get what belongs to a subject.
#[derive(Debug, Default)]
pub(super) struct Share {
    /// As it stands.
    pub(super) outputs: Vec<usize>,
    /// Without what each site decides for itself.
    pub(super) own: Vec<usize>,
    /// The sequence, where it is one that somebody has.
    pub(super) sequence: Option<Sequence>,
}

impl Share {
    pub(super) fn is_empty(&self) -> bool {
        self.outputs.is_empty() && self.own.is_empty()
    }
}

/// How a list has a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Has {
    /// All of it.
    All,
    /// The rows of its series, of a master table.
    Own,
    /// It cannot be told.
    Unrouted,
    /// Nothing of what it names, so that it would fail here; but what follows from it may concern tables that the list has.
    Aside,
}

/// Which lists have a subject, and how. Lists that do not have it are left out.
#[derive(Default)]
struct Holders {
    lists: Vec<(usize, Has)>,
    sequence: Option<Sequence>,
    why: String,
}

/// The distinct outputs of an archive: destinations share one if they have the same dialect and, of what occurs, the
/// same. A fault if a sequence line could mean two sequences, or calls one by an unknown number.
pub fn plan(survey: &Survey, routes: &Routes, numbers: &Numbers) -> Result<Plan, SplitError> {
    let mut holders: Vec<Holders> = Vec::with_capacity(survey.keys.len());
    let mut unknown: Option<(u64, Vec<u32>)> = None;
    for (_, subject, line) in survey.keys.iter() {
        if let Subject::SequenceNumber(number) = subject
            && !numbers.contains_key(number)
        {
            unknown.get_or_insert_with(|| (line, Vec::new())).1.push(*number);
        }
        holders.push(holders_of(subject, line, routes, numbers)?);
    }
    if let Some((line, numbers)) = unknown {
        return Err(SplitError::Numbers { line, numbers });
    }
    // What each list has of what occurs.
    let mut has = vec![Vec::new(); routes.lists];
    for ((key, ..), holders) in survey.keys.iter().zip(&holders) {
        for (list, how) in &holders.lists {
            if let Some(has) = has.get_mut(*list) {
                has.push((key, *how));
            }
        }
    }
    let stops = stops(survey, routes, &holders, &has);
    let mut outputs: Vec<Output> = Vec::new();
    let mut contents: Vec<Vec<(Key, Has)>> = Vec::new();
    let mut by_content = HashMap::new();
    let mut by_class = HashMap::new();
    for (destination, routed) in routes.destinations.iter().enumerate() {
        if stops.iter().any(|stop| stop.node == routed.node) {
            continue;
        }
        let class = (routed.list, routed.dialect, routed.unrouted);
        let output = *by_class.entry(class).or_insert_with(|| {
            let content =
                content(survey, has.get(routed.list).map_or(&[][..], Vec::as_slice), routed.unrouted);
            *by_content.entry((routed.dialect, content.clone())).or_insert_with(|| {
                outputs.push(Output { dialect: routed.dialect, destinations: Vec::new() });
                contents.push(content);
                outputs.len() - 1
            })
        });
        if let Some(output) = outputs.get_mut(output) {
            output.destinations.push(destination);
        }
    }
    let share = |holders: Holders| Share { sequence: holders.sequence, ..Share::default() };
    let mut shares: Vec<Share> = holders.into_iter().map(share).collect();
    for (output, content) in contents.iter().enumerate() {
        for (key, how) in content {
            let Some(share) = shares.get_mut(key.0 as usize) else { continue };
            if *how == Has::Own { share.own.push(output) } else { share.outputs.push(output) }
        }
    }
    Ok(Plan { outputs, stops, shares })
}

/// What a destination gets, of what its list has.
fn content(survey: &Survey, has: &[(Key, Has)], unrouted: Unrouted) -> Vec<(Key, Has)> {
    let is_script = |key: Key| matches!(survey.keys.get(key), Some(Subject::Script(_)));
    let gets = |key: Key, how: Has| match how {
        Has::Unrouted => unrouted == Unrouted::Send,
        Has::Aside => false,
        Has::All | Has::Own => unrouted != Unrouted::SkipScripts || !is_script(key),
    };
    let mut content: Vec<(Key, Has)> = has
        .iter()
        .filter(|(key, how)| gets(*key, *how))
        .map(|(key, how)| (*key, if *how == Has::Unrouted { Has::All } else { *how }))
        .collect();
    for (key, subject, _) in survey.keys.iter() {
        if let Subject::Scripts(statements) = subject
            && statements.iter().any(|one| content.iter().any(|(key, _)| key == one))
        {
            content.push((key, Has::All));
        }
    }
    content
}

/// The nodes that stop, each with the first statement that stops it.
fn stops(survey: &Survey, routes: &Routes, holders: &[Holders], has: &[Vec<(Key, Has)>]) -> Vec<Stop> {
    let lines: Vec<u64> = survey.keys.iter().map(|(.., line)| line).collect();
    let mut stops: Vec<Stop> = Vec::new();
    for routed in routes.destinations.iter().filter(|routed| routed.unrouted == Unrouted::Hold) {
        let is_held = |how: Has| matches!(how, Has::Unrouted | Has::Aside);
        let unrouted = has.get(routed.list).into_iter().flatten().filter(|(_, how)| is_held(*how));
        let at = |key: Key| lines.get(key.0 as usize).copied().unwrap_or_default();
        let Some((line, key)) = unrouted.map(|(key, _)| (at(*key), *key)).min() else { continue };
        let why = holders.get(key.0 as usize).map(|holders| holders.why.clone()).unwrap_or_default();
        match stops.iter_mut().find(|stop| stop.node == routed.node) {
            None => stops.push(Stop { node: routed.node, line, why }),
            Some(stop) if line < stop.line => *stop = Stop { node: routed.node, line, why },
            Some(_) => {}
        }
    }
    stops
}

/// Who has a subject: the rules of PROTOCOL.md.
fn holders_of(
    subject: &Subject,
    line: u64,
    routes: &Routes,
    numbers: &Numbers,
) -> Result<Holders, ArchiveFault> {
    let table = |series: &[u8]| routes.series.get(series).map_or(&[][..], |route| &route.lists);
    let all = |lists: &[usize]| lists.iter().map(|list| (*list, Has::All)).collect::<Vec<_>>();
    let beside = |lists: &mut Vec<(usize, Has)>, more: &[usize], how: Has| {
        let new = |list: &&usize| !lists.iter().any(|(there, _)| there == *list);
        let more: Vec<_> = more.iter().filter(new).map(|list| (*list, how)).collect();
        lists.extend(more);
    };
    let mut holders = Holders::default();
    match subject {
        // Only single rows of it occur.
        Subject::MasterTable(_) if line == 0 => {}
        Subject::Table(series) => holders.lists = all(table(series)),
        Subject::MasterTable(series) => {
            holders.lists = all(table(series));
            let of_schema = routes.schemas.get(master::schema(series)).map_or(&[][..], Vec::as_slice);
            beside(&mut holders.lists, of_schema, Has::Unrouted);
            let (schema, name) = crate::spelling::row::names_of(series);
            holders.why = format!(
                "all of {schema}.{name}, or a row that comes to be of another series: the node has the rows of its series only"
            );
        }
        Subject::MasterRow { table: whole, series } => {
            holders.lists = all(table(whole));
            let described = routes.described.get(series).map_or(&[][..], Vec::as_slice);
            beside(&mut holders.lists, described, Has::Own);
        }
        Subject::Sequence(names) => of_sequence(names, line, routes, &mut holders)?,
        Subject::SequenceNumber(number) => {
            if let Some(sequence) = numbers.get(number) {
                let (schema, name) = (sequence.0.schema.as_bytes(), sequence.0.name.as_bytes());
                of_sequence(&sequence_line::pasted_key(schema, name), line, routes, &mut holders)?;
                holders.sequence = Some(sequence.clone());
            }
        }
        Subject::Script(Names::Nothing) | Subject::ScriptElsewhere | Subject::Scripts(_) => {}
        Subject::Script(Names::Unknown(why)) => {
            holders.lists = (0..routes.lists).map(|list| (list, Has::Unrouted)).collect();
            holders.why.clone_from(why);
        }
        Subject::Script(Names::Tables(tables)) => {
            holders.lists = of_script(tables, routes);
            let names: Vec<String> = tables.iter().map(spelled).collect();
            holders.why = format!("a statement on {}, of which the node has a part only", names.join(", "));
        }
        Subject::Script(Names::Doubtful { tables, reach, why }) => {
            let named = of_script(tables, routes).into_iter().map(|(list, _)| (list, Has::Unrouted));
            holders.lists = named.collect();
            beside(&mut holders.lists, &within(*reach, tables, routes), Has::Aside);
            holders.why.clone_from(why);
        }
    }
    Ok(holders)
}

fn of_sequence(names: &[u8], line: u64, routes: &Routes, holders: &mut Holders) -> Result<(), ArchiveFault> {
    match routes.sequences.get(names).map(Vec::as_slice) {
        None | Some([]) => {}
        Some([Route { name, lists }]) => {
            holders.lists = lists.iter().map(|list| (*list, Has::All)).collect();
            holders.sequence = Some(name.clone());
        }
        Some([one, two, ..]) => {
            let what = format!("the line may mean two sequences, {} and {}", one.name, two.name);
            return Err(ArchiveFault { line, what });
        }
    }
    Ok(())
}

/// The lists that a statement on these tables may reach.
fn within(reach: Reach, tables: &[Named], routes: &Routes) -> Vec<usize> {
    let everybody = || (0..routes.lists).collect();
    match reach {
        Reach::Named => Vec::new(),
        Reach::Everything => everybody(),
        Reach::Schemas => {
            let mut lists: Vec<usize> = Vec::new();
            for table in tables {
                // It may be in any schema.
                let Some(schema) = &table.schema else { return everybody() };
                let mut key = Vec::new();
                escape(schema.as_bytes(), &mut key);
                lists.extend(routes.schemas.get(&key).into_iter().flatten());
            }
            lists.sort_unstable();
            lists.dedup();
            lists
        }
    }
}

/// The lists that have all of these tables, or a part of them; of a DRMS master table those have a part that have series of its
/// schema. Of a name without a schema it is known only where a list has exactly one table of that name, in `public`: the search
/// path of the script is not.
fn of_script(tables: &[Named], routes: &Routes) -> Vec<(usize, Has)> {
    let mut counts = vec![(0, false); routes.lists];
    for table in tables {
        let mut of_list: HashMap<usize, (usize, bool)> = HashMap::new();
        if let Some(schema) = &table.schema {
            let key = series_key(schema.as_bytes(), table.table.as_bytes());
            if master::is_master(&key) {
                let of_schema = routes.schemas.get(master::schema(&key)).into_iter().flatten();
                of_list.extend(of_schema.map(|list| (*list, (1, false))));
            }
            let route = routes.series.get(&key);
            of_list.extend(route.into_iter().flat_map(|route| &route.lists).map(|list| (*list, (1, true))));
        } else {
            for route in routes.series.values().filter(|route| route.name.0.name == table.table) {
                for list in &route.lists {
                    let (count, public) = of_list.entry(*list).or_default();
                    *count += 1;
                    *public |= route.name.0.schema == "public";
                }
            }
        }
        for (list, found) in of_list {
            if let Some((count, doubtful)) = counts.get_mut(list) {
                *count += 1;
                *doubtful |= found != (1, true);
            }
        }
    }
    let numbered = counts.into_iter().enumerate().filter(|(_, (count, _))| *count > 0);
    numbered
        .map(|(list, (count, doubtful))| {
            (list, if count == tables.len() && !doubtful { Has::All } else { Has::Unrouted })
        })
        .collect()
}

fn spelled(table: &Named) -> String {
    match &table.schema {
        Some(schema) => crate::model::Series::new(schema.clone(), table.table.clone()).to_string(),
        None => table.table.clone(),
    }
}
