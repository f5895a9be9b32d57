//! Taking a request from the subscriber: whatever was open of the node is rolled back, and every older answer is gone,
//! before the new one is accepted.

use super::decide::{self, UpdatePlan, forget_answers, roll_back};
use super::refuse;
use super::worker::{WholeRequest, Worker};
use crate::disk::{self, Dropped};
use crate::error::Result;
use crate::ground::Ground;
use crate::model::{Node, Step};
use crate::protocol::{Kind, OpenRequest, Phase, Request, Site, Stem, TriggerFile, key_value};

/// Takes a request that was found whole.
pub(super) async fn claim(worker: &Worker, whole: WholeRequest) -> Result<()> {
    let Worker { service, node, .. } = worker;
    let paths = &service.config.paths;
    let file = TriggerFile { node: node.clone(), stem: whole.stem, kind: Kind::Request };
    let (path, claim) = (paths.triggerdir.join(file.to_string()), paths.claim(&file));
    // Gone or changed since it was found whole: the next look finds what is there now.
    let Some(dropped) = disk::read_dropped(&path)?.filter(|dropped| dropped.identity == whole.identity)
    else {
        return Ok(());
    };
    // Taken first: in a directory in which it cannot be taken nothing is begun.
    if !disk::take(&path, &claim, whole.identity)? {
        return Ok(());
    }
    match accept(worker, whole.stem, &dropped).await {
        Ok(()) => disk::remove(&claim),
        Err(error) => {
            // Back to where the subscriber put it: it is claimed again, not lost.
            disk::give_back(&claim, &path)?;
            Err(error)
        }
    }
}

async fn accept(worker: &Worker, stem: Stem, dropped: &Dropped) -> Result<()> {
    let Worker { service, node, .. } = worker;
    let paths = service.config.paths.clone();
    if let Err(reason) = read(node, &dropped.bytes)
        && service.ground(node)?.open.is_some()
    {
        // The open request goes on: rubbish is not its subscriber's next one.
        return refuse::keep_rejected(&paths, node, stem, &dropped.bytes, &reason);
    }
    let (all, name, text) = (paths.clone(), node.clone(), dropped.bytes.clone());
    let plan = move |ground: &Ground| {
        let site = if ground.cuts.is_some() { Site::Known } else { Site::New };
        let open = OpenRequest { stem, site, phase: Phase::Accepted, text };
        // The open request is this one from the first step on: a kill in the middle leads to rolling back the rest.
        let mut steps = vec![Step::Write { path: ground.site.open_request.clone(), bytes: open.write() }];
        steps.extend(roll_back(&all, &ground.site, &ground.registry));
        steps.extend(forget_answers(&all, &name));
        if site == Site::New {
            // Of an earlier life of a site of this name: it would look as if it had lost its logs.
            steps.push(Step::Remove(all.acknowledgement(&name)));
        }
        Ok((steps, (site, check(&name, &open, ground))))
    };
    match service.change(node, plan).await? {
        (site, Ok(request)) => {
            let (subscribe, unsubscribe) = (request.subscribe.len(), request.unsubscribe.len());
            tracing::info!(%node, subscribe, unsubscribe, "request");
            // A new file, never the subscriber's own inode, to which it may still be writing. Deployed clients append to
            // it with an account of their own, hence mode and group.
            let accepted = accepted(&dropped.bytes, site);
            disk::write_like(&paths.trigger(node, stem, Kind::Accepted), &accepted, 0o664, dropped.group)
        }
        (_, Err(reason)) => refuse::refuse(worker, &reason).await,
    }
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
fn check(node: &Node, open: &OpenRequest, ground: &Ground) -> Result<Request, String> {
    let request = read(node, &open.text)?;
    if open.site == Site::New {
        decide::admit(node, open.stem, &ground.registry)?;
        if disk::names(&ground.site.directory).is_ok_and(|names| !names.is_empty()) {
            return Err(format!(
                "the data centre has a directory of {node} with files in it, but no such site: its operator must remove one of them"
            ));
        }
    }
    // Where a new site's logs have stopped, the request that this one takes the place of was the reason.
    if let Some(stopped) = ground.stopped.as_ref().filter(|_| open.site == Site::Known) {
        return Err(format!(
            "the logs of {node} stop before archive {} until the operator of the data centre has decided about a statement there: ask again then",
            stopped.before
        ));
    }
    UpdatePlan::new(&request, ground.list()).map(|_| request)
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
