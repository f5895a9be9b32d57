//! `subscription_update`, and `sql_gen` behind it: from a trigger file to the published answer.

use std::time::{Duration, SystemTime};

use super::decide::{self, UpdatePlan, add, begin_again, forget_answers, forget_ready, listed, roll_back};
use super::refuse;
use super::service::{Service, act};
use super::sql::Frame;
use super::sql_gen::{Dump, NamedFile};
use super::worker::{WholeRequest, Worker};
use crate::db::{self, Replication, Session, Snapshot};
use crate::disk::{self, Dropped};
use crate::error::{Error, Result};
use crate::ground::{Ground, read};
use crate::model::Series;
use crate::protocol::{
    Cut, Kind, OpenRequest, Phase, Request, Site, SqlDone, SqlFile, Stem, TriggerFile, read_counter,
};

/// How often the locks of a dump are looked at.
const LOOK: Duration = Duration::from_millis(500);

/// Takes a request from the subscriber. Whatever was open of the node is rolled back, and every older answer is gone
/// before this one is accepted.
pub(super) async fn claim(worker: &Worker, whole: WholeRequest) -> Result<()> {
    let Worker { service, node, .. } = worker;
    let paths = &service.config.paths;
    let file = TriggerFile { node: node.clone(), stem: whole.stem, kind: Kind::Request };
    let path = paths.triggerdir.join(file.to_string());
    // Gone or changed since it was found whole: the next look finds what is there now.
    let Some(dropped) = disk::read_dropped(&path)?.filter(|dropped| dropped.identity == whole.identity)
    else {
        return Ok(());
    };
    let hold = service.hold().await?;
    let ground = service.ground(node)?;
    let site = if ground.cuts.is_some() { Site::Known } else { Site::New };
    let open = OpenRequest { stem: whole.stem, site, phase: Phase::Accepted, text: dropped.bytes.clone() };
    let mut steps = roll_back(paths, &ground.site, &ground.registry);
    steps.extend(forget_answers(paths, node));
    steps.push(crate::model::Step::Write { path: ground.site.open_request.clone(), bytes: open.write() });
    act(steps).await?;
    drop(hold);

    let checked = check(node, whole.stem, &dropped, &ground);
    match &checked {
        Ok(request) => {
            tracing::info!(%node, subscribe = request.subscribe.len(), unsubscribe = request.unsubscribe.len(), "request");
            accept(service, &ground, &dropped, &open)?;
        }
        Err(reason) => refuse::refuse(worker, reason).await?,
    }
    disk::take(&path, &paths.claim(&file), dropped.identity)?;
    (worker.claimed)();
    Ok(())
}

/// What can be said of a request without the database.
fn check(
    node: &crate::model::Node,
    stem: Stem,
    dropped: &Dropped,
    ground: &Ground,
) -> Result<Request, String> {
    let request = Request::parse(&dropped.bytes).map_err(|fault| fault.to_string())?;
    if request.node != *node {
        return Err(format!("the request is of node {}, its file of node {node}", request.node));
    }
    if ground.cuts.is_none() {
        decide::admit(node, stem, &ground.registry)?;
        let directory = &ground.site.directory;
        if disk::names(directory).is_ok_and(|names| !names.is_empty()) {
            return Err(format!(
                "the data centre has a directory of {node} with files in it, but no such site: its operator must remove one of them"
            ));
        }
    }
    UpdatePlan::new(&request, ground.list()).map(|_| request)
}

/// Writes `.cfg`: a new file, never the subscriber's own inode, to which it may still be writing. Deployed clients append
/// to it with an account of their own, hence mode and group.
fn accept(service: &Service, ground: &Ground, dropped: &Dropped, open: &OpenRequest) -> Result<()> {
    let request = ground.request(open)?;
    let mut text = dropped.bytes.clone();
    if !text.ends_with(b"\n") {
        text.push(b'\n');
    }
    text.extend_from_slice(format!("new_site {}\n", open.site == Site::New).as_bytes());
    let path = service.config.paths.trigger(&request.node, open.stem, Kind::Accepted);
    disk::write_like(&path, &text, 0o664, dropped.group)
}

