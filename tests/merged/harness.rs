//! What must hold of every byte string that somebody puts into the archive's place: the body of the fuzz target, which
//! the tests call too (`tests/merged.rs`).

use subscription_manager::logs::keys::Keys;
use subscription_manager::logs::reader::Format;
use subscription_manager::logs::statement::Subject;
use subscription_manager::logs::{
    Destination, Expected, Numbers, Plan, Routes, SplitError, Survey, plan, write,
};
use subscription_manager::model::{
    ArchiveName, Dialect, Sequence, Series, SeriesList, Subscription, Unrouted,
};

/// The ways in which the lists are served.
const WAYS: [(Dialect, Unrouted); 3] =
    [(Dialect::Psql, Unrouted::Send), (Dialect::Slony, Unrouted::Skip), (Dialect::Slony, Unrouted::Hold)];

/// Splits `archive` for three lists in both dialects and checks what comes out. Returns whether it is an archive.
///
/// # Panics
///
/// If something does not hold: that is what it is for.
pub(crate) fn check(archive: &[u8]) -> bool {
    let (cluster, counter) = expected_of(archive);
    let name: ArchiveName = format!("slony1_log_2_{counter:020}.sql").parse().expect("a name");
    let expected = Expected { cluster, name };
    let lines = archive.split(|byte| *byte == b'\n').count() as u64;
    let survey = Survey::of(archive, &expected, Vec::new());
    let narrow = Survey::through(archive, &expected, Vec::new(), 1);
    let (survey, narrow) = match (survey, narrow) {
        (Ok(survey), Ok(narrow)) => (survey, narrow),
        (Err(SplitError::Archive(one)), Err(SplitError::Archive(two))) => {
            assert!((1..=lines).contains(&one.line), "no line {} of {lines}: {one}", one.line);
            assert_eq!(one.line, two.line, "the window decides about the line:\n{one}\n{two}");
            return false;
        }
        (one, two) => panic!(
            "the window decides: {:?} {:?}",
            one.map(|survey| survey.keys.len()),
            two.map(|survey| survey.keys.len())
        ),
    };
    assert!(!archive.contains(&0), "a zero byte has passed");
    let (format, lists) = (survey.format, lists(&survey.keys));
    let destinations: Vec<Destination<'_>> = lists
        .iter()
        .flat_map(|list| WAYS.map(|(dialect, unrouted)| (list, dialect, unrouted)))
        .enumerate()
        .map(|(node, (list, dialect, unrouted))| Destination { node, unrouted, dialect, list })
        .collect();
    let Some(logs) = split(archive, &expected, survey, &destinations, lines) else { return true };
    let again = split(archive, &expected, narrow, &destinations, lines).expect("it passed before");
    for ((one, two), destination) in logs.iter().zip(&again).zip(&destinations) {
        assert_eq!(one, two, "the window decides about an output");
        let Some(log) = one else { continue };
        frame(archive, log, cluster, destination.dialect);
    }
    split_again(&expected, format, &destinations, &logs);
    true
}

