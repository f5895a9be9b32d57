//! `subscription_update`: from an accepted request to the published answer. What is published is made by
//! [`super::sql_gen`].

use std::time::{Duration, SystemTime};

use super::audit;
use super::decide::{self, UpdatePlan, add, keep_apart, listed};
use super::progress::Ticket;
use super::refuse::{Then, wind_back};
use super::service::blocking;
use super::sql::Frame;
use super::sql_gen::{Dump, NamedFile};
use super::watched;
use super::worker::Worker;
use crate::db::{self, Meter, Replication, Session, Snapshot};
use crate::disk::{self, Readers};
use crate::error::{Error, Result};
use crate::ground::{self, Ground, read};
use crate::model::{Node, Series, Step};
use crate::paths::Paths;
use crate::protocol::{
    Cut, Cuts, Event, Kind, OpenRequest, Phase, Request, Sent, Site, SqlDone, SqlFile, Stem, TriggerFile,
    read_counter,
};

/// How often the locks of a dump are looked at.
const LOOK: Duration = Duration::from_millis(500);

/// How long the database may take to give the cut. The hold is kept meanwhile, and with it the splitter.
const CUT_LIMIT: Duration = Duration::from_secs(10);

/// Makes the SQL of an accepted request and publishes the answer. What an earlier attempt left is thrown away first; an
/// attempt that fails leaves nothing in the registry. With the failure comes whether there had been a cut.
pub(super) async fn update(worker: &Worker) -> Result<(), (Error, bool)> {
    let before = |error| (error, false);
    wind_back(worker, Then::BeginAgain).await.map_err(before)?;
    let Some((open, request, plan)) = planned(worker).map_err(before)? else { return Ok(()) };
    let made = tokio::select! {
        made = make(worker, &open, &request, &plan) => made,
        // Whatever it was doing: steps that are under way are carried out to their end before the hold is free again.
        () = worker.cancel.cancelled() => Err(Error::Cancelled),
    };
    let published = match made {
        Ok(answer) => publish(worker, &request, &plan, answer).await,
        Err(error) => Err(error),
    };
    let Err(error) = published else { return Ok(()) };
    match wind_back(worker, Then::BeginAgain).await {
        Ok(had_cut) => Err((error, had_cut)),
        Err(worse) => Err((worse, false)),
    }
}

/// The open request and what it comes to; `None`: none is open.
fn planned(worker: &Worker) -> Result<Option<(OpenRequest, Request, UpdatePlan)>> {
    let ground = worker.service.ground(&worker.node)?;
    let Some(open) = &ground.open else { return Ok(None) };
    let request = ground.request(open)?;
    // The list may have changed since the request was accepted, if an operator changed it.
    let plan = UpdatePlan::new(&request, ground.list()).map_err(Error::Refused)?;
    // The rules may have changed too.
    worker.service.allow(&worker.node, &plan.added).map_err(Error::Refused)?;
    Ok(Some((open.clone(), request, plan)))
}

/// What was made for a request.
struct Answer {
    open: OpenRequest,
    cut: Cut,
    files: Vec<NamedFile>,
    rows: u64,
}

