//! Tidying: bundling and removing what [`super::expiry`] says, in the nodes' directories and in slon's, and forgetting
//! lists that nothing asks for any more.
//!
//! Packing may take long and is done without the hold. What is removed, and a bundle that gets its name, is decided
//! again under the hold, on what lies there then. Every step may be killed: a bundle has its name before the singles in
//! it go, and singles that lie in a bundle's range are settled in the next round.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use tokio_util::sync::CancellationToken;

use super::expiry::{Bounds, Chore, Rules, chores};
use super::left::{left, places};
use super::standing::{Standing, standing};
use super::stops::directory_to_tidy;
use crate::access::Access;
use crate::config::Config;
use crate::disk::{self, Lock, Packing};
use crate::error::{Error, Result};
use crate::ground::{Acknowledged, Ground, KeptRegistry, read};
use crate::model::{ArchiveName, BundleName, Counter, Node, Shelf, SlonyNode};
use crate::protocol::{Cuts, OpenRequest, Registry, Stopped, read_counter};

/// How many files are removed under one hold: a request, or the splitter, waits for no longer than that takes.
const UNDER_ONE_HOLD: usize = 500;

/// Tidies one installation.
#[derive(Debug, Clone)]
pub struct Tidier {
    config: Config,
    access: Arc<Access>,
    /// Only its archives and logs are touched.
    node: SlonyNode,
    registry: Arc<KeptRegistry>,
    cancel: CancellationToken,
}

/// One directory of logs.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Place {
    /// A node's site logs.
    Site(Node),
    /// slon's archives.
    Archives,
}

/// What was done in a place, and how it stands there then.
#[derive(Debug)]
pub struct Report {
    /// The place.
    pub place: Place,
    /// Files that were removed because their time was over; a bundle is one.
    pub removed: usize,
    /// Bundles that were made.
    pub bundled: usize,
    /// Where the site stands; `None` for slon's archives, or if it could not be told.
    pub standing: Option<Standing>,
    /// Acknowledgements that could not be read.
    pub faults: Vec<String>,
    /// What went wrong here; the other places are tidied all the same.
    pub failed: Option<Error>,
}

/// What lies in a place, and what holds there.
struct View {
    directory: PathBuf,
    shelf: Shelf,
    bounds: Bounds,
    rules: Rules,
    faults: Vec<String>,
}

impl Tidier {
    /// Nothing is done yet. When `cancel` is, a round ends between two steps.
    pub fn new(config: &Config, access: Arc<Access>, node: SlonyNode, cancel: CancellationToken) -> Self {
        Self { config: config.clone(), access, node, registry: Arc::default(), cancel }
    }

    /// Tidies every place once. Only one round runs at a time, whoever began it.
    pub async fn round(&self) -> Result<Vec<Report>> {
        let _alone = self.lock(&self.config.paths.tidy_lock()).await?;
        let registry = self.registry.read(&self.config.paths)?;
        self.clear(&registry).await;
        let sites = registry.entries().filter_map(|entry| entry.name()?.parse().ok()).map(Place::Site);
        let mut reports = Vec::new();
        for place in sites.chain([Place::Archives]) {
            let mut report =
                Report { place, removed: 0, bundled: 0, standing: None, faults: Vec::new(), failed: None };
            match self.tidy(&mut report).await {
                Err(Error::Cancelled) => return Err(Error::Cancelled),
                Err(error) => report.failed = Some(error),
                Ok(()) => {}
            }
            reports.push(report);
        }
        if let Some(oldest) = self.oldest_archive().await {
            for report in &mut reports {
                match self.forget_lists(&report.place, oldest).await {
                    Err(Error::Cancelled) => return Err(Error::Cancelled),
                    Err(error) => report.failed = Some(error),
                    Ok(()) => {}
                }
            }
        }
        Ok(reports)
    }

