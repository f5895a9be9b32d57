//! Taking a request from the subscriber: whatever was open of the node is rolled back, and every older answer is gone,
//! before the new one is accepted.

use std::time::SystemTime;

use super::audit;
use super::decide::{self, UpdatePlan, forget_answers, roll_back, taken_back};
use super::lost::{lost, make_again};
use super::refuse;
use super::worker::{WholeRequest, Worker};
use crate::disk::{self, Dropped, Lock, Readers};
use crate::error::{Error, Result};
use crate::ground::{Ground, read as read_file};
use crate::model::{Node, Step};
use crate::paths::Paths;
use crate::protocol::{
    Event, Kind, OpenRequest, Origin, Phase, Request, Site, Stem, Stopped, TriggerFile, Why, key_value,
};

/// Takes a request that was found whole.
pub(super) async fn claim(worker: &Worker, whole: WholeRequest) -> Result<()> {
    let Worker { service, node, .. } = worker;
    let paths = &service.config.paths;
    let file = TriggerFile { node: node.clone(), stem: whole.stem, kind: Kind::Request };
    let (path, claim) = (paths.triggerdir.join(file.to_string()), paths.claim(&file));
    // Waited for while the request lies where its subscriber sees it: one of which nothing is to be seen for a minute counts as lost.
    let hold = service.hold().await?;
    // Gone or changed since it was found whole: the next look finds what is there now.
    let found = match disk::read_dropped(&path) {
        // What cannot be read is not the request that was: nothing is said of the open one.
        Err(Error::Refused(_)) => None,
        found => found?,
    };
    let Some(dropped) = found.filter(|dropped| dropped.identity == whole.identity) else { return Ok(()) };
    // Whatever was seen before: what counts is whose file is taken. The next look sets it aside.
    if service.access.may_speak(node, dropped.owner).is_err() {
        return Ok(());
    }
    // Taken first: in a directory in which it cannot be taken nothing is begun.
    let taken = match disk::take(&path, &claim, |there| there == whole.identity) {
        // It may have the hidden name already, by which nobody looks for it, and that not be on disk.
        Err(error) if disk::exists(&claim) => disk::give_back(&claim, &path).and(Err(error)),
        taken => taken,
    };
    if !taken? {
        return Ok(());
    }
    match accept(worker, whole.stem, &dropped, hold).await {
        Ok(()) => disk::remove(&claim),
        Err(error) => {
            // Back to where the subscriber put it: it is claimed again, not lost.
            disk::give_back(&claim, &path)?;
            Err(error)
        }
    }
}

/// Makes the request the open one, under the hold under which it was taken.
async fn accept(worker: &Worker, stem: Stem, dropped: &Dropped, hold: Lock) -> Result<()> {
    let Worker { service, node, .. } = worker;
    let paths = service.config.paths.clone();
    if let Err(reason) = read(node, &dropped.bytes)
        && service.ground(node)?.open.is_some()
    {
        // The open request goes on: rubbish is not its subscriber's next one.
        let file = TriggerFile { node: node.clone(), stem, kind: Kind::Request };
        audit::tell_of_file(&paths, &paths.claim(&file), Some(node), &reason)?;
        return refuse::keep_rejected(&paths, node, stem, &dropped.bytes, &reason);
    }
    if let Some(open) = &service.ground(node)?.open
        && matches!(open.phase, Phase::Published { .. })
        && is_same(open, stem, dropped)
    {
        // Its subscriber may apply the SQL by now: another cut would take from it what lies between.
        tracing::info!(%node, "the request is the one that is answered already");
        return Ok(());
    }
    let allowed =
        read(node, &dropped.bytes).map_or(Ok(()), |request| service.allow(node, &request.subscribe));
    let (all, name, taken) = (paths.clone(), node.clone(), dropped.clone());
    let origin = Origin {
        accepted: SystemTime::now(),
        owner: disk::user_name(dropped.owner),
        written: dropped.modified,
    };
    let plan = move |ground: &Ground| {
        let site = if ground.cuts.is_some() { Site::Known } else { Site::New };
        let text = taken.bytes.clone();
        let open = OpenRequest { stem, site, phase: Phase::Accepted, origin: Some(origin), text };
        let lost =
            ground.open.as_ref().map(|before| lost(&all, ground, before, false)).transpose()?.flatten();
        let mut steps: Vec<_> = make_again(ground, lost.as_ref()).into_iter().collect();
        let open = match &ground.open {
            // It may have the cut of the one before it then.
            Some(before) if is_same(before, stem, &taken) => {
                OpenRequest { origin: before.origin.clone(), ..open }
            }
            Some(before) => {
                steps.push(audit::tell(&all, &name, ground, before, Event::Superseded, None));
                open
            }
            None => open,
        };
        let write = |open: &OpenRequest| {
            let path = ground.site.open_request.clone();
            Step::Write { path, bytes: open.write() }
        };
        // The open request is this one from here on: a kill in the middle leads to rolling back the rest.
        let before = ground.open.as_ref().and_then(OpenRequest::cut);
        steps.push(write(&taken_back(&open, before)));
        let stopped = lost.as_ref().or(ground.stopped.as_ref());
        steps.extend(roll_back(&all, &ground.site, &ground.registry, stopped));
        steps.extend(forget_answers(&all, &name));
        if before.is_some() {
            steps.push(write(&open));
        }
        if site == Site::New {
            // Of an earlier life of a site of this name: it would look as if it had lost its logs.
            steps.push(Step::Remove(all.acknowledgement(&name)));
        }
        let checked = allowed.and_then(|()| check(&name, &open, ground, stopped));
        if checked.is_ok() {
            steps.push(audit::tell(&all, &name, ground, &open, Event::Accepted, None));
        }
        Ok((steps, (site, checked)))
    };
    match service.change_under(hold, node, plan).await? {
        (site, Ok(request)) => {
            let (subscribe, unsubscribe) = (request.subscribe.len(), request.unsubscribe.len());
            tracing::info!(%node, subscribe, unsubscribe, "request");
            // A new file, never the subscriber's own inode, to which it may still be writing. Deployed clients append to
            // it with an account of their own, hence mode and group.
            let accepted = accepted(&dropped.bytes, site);
            let (mode, group) = match service.access.readers(node) {
                Readers::Everybody => (0o664, dropped.group),
                Readers::Group(group) => (0o660, group),
            };
            disk::write_like(&paths.trigger(node, stem, Kind::Accepted), &accepted, mode, group)
        }
        (_, Err(reason)) => refuse::refuse(worker, &reason).await,
    }
}