/// Makes the SQL of an accepted request and publishes the answer. What an earlier attempt left is thrown away first; an
/// attempt that fails leaves nothing in the registry.
pub(super) async fn update(worker: &Worker) -> Result<()> {
    let Worker { service, node, .. } = worker;
    throw_away(worker).await?;
    let ground = service.ground(node)?;
    let Some(open) = ground.open.clone() else { return Ok(()) };
    let request = ground.request(&open)?;
    // The list may have changed since the request was accepted, if an operator changed it.
    let plan = UpdatePlan::new(&request, ground.list()).map_err(Error::Refused)?;
    let (open, cut, files) = match make(worker, &open, &request, &plan).await {
        Ok(made) => made,
        Err(error) => {
            throw_away(worker).await?;
            return Err(error);
        }
    };
    publish(worker, open, &request, &plan, cut, files).await
}

/// Takes `.new` and what was made ready away again; the request stays accepted.
pub(super) async fn throw_away(worker: &Worker) -> Result<()> {
    let Worker { service, node, .. } = worker;
    let hold = service.hold().await?;
    let ground = service.ground(node)?;
    let Some(open) = &ground.open else { return Ok(()) };
    let paths = &service.config.paths;
    let mut steps = forget_ready(paths, node);
    if open.cut().is_some() {
        steps.extend(roll_back(paths, &ground.site, &ground.registry));
        let bytes = begin_again(open).write();
        steps.push(crate::model::Step::Write { path: ground.site.open_request, bytes });
    }
    act(steps).await?;
    drop(hold);
    Ok(())
}

type Answer = (OpenRequest, Cut, Vec<NamedFile>);

/// Makes the SQL, giving way to whoever waits for the dump's locks, a number of times.
async fn make(worker: &Worker, open: &OpenRequest, request: &Request, plan: &UpdatePlan) -> Result<Answer> {
    let service = &worker.service;
    let limits = service.config.dump;
    // A request without data is answered at once, however many dumps run.
    let _permit = if plan.added.is_empty() {
        None
    } else {
        let permit = unless_cancelled(worker, async { Ok(service.dumps.acquire().await) }).await?;
        Some(permit.map_err(|_| Error::Cancelled)?)
    };
    let mut pause = limits.give_way;
    for attempt in 1..=limits.attempts {
        match dump(worker, open, request, plan).await {
            Err(Error::Yielded { waiter, seconds }) => {
                tracing::warn!(node = %worker.node, waiter, seconds, attempt, "the dump gave way");
                throw_away(worker).await?;
                if attempt < limits.attempts {
                    unless_cancelled(worker, async {
                        let _: () = tokio::time::sleep(pause).await;
                        Ok(())
                    })
                    .await?;
                    pause *= 2;
                }
            }
            made => return made,
        }
    }
    let times = limits.attempts;
    Err(Error::Refused(format!(
        "the dump kept replication waiting, {times} times: ask again at a quieter time, or for fewer series at once"
    )))
}

/// Gives `work` up when a newer request or the end of the daemon makes it needless. Only for work that changes no file
/// under the hold: that is done to its end.
async fn unless_cancelled<T>(worker: &Worker, work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::select! {
        done = work => done,
        () = worker.cancel.cancelled() => Err(Error::Cancelled),
    }
}

/// One attempt: snapshot, cut, registration, SQL.
async fn dump(worker: &Worker, open: &OpenRequest, request: &Request, plan: &UpdatePlan) -> Result<Answer> {
    let Worker { service, node, .. } = worker;
    let begin = async {
        let session = service.database.connect().await?;
        check_series(service, &session, &plan.added).await?;
        let encoding = db::encoding(&session).await?;
        Ok((Snapshot::begin(session, &plan.added).await?, encoding))
    };
    let (snapshot, encoding) = unless_cancelled(worker, begin).await?;
    let (open, cut) = register(worker, open, plan, &snapshot).await?;
    tracing::info!(%node, cut = %cut.counter, series = plan.added.len(), "cut");
    let config = &service.config;
    let frame = Frame {
        node,
        owner: &config.owner,
        cluster: &config.cluster,
        encoding: &encoding,
        site: open.site,
        cut: cut.counter,
        fenced: cut.fenced,
    };
    let dump = Dump {
        session: snapshot.session(),
        frame,
        request,
        plan,
        sequences: cut.list.iter().flat_map(|subscription| &subscription.sequences).collect(),
        stem: open.stem,
        directory: &config.paths.triggerdir,
        grant_to: &config.grant_to,
        rate: config.dump.rate,
    };
    let backend = snapshot.backend().await?;
    let files = tokio::select! {
        files = unless_cancelled(worker, dump.make()) => files,
        waited = somebody_waits(service, backend, plan.added.is_empty()) => Err(waited),
    };
    match files {
        Ok(files) => {
            snapshot.prove().await?;
            Ok((open, cut, files))
        }
        Err(error) => {
            // Without this the server would go on with the COPY until it fills the socket, and keep its locks.
            snapshot.session().cancel().await;
            Err(error)
        }
    }
}