    /// Removes what a kill left where nodes get their logs, and where bundles are unpacked.
    async fn clear(&self, registry: &Registry) {
        let now = SystemTime::now();
        for directory in places(&self.config.paths, registry) {
            for some in left(disk::temporary(&directory), now).chunks(UNDER_ONE_HOLD) {
                let (directory, some) = (directory.clone(), some.to_vec());
                let removed = self.under_hold(move |_| disk::remove_each(&directory, &some)).await;
                // One that cannot be removed must not keep the others from their work.
                removed.unwrap_or_else(|error| tracing::warn!(error = error.chain(), "passed over"));
            }
        }
    }

    /// Observe, decide, act, in one place.
    async fn tidy(&self, report: &mut Report) -> Result<()> {
        let place = report.place.clone();
        let mut chores = Vec::new();
        // What a place could not do is tried once a round, not for ever.
        for _ in 0..2 {
            chores = self.remove_all(&place, &mut report.removed).await?;
            let mut settled = false;
            for name in chores.iter().filter_map(|chore| settling(*chore)) {
                match self.settle(&place, name).await {
                    // A bundle that cannot be read must not keep the others from their work.
                    Err(error) if !matches!(error, Error::Cancelled) => report.failed = Some(error),
                    done => settled |= done?,
                }
            }
            if !settled {
                break;
            }
        }
        for chore in chores {
            if let Chore::Bundle(name, written) = chore {
                report.bundled += usize::from(self.bundle(&place, name, written).await?);
            }
        }
        let of_site = place.clone();
        let view = self.blocking(move |this| this.view(&of_site)).await?;
        if let (Some(view), Place::Site(_)) = (view, place) {
            let keep = Some(view.rules.keep);
            report.standing = Some(standing(&view.shelf, view.bounds.acknowledged, keep, SystemTime::now()));
            report.faults = view.faults;
        }
        Ok(())
    }

    /// Removes what may go, some at a time. Returns what else is to be done.
    async fn remove_all(&self, place: &Place, removed: &mut usize) -> Result<Vec<Chore>> {
        loop {
            let of_place = place.clone();
            let planned = self.blocking(move |this| this.decide(&of_place)).await?;
            if !planned.iter().any(|chore| removal(*chore, self.node).is_some()) {
                return Ok(planned);
            }
            let of_place = place.clone();
            *removed += self.under_hold(move |this| this.remove_some(&of_place)).await?;
        }
    }

    fn remove_some(&self, place: &Place) -> Result<usize> {
        let Some(view) = self.view(place)? else { return Ok(0) };
        let names: Vec<_> = view
            .chores()
            .into_iter()
            .filter_map(|chore| removal(chore, self.node))
            .take(UNDER_ONE_HOLD)
            .map(Into::into)
            .collect();
        disk::remove_all(&view.directory, &names).map(|()| names.len())
    }

    /// Singles in a bundle's range: what is in it goes, what was written anew comes into it.
    async fn settle(&self, place: &Place, name: BundleName) -> Result<bool> {
        let Some(packing) = self.packing(place, name, true).await? else { return Ok(false) };
        let again = packing.clone();
        let (sources, all_same) = self.blocking(move |_| again.singles_in_it()).await?;
        let packed = if all_same { None } else { Some(self.pack(packing, None).await?) };
        self.under_hold(move |_| {
            if !disk::are_current(&sources) || !packed.as_ref().is_none_or(disk::Packed::is_current) {
                return Ok(false);
            }
            packed.map_or(Ok(()), disk::Packed::publish)?;
            // All but the last, which is the bundle.
            let singles = sources.len().saturating_sub(1);
            let singles: Vec<PathBuf> = sources.into_iter().take(singles).map(|(path, _)| path).collect();
            remove_files(&singles).map(|()| true)
        })
        .await
    }