/// Whether a request that lies there is the one that is open. Then it was whole when it was taken, and was given back because that was
/// interrupted: nothing is made of the open one until it is taken again.
pub fn is_given_back(paths: &Paths, file: &TriggerFile, dropped: &Dropped) -> bool {
    // An open request that cannot be read is said where it is worked on.
    let open = read_file(&paths.site(&file.node, None).open_request, OpenRequest::parse).ok().flatten();
    open.is_some_and(|open| is_same(&open, file.stem, dropped))
}

/// Whether a file is that of the open request: a kill came between its first step and its last, and it was given back.
fn is_same(open: &OpenRequest, stem: Stem, dropped: &Dropped) -> bool {
    let written = open.origin.as_ref().map(|origin| origin.written);
    open.stem == stem && open.text == dropped.bytes && written == Some(dropped.modified)
}

/// Reads a request of this node.
fn read(node: &Node, bytes: &[u8]) -> Result<Request, String> {
    let request = Request::parse(bytes).map_err(|fault| fault.to_string())?;
    if request.node != *node {
        return Err(format!("the request is of node {}, its file of node {node}", request.node));
    }
    Ok(request)
}

/// What can be said of a request without the database.
fn check(
    node: &Node,
    open: &OpenRequest,
    ground: &Ground,
    stopped: Option<&Stopped>,
) -> Result<Request, String> {
    let request = read(node, &open.text)?;
    if open.site == Site::New {
        decide::admit(node, open.stem, &ground.registry)?;
        let directory = &ground.site.directory;
        if disk::exists(directory) && disk::real_directory(directory).is_err() {
            // No directory can be made there when the site has applied its SQL, and a link is not followed.
            return Err(format!(
                "the data centre has a link or a file where the directory of {node} is to be: its operator must remove that"
            ));
        }
        if disk::names(directory).is_ok_and(|names| !names.is_empty()) {
            return Err(format!(
                "the data centre has a directory of {node} with files in it, but no such site: its operator must remove one of them"
            ));
        }
    }
    // Where a new site's logs have stopped, the request that this one takes the place of was the reason.
    if let Some(stopped) = stopped.filter(|_| open.site == Site::Known) {
        let before = stopped.before;
        return Err(match &stopped.why {
            Some(Why::Decide(_)) => format!(
                "the logs of {node} stop before archive {before} until the operator of the data centre has decided about a statement there: ask again then"
            ),
            Some(Why::Fault(_)) => format!(
                "the logs of {node} stop before archive {before} because the data centre cannot write them: ask again when its operator has mended that"
            ),
            Some(Why::Paused(reason)) => paused(node, reason),
            None => format!("the logs of {node} are late, from archive {before} on: ask again in a while"),
        });
    }
    UpdatePlan::new(&request, ground.list()).map(|_| request)
}

/// Why a paused node gets nothing, for its subscriber.
fn paused(node: &Node, reason: &str) -> String {
    let reason = if reason.is_empty() { String::new() } else { format!(": {reason}") };
    format!("the operator of the data centre has paused {node}{reason}; ask again when it goes on")
}

/// The text of `.cfg`. Lines of an earlier round, in a request that is sent again, are left out: a copy of this file that
/// breaks off must not end in an old `success`. So is `end`, because more follows.
fn accepted(request: &[u8], site: Site) -> Vec<u8> {
    let left_out = |line: &[u8]| {
        let line = String::from_utf8_lossy(line);
        matches!(key_value(line.trim()).0, "success" | "counter" | "new_site" | "new_node" | "end")
    };
    let lines = request.split_inclusive(|byte| *byte == b'\n');
    let mut text: Vec<u8> = lines.filter(|line| !left_out(line)).flatten().copied().collect();
    if !text.ends_with(b"\n") {
        text.push(b'\n');
    }
    text.extend_from_slice(format!("new_site {}\n", site == Site::New).as_bytes());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_accepted_request_says_nothing_of_an_earlier_round_and_can_be_sent_again() {
        let sent = b"node nso\r\nhmi.m subscribe\nnew_site false\nsuccess true\n counter=7\nend";
        let text = accepted(sent, Site::New);
        assert_eq!(String::from_utf8_lossy(&text), "node nso\r\nhmi.m subscribe\nnew_site true\n");
        assert!(Request::parse(&text).is_ok());
    }
}
