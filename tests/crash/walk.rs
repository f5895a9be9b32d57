//! Walking a scenario: every point that it passes, or a sample of them.

use std::collections::BTreeSet;
use std::hash::{Hash, Hasher as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::deaths::{Death, Deaths, Points, Way};

/// Something that is done, and that must end in the same way whatever it dies of in between.
pub(crate) trait Scenario: Sync {
    /// Where it is done.
    type World;

    /// Everything as it is before.
    fn world(&self) -> Self::World;

    /// Where everything lies that is concerned.
    fn root(&self, world: &Self::World) -> PathBuf;

    /// The directory that is a disk of its own, and loses names when the power goes at a death, while the rest keeps them.
    fn disk(&self, _: &Self::World) -> Option<PathBuf> {
        None
    }

    /// Does it, to the end: what dies in between is started again.
    fn run(&self, world: &Self::World, deaths: &Deaths);

    /// Stops what goes on running.
    fn stop(&self, _: &Self::World) {}

    /// What follows when it has ended well, the power was lost after that, and everything is started again.
    fn run_again(&self, world: &Self::World, deaths: &Deaths);

    /// Fails unless everything is as it must be at this time. Changes nothing.
    fn judge(&self, world: &Self::World, time: Time);
}

/// When it is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Time {
    /// It has ended well.
    Ended,
    /// After that the power was lost, and everything started again.
    Again,
}

/// How much of a scenario is walked.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Extent {
    Whole,
    /// So many runs, or as many as it takes to die at every point of a name that no other scenario has had.
    Sample(usize),
    /// Every death at the points of these names.
    At(&'static [&'static str]),
}

/// Runs that go on side by side, of all scenarios together: they wait more than they work.
const SIDE_BY_SIDE: usize = 6;

/// How many of them go on.
static RUNNING: (Mutex<usize>, Condvar) = (Mutex::new(0), Condvar::new());

/// Does some work when its turn has come.
fn in_turn<T>(work: impl FnOnce() -> T) -> T {
    let (running, freed) = &RUNNING;
    *freed.wait_while(running.lock().unwrap(), |running| *running >= SIDE_BY_SIDE).unwrap() += 1;
    let done = work();
    *running.lock().unwrap() -= 1;
    freed.notify_one();
    done
}

/// Of so many runs one dies again, at a point of what it does after its first death.
const DIES_AGAIN: u64 = 8;