/// Makes the SQL, giving way to whoever waits for the dump's locks, a number of times.
async fn make(worker: &Worker, open: &OpenRequest, request: &Request, plan: &UpdatePlan) -> Result<Answer> {
    let service = &worker.service;
    let limits = service.config.dump;
    let mut pause = limits.give_way;
    let ticket = service.progress.ticket(&worker.node, plan.added.len());
    for attempt in 1..=limits.attempts {
        // A request without data is answered at once, however many dumps run.
        let permit = match plan.added.as_slice() {
            [] => None,
            _ => Some(service.dumps.acquire().await.map_err(|_| Error::Cancelled)?),
        };
        let answer = dump(worker, open, request, plan, &ticket).await;
        drop(permit);
        match answer {
            Err(Error::Yielded { waiter, seconds }) => {
                tracing::warn!(node = %worker.node, waiter, seconds, attempt, "the dump gave way");
                ticket.wait();
                wind_back(worker, Then::BeginAgain).await?;
                if attempt < limits.attempts {
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
            }
            answer => return answer,
        }
    }
    let times = limits.attempts;
    Err(Error::Refused(format!(
        "the dump kept replication waiting, {times} times: ask again at a quieter time, or for fewer series at once"
    )))
}

/// One attempt: snapshot, cut, registration, SQL.
async fn dump(
    worker: &Worker,
    open: &OpenRequest,
    request: &Request,
    plan: &UpdatePlan,
    ticket: &Ticket<'_>,
) -> Result<Answer> {
    if !plan.added.is_empty()
        && let Some(objection) = watched::objection(&worker.service.config)?
    {
        return Err(Error::Stopped(format!("no dump is made: {objection}")));
    }
    let (session, mut driver) = worker.service.database.connect_undriven().await?;
    db::drive(&mut driver, dump_in(session, worker, open, request, plan, ticket)).await
}

async fn dump_in(
    session: Session,
    worker: &Worker,
    open: &OpenRequest,
    request: &Request,
    plan: &UpdatePlan,
    ticket: &Ticket<'_>,
) -> Result<Answer> {
    let service = &worker.service;
    let patience = service.config.database_patience;
    let begin = async {
        let node = service.database.local_node(&session).await?;
        ground::check_slony_node(&service.config.paths, service.config.slony_node, node)?;
        let system = service.database.system_identifier(&session).await?;
        ground::check_system(&service.config.paths, system)?;
        check_series(worker, &session, &plan.added).await?;
        let (style, backend) = (db::text_style(&session).await?, session.backend().await?);
        Ok((style, backend, Snapshot::begin(session, &plan.added).await?))
    };
    let (style, backend, snapshot) = answered(patience, begin).await?;
    let config = &service.config;
    let made = async {
        let (open, cut) = register(worker, open, plan, &snapshot).await?;
        tracing::info!(node = %worker.node, cut = %cut.counter, series = plan.added.len(), "cut");
        let floor = service.ground(&worker.node)?.cuts.and_then(|cuts| cuts.last_with(&plan.added));
        let frame = Frame {
            node: &worker.node,
            owner: &config.owner,
            cluster: &config.cluster,
            style: &style,
            site: open.site,
            cut: cut.counter,
            fenced: cut.fenced,
            floor,
        };
        ticket.run(db::sizes(snapshot.session(), &plan.added).await?);
        let told = |rows, bytes| ticket.count(rows, bytes);
        let dump = Dump {
            session: snapshot.session(),
            frame,
            request,
            plan,
            sequences: cut.list.iter().flat_map(|subscription| &subscription.sequences).collect(),
            stem: open.stem,
            directory: &config.paths.triggerdir,
            grant_to: &config.grant_to,
            meter: Meter::new(config.dump.rate, &told),
            ticket,
        };
        let (files, rows) = dump.make().await?;
        Ok(Answer { open, cut, files, rows })
    };
    let made = tokio::select! {
        made = made => made,
        waited = somebody_waits(worker, backend, plan) => Err(waited),
    };
    match made {
        Ok(answer) => answered(patience, snapshot.prove()).await.map(|()| answer),
        Err(error) => {
            // Without this the server would go on with the COPY until it fills the socket, and keep its locks.
            snapshot.session().cancel().await;
            Err(db::without_locks(error))
        }
    }
}

/// Gives up what the database does not answer. Where the network is broken the system's keepalives notice; a server that
/// stands still, or something between that swallows what is sent, answers those and nothing else.
async fn answered<T>(patience: Duration, asked: impl Future<Output = Result<T>>) -> Result<T> {
    let silent = |_| Err(Error::Silent(format!("the database is silent for {} s", patience.as_secs())));
    tokio::time::timeout(patience, asked).await.unwrap_or_else(silent)
}

/// Refuses series that cannot be subscribed, all of them in one reason.
async fn check_series(worker: &Worker, session: &Session, added: &[Series]) -> Result<()> {
    let states = db::replication(&worker.service.database, session, added).await?;
    let those = |wanted: Replication| {
        let of =
            added.iter().zip(&states).filter(move |(_, state)| **state == wanted).map(|(series, _)| series);
        of.collect::<Vec<_>>()
    };
    let mut reasons = Vec::new();
    for (state, what) in [(Replication::Unknown, "unknown"), (Replication::NotReplicated, "not replicated")] {
        let series = those(state);
        if !series.is_empty() {
            reasons.push(format!("{what}: {}", listed(series)));
        }
    }
    if reasons.is_empty() { Ok(()) } else { Err(Error::Refused(reasons.join("; "))) }
}

/// Takes the snapshot and enters `<node>.new`, under the hold, so that no archive after the cut is split in between.
async fn register(
    worker: &Worker,
    open: &OpenRequest,
    plan: &UpdatePlan,
    snapshot: &Snapshot,
) -> Result<(OpenRequest, Cut)> {
    let Worker { service, node, .. } = worker;
    let hold = service.hold().await?;
    let cut = async {
        let cut = snapshot.cut(&service.database, &plan.added).await?;
        // Again, as it is in the snapshot: a set may have lost a series since, and what it lacks then comes with no archive.
        check_series(worker, snapshot.session(), &plan.added).await?;
        Ok::<_, Error>(cut)
    };
    let taken = tokio::time::timeout(CUT_LIMIT, cut).await;
    let late = || Error::Silent(format!("the database gave no cut within {} s", CUT_LIMIT.as_secs()));
    let taken = taken.map_err(|_| late())??;
    let (paths, open, plan, name) = (service.config.paths.clone(), open.clone(), plan.clone(), node.clone());
    let readers = service.access.readers(node);
    let enter = move |ground: &Ground| {
        let split = read(&paths.split_counter(), read_counter)?.map(|split| ("the splitter is at", split));
        let copied = ground.cuts.as_ref().and_then(Cuts::newest_cut).map(|cut| ("a copy was made at", cut));
        if let Some((what, at)) = split.into_iter().chain(copied).find(|(_, at)| *at > taken.counter) {
            return Err(Error::went_back(what, at, taken.counter));
        }
        if (open.site == Site::Known) != ground.cuts.is_some() {
            return Err(Error::Refused("the node was registered or removed meanwhile: ask again".into()));
        }
        if open.site == Site::New {
            // Again, under the hold: two new nodes that cannot be told apart may have come at the same time.
            decide::admit(&name, open.stem, &ground.registry).map_err(Error::Refused)?;
        }
        let list = plan.list(ground.list(), taken.sequences);
        let cut = Cut { counter: taken.counter, fenced: plan.is_fenced(), list };
        let open = OpenRequest { phase: Phase::Cut(cut.clone()), ..open };
        let mut steps = add(&paths, &ground.site, &open, &cut, &ground.registry);
        if let Readers::Group(group) = readers {
            // Nothing is in them yet: that comes when the hold is free.
            steps.extend(keep_apart(&ground.site, group));
        }
        Ok((steps, (open, cut)))
    };
    service.change_under(hold, node, enter).await
}

/// Ends when somebody has waited for the dump's locks for too long, or the database does not answer any more.
async fn somebody_waits(worker: &Worker, backend: i32, plan: &UpdatePlan) -> Error {
    if plan.added.is_empty() {
        return std::future::pending().await;
    }
    let limit = worker.service.config.dump.give_way;
    let patience = worker.service.config.database_patience;
    let session = match worker.service.database.connect().await {
        Ok(session) => session,
        Err(error) => return error,
    };
    let mut since = None;
    loop {
        match answered(patience, db::first_waiter(&session, backend)).await {
            Err(error) => return error,
            Ok(None) => since = None,
            Ok(Some(waiter)) => {
                let since = *since.get_or_insert_with(std::time::Instant::now);
                // One look early: the wait must not be longer than the limit by the time between two looks.
                if since.elapsed() + LOOK >= limit {
                    return Error::Yielded { waiter, seconds: limit.as_secs() };
                }
            }
        }
        tokio::time::sleep(LOOK.min(limit / 4)).await;
    }
}

/// Puts the files in place under hidden names, says `published`, and lets them be seen.
async fn publish(worker: &Worker, request: &Request, plan: &UpdatePlan, answer: Answer) -> Result<()> {
    let Worker { service, node, .. } = worker;
    let Answer { open, cut, files, rows } = answer;
    let paths = service.config.paths.clone();
    let stem = open.stem;
    // Deployed clients search the whole text for words that a series' name may hold.
    let harmless = |series: &&Series| {
        let name = series.to_string().to_ascii_lowercase();
        stem == Stem::Document || !(name.contains("error") || name.contains("failure"))
    };
    let file = |(name, made): &NamedFile| SqlFile {
        name: name.clone(),
        bytes: made.bytes,
        sha256: made.sha256.clone(),
    };
    let sqldone = SqlDone::Ready {
        id: request.id.clone(),
        cut: cut.counter,
        files: files.iter().map(file).collect(),
        skipped: plan.skipped.iter().filter(harmless).cloned().collect(),
        series: plan.added.iter().filter(harmless).cloned().collect(),
    };
    let sent = Some(Sent { rows, bytes: files.iter().map(|(_, made)| made.bytes).sum() });
    let phase = Phase::Published { cut, since: SystemTime::now(), sent };
    let published = OpenRequest { phase, ..open };
    let sqldone_name = TriggerFile { node: node.clone(), stem, kind: Kind::SqlDone }.to_string();
    let (ready, readers) = (paths.clone(), service.access.readers(node));
    blocking(move || {
        for (name, made) in files {
            made.publish(&ready.ready(&name), readers)?;
        }
        disk::write_for(&ready.ready(&sqldone_name), sqldone.write().as_bytes(), readers)
    })
    .await?;
    let (name, cancel) = (node.clone(), worker.cancel.clone());
    let show = move |ground: &Ground| {
        // After these steps the subscriber may apply this SQL; a newer request that came before them wins.
        if cancel.is_cancelled() {
            return Err(Error::Cancelled);
        }
        let is_ours = ground.open.as_ref().and_then(OpenRequest::cut) == published.cut();
        if !is_ours || ground.registry.entries().all(|entry| entry.directory != ground.site.new_directory) {
            return Err(Error::Stopped("the open request was changed under its dump".into()));
        }
        let mut steps =
            vec![Step::Write { path: ground.site.open_request.clone(), bytes: published.write() }];
        steps.push(audit::tell(&paths, &name, ground, &published, Event::Offered, None));
        steps.extend(decide::show_answer(&paths, &name, stem));
        Ok((steps, ()))
    };
    service.change(node, show).await?;
    tracing::info!(%node, "the SQL may be fetched");
    Ok(())
}

/// Lets what is ready be seen, after a kill or a disk that failed in the middle of that. The line of the audit trail
/// stands before the last name that appears.
pub(super) fn show(paths: &Paths, node: &Node, ground: &Ground, stem: Stem) -> Vec<Step> {
    let sqldone = TriggerFile { node: node.clone(), stem, kind: Kind::SqlDone };
    let told = ground.open.as_ref().filter(|_| disk::exists(&paths.ready(&sqldone.to_string())));
    let told = told.map(|open| audit::tell(paths, node, ground, open, Event::Offered, None));
    told.into_iter().chain(decide::show_answer(paths, node, stem)).collect()
}