    /// Makes a bundle of singles. `false` if it was not wanted any more when it was made.
    async fn bundle(&self, place: &Place, name: BundleName, written: SystemTime) -> Result<bool> {
        let Some(packing) = self.packing(place, name, false).await? else { return Ok(false) };
        let packed = self.pack(packing, Some(written)).await?;
        let place = place.clone();
        self.under_hold(move |this| {
            if !this.decide(&place)?.contains(&Chore::Bundle(name, written)) || !packed.is_current() {
                return Ok(false);
            }
            let singles: Vec<PathBuf> = packed.sources().map(Path::to_owned).collect();
            packed.publish()?;
            remove_files(&singles).map(|()| true)
        })
        .await
    }

    async fn packing(&self, place: &Place, name: BundleName, again: bool) -> Result<Option<Packing>> {
        let (place, node) = (place.clone(), self.node);
        let found = self.under_hold(move |this| {
            let Some(directory) = this.directory(&place)? else { return Ok(None) };
            // What a kill left. Nobody else packs, and nobody splits during the hold.
            disk::remove_temporary(&directory)?;
            Ok(Some(Packing { directory, node, name, again }))
        });
        found.await
    }

    async fn pack(&self, packing: Packing, written: Option<SystemTime>) -> Result<disk::Packed> {
        self.blocking(move |this| packing.pack(written, &|| !this.cancel.is_cancelled())).await
    }

    fn decide(&self, place: &Place) -> Result<Vec<Chore>> {
        Ok(self.view(place)?.map(|view| view.chores()).unwrap_or_default())
    }

    /// Where a place is; `None` if it is to be left alone or is not there.
    fn directory(&self, place: &Place) -> Result<Option<PathBuf>> {
        let paths = &self.config.paths;
        let directory = match place {
            Place::Archives => paths.archive_dir.clone().filter(|_| self.config.life.archives.is_some()),
            Place::Site(node) => directory_to_tidy(&self.config, self.registry.read(paths)?.as_ref(), node)?,
        };
        Ok(directory.filter(|directory| disk::exists(directory)))
    }

    /// What there is to decide on. Under the hold it stays true.
    fn view(&self, place: &Place) -> Result<Option<View>> {
        let Some(directory) = self.directory(place)? else { return Ok(None) };
        let life = self.config.life;
        let (bounds, faults, keep) = match place {
            Place::Archives => {
                let ceiling = Some(self.ceiling()?.unwrap_or_default());
                (Bounds { ceiling, ..Bounds::default() }, Vec::new(), life.archives)
            }
            Place::Site(node) => {
                let registry = self.registry.read(&self.config.paths)?;
                let ground = Ground::read(&self.config.paths, registry, node)?;
                let said = Acknowledged::read(&self.config.paths, &ground.site, node, &self.access);
                let bounds = Bounds { acknowledged: said.counter, cut: cut(&ground, node), ceiling: None };
                (bounds, said.faults, life.site_logs)
            }
        };
        let rules = Rules { keep: keep.unwrap_or_default(), bundle_after: life.bundle_after };
        let there = disk::shelf(&directory, Some(self.node))?;
        Ok(Some(View { directory, shelf: there, bounds, rules, faults }))
    }

    /// The last archive that may be bundled or removed: every node has its part of everything up to there. `None`: of none.
    fn ceiling(&self) -> Result<Option<Counter>> {
        let paths = &self.config.paths;
        let Some(split) = read(&paths.split_counter(), read_counter)? else { return Ok(None) };
        let mut last = split;
        for entry in self.registry.read(paths)?.entries() {
            let Some(node) = entry.node() else { continue };
            if let Some(stopped) = read(&paths.site(&node, Some(entry)).stopped, Stopped::parse)? {
                last = last.min(stopped.before.previous());
            }
        }
        Ok(Some(last))
    }

    /// The first archive that may still be split, or split again. `None`: that cannot be told.
    async fn oldest_archive(&self) -> Option<Counter> {
        let archives = self.config.paths.archive_dir.clone()?;
        let oldest = self.blocking(move |this| disk::shelf(&archives, Some(this.node))).await.ok()?.oldest();
        let next = read(&self.config.paths.split_counter(), read_counter).ok()??.next();
        Some(oldest.map_or(next, |oldest| oldest.min(next)))
    }