/// The site log of each destination; `None` for one that stops. `None` for all if the plan is a fault.
fn split(
    archive: &[u8],
    expected: &Expected<'_>,
    mut survey: Survey,
    destinations: &[Destination<'_>],
    lines: u64,
) -> Option<Vec<Option<Vec<u8>>>> {
    let plan = match plan(&survey, &Routes::new(destinations), &numbers()) {
        Ok(plan) => plan,
        Err(SplitError::Archive(fault)) => {
            assert!((1..=lines).contains(&fault.line), "no line {} of {lines}: {fault}", fault.line);
            return None;
        }
        Err(SplitError::Numbers { line, .. }) => {
            assert!((1..=lines).contains(&line), "no line {line} of {lines}");
            return None;
        }
        Err(error) => panic!("{error}"),
    };
    for stop in &plan.stops {
        assert!((1..=lines).contains(&stop.line), "no line {} of {lines}: {}", stop.line, stop.why);
    }
    let once = outputs(archive, expected, &mut survey, &plan);
    let twice = outputs(archive, expected, &mut survey, &plan);
    assert_eq!(once, twice, "what is read again is something else");
    let mut logs = vec![None; destinations.len()];
    for (output, bytes) in plan.outputs.iter().zip(once) {
        for destination in &output.destinations {
            assert!(logs[*destination].replace(bytes.clone()).is_none(), "one output for each");
        }
    }
    for (log, destination) in logs.iter().zip(destinations) {
        assert_eq!(log.is_none(), plan.stops.iter().any(|stop| stop.node == destination.node));
    }
    Some(logs)
}

/// What passed the survey passes the writer.
fn outputs(archive: &[u8], expected: &Expected<'_>, survey: &mut Survey, plan: &Plan) -> Vec<Vec<u8>> {
    let mut written = vec![Vec::new(); plan.outputs.len()];
    write(survey, || Ok(archive), expected, plan, &mut written).expect("what was checked can be written");
    written
}

/// An output has the header and the trailer of its archive.
fn frame(archive: &[u8], log: &[u8], cluster: &str, dialect: Dialect) {
    let dashes = "-".repeat(66);
    let trailer = format!(
        "\n{dashes}\n-- End Of Archive Log\n{dashes}\ncommit;\nvacuum analyze \"_{cluster}\".sl_archive_tracking;\n"
    );
    assert!(archive.ends_with(trailer.as_bytes()), "an archive without a trailer");
    assert!(log.ends_with(format!("{trailer}-- EOL\n").as_bytes()), "an output without a trailer");
    let start = format!("-- start of Slony-I data\n{dashes}\n");
    let header = |text: &[u8]| {
        let at = text.windows(start.len()).position(|part| part == start.as_bytes()).expect("a header");
        text[..at + start.len()].to_vec()
    };
    let (of_archive, of_log) = (header(archive), header(log));
    if dialect == Dialect::Slony {
        assert_eq!(of_archive, of_log, "another header");
        return;
    }
    assert!(of_log.starts_with(b"\\set ON_ERROR_STOP on\n---"), "psql goes on after an error");
    let mut lines = of_log.split(|byte| *byte == b'\n');
    for line in of_archive.split(|byte| *byte == b'\n').filter(|line| !line.starts_with(b"set ")) {
        assert!(lines.any(|other| other == line), "a line of the header is lost");
    }
}

/// A site log of slon's own dialect is an archive, but for the line behind it, and splits into itself.
fn split_again(
    expected: &Expected<'_>,
    format: Option<Format>,
    destinations: &[Destination<'_>],
    logs: &[Option<Vec<u8>>],
) {
    for (destination, log) in destinations.iter().zip(logs) {
        let Some(log) = log.as_ref().filter(|_| destination.dialect == Dialect::Slony) else { continue };
        let archive = log.strip_suffix(b"-- EOL\n").expect("the last line");
        let survey = match Survey::of(archive, expected, Vec::new()) {
            Ok(survey) => survey,
            // A statement of a script may have stood where it meant something else.
            Err(_) if format == Some(Format::Statements) => return,
            Err(error) => panic!("{error}: {}", archive.escape_ascii()),
        };
        let lines = archive.split(|byte| *byte == b'\n').count() as u64;
        let again = split(archive, expected, survey, &[*destination], lines).expect("it passed before");
        assert_eq!(again, [Some(log.clone())], "a site log does not split into itself");
    }
}

/// Three lists: of all that occurs, of every other table of it, and of nothing.
fn lists(keys: &Keys) -> [SeriesList; 3] {
    let mut series = Vec::new();
    for (_, subject, _) in keys.iter() {
        match subject {
            Subject::Table(name) | Subject::MasterTable(name) | Subject::MasterRow { series: name, .. } => {
                series.extend(names(name));
            }
            _ => {}
        }
    }
    series.push(Series::new("hmi", "m_45s"));
    series.push(Series::new("aia", "lev1"));
    let all: SeriesList = series.into_iter().map(Subscription::from_name).collect();
    let some = all.iter().step_by(2).cloned().collect();
    let mut all: Vec<Subscription> = all.iter().cloned().collect();
    if let Some(first) = all.first_mut() {
        first.sequences.extend(numbers().into_values());
        for (_, subject, _) in keys.iter() {
            if let Subject::Sequence(pasted) = subject
                && !pasted.iter().any(|byte| b"\\".contains(byte))
                && let Ok(pasted) = std::str::from_utf8(pasted)
                && let Some((schema, name)) = pasted.split_once("','")
                && ![schema, name].concat().contains('\'')
            {
                first.sequences.push(Sequence::new(schema, name));
            }
        }
    }
    [all.into_iter().collect(), some, SeriesList::default()]
}

/// The names of a series as rows of COPY spell it, where a list could have it.
fn names(spelled: &[u8]) -> Option<Series> {
    let (schema, name) = std::str::from_utf8(spelled).ok()?.split_once('\t')?;
    let plain = |name: &str| name.replace("\\\\", "\\");
    Some(Series::new(plain(schema), plain(name)))
}

fn numbers() -> Numbers {
    [(7, Sequence::new("hmi", "m_45s_seq")), (8, Sequence::new("it's", "a\\b"))].into_iter().collect()
}

/// The cluster and the counter that the header names: most of what is tried should come past it.
fn expected_of(archive: &[u8]) -> (&'static str, u64) {
    let head = String::from_utf8_lossy(&archive[..archive.len().min(1000)]);
    let mut found = ["jsoc", "shp", "mpi"].into_iter().filter_map(|cluster| {
        let (_, rest) = head.split_once(&format!("\"_{cluster}\".archiveTracking_offline('"))?;
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        Some((cluster, digits.parse().ok().filter(|counter| *counter < 1_000_000_000)?))
    });
    found.next().unwrap_or(("jsoc", 7))
}