/// Refuses series that cannot be subscribed, all of them in one reason.
async fn check_series(service: &Service, session: &Session, added: &[Series]) -> Result<()> {
    let states = db::replication(&service.database, session, added).await?;
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
    let ground = service.ground(node)?;
    let taken = snapshot.cut(&service.database, &plan.added).await?;
    if let Some(split) =
        read(&service.config.paths.split_counter(), read_counter)?.filter(|split| *split > taken.counter)
    {
        return Err(Error::WrongDatabase(format!(
            "the splitter is at archive {split}, but the database says {}: time went back",
            taken.counter
        )));
    }
    let list = plan.list(ground.list(), taken.sequences);
    let cut = Cut { counter: taken.counter, fenced: plan.is_fenced(), list };
    let open = OpenRequest { phase: Phase::Cut(cut.clone()), ..open.clone() };
    act(add(&service.config.paths, &ground.site, &open, &cut, &ground.registry)).await?;
    drop(hold);
    Ok((open, cut))
}

/// Ends when somebody has waited for the dump's locks for too long.
async fn somebody_waits(service: &Service, backend: i32, has_no_locks: bool) -> Error {
    if has_no_locks {
        return std::future::pending().await;
    }
    let limit = service.config.dump.give_way;
    let session = match service.database.connect().await {
        Ok(session) => session,
        Err(error) => return error,
    };
    let mut since = None;
    loop {
        match db::first_waiter(&session, backend).await {
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
async fn publish(
    worker: &Worker,
    open: OpenRequest,
    request: &Request,
    plan: &UpdatePlan,
    cut: Cut,
    files: Vec<NamedFile>,
) -> Result<()> {
    let Worker { service, node, cancel, .. } = worker;
    let paths = service.config.paths.clone();
    let mut listed = Vec::new();
    for (name, made) in files {
        listed.push(SqlFile { name: name.clone(), bytes: made.bytes, sha256: made.sha256.clone() });
        let ready = paths.ready(&name);
        let done = tokio::task::spawn_blocking(move || made.publish(&ready)).await;
        done.map_err(|error| Error::Fatal(format!("publishing broke: {error}")))??;
    }
    // Deployed clients search the whole text for words that a series' name may hold.
    let harmless = |series: &&Series| {
        let name = series.to_string().to_ascii_lowercase();
        open.stem == Stem::Document || !(name.contains("error") || name.contains("failure"))
    };
    let answer = SqlDone::Ready {
        id: request.id.clone(),
        cut: cut.counter,
        files: listed,
        skipped: plan.skipped.iter().filter(harmless).cloned().collect(),
        series: plan.added.iter().filter(harmless).cloned().collect(),
    };
    let sqldone = TriggerFile { node: node.clone(), stem: open.stem, kind: Kind::SqlDone }.to_string();
    disk::write(&paths.ready(&sqldone), answer.write().as_bytes())?;
    // From the next line on the subscriber may apply this SQL; a newer request that came before it wins.
    if cancel.is_cancelled() {
        throw_away(worker).await?;
        return Err(Error::Cancelled);
    }
    let stem = open.stem;
    let published = OpenRequest { phase: Phase::Published { cut, since: SystemTime::now() }, ..open };
    let site = service.ground(node)?.site;
    disk::write(&site.open_request, &published.write())?;
    act(decide::show_answer(&paths, node, stem)).await?;
    tracing::info!(%node, "the SQL may be fetched");
    Ok(())
}