    /// Takes sections out of `<node>.cuts` that no archive and no site log needs any more.
    async fn forget_lists(&self, place: &Place, oldest: Counter) -> Result<()> {
        let Place::Site(node) = place else { return Ok(()) };
        let of_node = node.clone();
        if self.blocking(move |this| this.kept_lists(&of_node, oldest)).await?.is_none() {
            return Ok(());
        }
        let of_node = node.clone();
        self.under_hold(move |this| {
            let kept = this.kept_lists(&of_node, oldest)?;
            kept.map_or(Ok(()), |(path, cuts)| disk::write(&path, &cuts.write()))
        })
        .await
    }

    /// A node's `.cuts` without what is not needed; `None` if everything is.
    fn kept_lists(&self, node: &Node, oldest: Counter) -> Result<Option<(PathBuf, Cuts)>> {
        let registry = self.registry.read(&self.config.paths)?;
        let Some(entry) = registry.find(node.as_str()) else { return Ok(None) };
        let site = self.config.paths.site(node, Some(entry));
        // An open request may still be rolled back, to what was there to the byte.
        if disk::is_there(&site.open_request)? || !disk::is_there(&site.directory)? {
            return Ok(None);
        }
        let Some(cuts) = read(&site.cuts, Cuts::parse)? else { return Ok(None) };
        let first = disk::shelf(&site.directory, None)?.oldest().unwrap_or(oldest);
        let kept = cuts.since(oldest.min(first));
        Ok((kept != cuts).then_some((site.cuts, kept)))
    }

    async fn lock(&self, path: &Path) -> Result<Lock> {
        tokio::select! {
            lock = Lock::wait(path) => lock,
            () = self.cancel.cancelled() => Err(Error::Cancelled),
        }
    }

    /// Does something under the hold, in a thread that owns it: it ends with the work, whoever waits for it.
    async fn under_hold<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let hold = self.lock(&self.config.paths.hold()).await?;
        self.blocking(move |this| {
            let done = work(this);
            drop(hold);
            done
        })
        .await
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let this = self.clone();
        let done = tokio::task::spawn_blocking(move || work(&this)).await;
        done.map_err(|error| Error::Stopped(format!("tidying broke: {error}")))?
    }
}

impl View {
    fn chores(&self) -> Vec<Chore> {
        chores(&self.shelf, &self.bounds, &self.rules, SystemTime::now())
    }
}

/// The archive after which logs may still be replaced. Where other tools registered `<node>.new`, that may be any.
fn cut(ground: &Ground, node: &Node) -> Option<Counter> {
    let cut = ground.open.as_ref().and_then(OpenRequest::cut).map(|cut| cut.counter);
    let is_new_registered = ground.registry.find(&format!("{node}.new")).is_some();
    cut.or_else(|| is_new_registered.then(Counter::default))
}

/// The name of what a chore removes.
fn removal(chore: Chore, node: SlonyNode) -> Option<String> {
    match chore {
        Chore::RemoveSingle(counter) => Some(ArchiveName { node, counter }.to_string()),
        Chore::RemoveBundle(name) => Some(name.to_string()),
        Chore::Settle(_) | Chore::Bundle(..) => None,
    }
}

fn settling(chore: Chore) -> Option<BundleName> {
    match chore {
        Chore::Settle(name) => Some(name),
        _ => None,
    }
}

/// Files of one directory.
fn remove_files(paths: &[PathBuf]) -> Result<()> {
    let Some(directory) = paths.first().and_then(|path| path.parent()) else { return Ok(()) };
    let names: Vec<_> = paths.iter().filter_map(|path| path.file_name()).map(Into::into).collect();
    disk::remove_all(directory, &names)
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Site(node) => node.fmt(f),
            Self::Archives => f.write_str("archive_dir"),
        }
    }
}