/// Walks a scenario.
pub(crate) fn walk<S: Scenario>(name: &str, extent: Extent, scenario: &S) {
    let seed = seed();
    let points = undisturbed(scenario);
    let mut all = deaths(&points);
    if let Extent::At(names) = extent {
        for name in names {
            assert!(points.contains_key(*name), "{name} was not passed: {points:?}");
        }
        all.retain(|death| names.contains(&death.name.as_str()));
    }
    let asked = std::env::var("CRASH_WALK").unwrap_or_default();
    let chosen = match (extent, asked.parse::<usize>()) {
        (_, Ok(runs)) => shuffled(&all, seed).into_iter().take(runs).collect(),
        (Extent::Sample(runs), _) if asked != "all" => sample(&all, runs, seed),
        _ => all.clone(),
    };
    println!(
        "{name}: {} of {} deaths at {} points, CRASH_SEED={seed}",
        chosen.len(),
        all.len(),
        points.len()
    );
    assert!(points.len() >= 5, "only {points:?} were passed: this test shows nothing");

    let (next, came, failed) = (AtomicUsize::new(0), AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        while let Some(death) = chosen.get(next.fetch_add(1, Ordering::Relaxed)) {
            match in_turn(|| catch_unwind(AssertUnwindSafe(|| die(scenario, death, seed)))) {
                Ok(all_came) => drop(came.fetch_add(usize::from(all_came), Ordering::Relaxed)),
                Err(cause) => failed.lock().unwrap().push(format!("{death:?}: {}", text(&*cause))),
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE {
            scope.spawn(work);
        }
    });
    let (failed, came) = (failed.into_inner().unwrap(), came.into_inner());
    assert!(
        failed.is_empty(),
        "{name}, CRASH_SEED={seed}: {} of {} failed\n{}",
        failed.len(),
        chosen.len(),
        failed.join("\n")
    );
    // What is asked again and again, and what threads share, is not passed equally often in every run.
    assert!(came * 2 >= chosen.len(), "{name}: only {came} of {} deaths came", chosen.len());
}

/// The points that are passed when nothing dies.
fn undisturbed<S: Scenario>(scenario: &S) -> Points {
    let world = scenario.world();
    let deaths = Deaths::new(&scenario.root(&world), scenario.disk(&world), Vec::new());
    scenario.run(&world, &deaths);
    let points = deaths.passed();
    end(scenario, &world, &deaths);
    points
}

/// Judges what was done; and once more, for what was killed and done again must have reached the disk as well.
fn end<S: Scenario>(scenario: &S, world: &S::World, deaths: &Deaths) {
    scenario.judge(world, Time::Ended);
    scenario.stop(world);
    deaths.lose_power();
    scenario.run_again(world, deaths);
    scenario.judge(world, Time::Again);
}

/// Dies once, and sometimes again. Whether all that was planned came.
fn die<S: Scenario>(scenario: &S, death: &Death, seed: u64) -> bool {
    let (all_came, after) = die_of(scenario, vec![death.clone()]);
    if all_came && number(&(seed, death)).is_multiple_of(DIES_AGAIN) {
        let second = deaths(&after).into_iter().min_by_key(|second| number(&(seed, death, second)));
        if let Some(second) = second {
            die_of(scenario, vec![death.clone(), second]);
        }
    }
    all_came
}

fn die_of<S: Scenario>(scenario: &S, plan: Vec<Death>) -> (bool, Points) {
    let again = (plan.len() > 1).then(|| format!("{plan:?}"));
    let died = catch_unwind(AssertUnwindSafe(|| {
        let world = scenario.world();
        let deaths = Deaths::new(&scenario.root(&world), scenario.disk(&world), plan);
        scenario.run(&world, &deaths);
        let ended = (deaths.all_came(), deaths.passed());
        end(scenario, &world, &deaths);
        ended
    }));
    died.unwrap_or_else(|cause| panic!("{} {}", again.unwrap_or_default(), text(&*cause)))
}

/// Every way to die at every point.
fn deaths(points: &Points) -> Vec<Death> {
    let each = |(name, count): (&String, &u32)| -> Vec<Death> {
        let nths = 1..=*count;
        let ways = [Way::Kill, Way::Power, Way::Torn];
        nths.flat_map(|nth| ways.map(|way| Death { name: name.clone(), nth, way })).collect()
    };
    points.iter().flat_map(each).collect()
}

/// By each name one death of each of the two ways that matter most, unless another scenario has it, and others until there
/// are so many.
fn sample(all: &[Death], runs: usize, seed: u64) -> Vec<Death> {
    static WALKED: Mutex<BTreeSet<(String, bool)>> = Mutex::new(BTreeSet::new());
    let mut walked = WALKED.lock().unwrap();
    let is_first =
        |death: &Death| death.way != Way::Torn && walked.insert((death.name.clone(), death.way == Way::Kill));
    let (mut chosen, rest): (Vec<Death>, Vec<Death>) = shuffled(all, seed).into_iter().partition(is_first);
    let more = runs.saturating_sub(chosen.len());
    chosen.extend(rest.into_iter().take(more));
    chosen
}

fn shuffled(all: &[Death], seed: u64) -> Vec<Death> {
    let mut shuffled = all.to_vec();
    shuffled.sort_by_key(|death| number(&(seed, death)));
    shuffled
}

/// A number that depends on nothing else.
fn number(value: &impl Hash) -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

fn seed() -> u64 {
    let given = std::env::var("CRASH_SEED").ok().and_then(|seed| seed.parse().ok());
    given.unwrap_or_else(|| SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()))
}

/// What a panic said.
fn text(cause: &(dyn std::any::Any + Send)) -> String {
    let text = cause.downcast_ref::<String>().cloned();
    text.or_else(|| cause.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}
