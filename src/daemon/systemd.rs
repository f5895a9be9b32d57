//! What systemd is told of a service of `Type=notify`. Where nobody listens, nothing is done.

use std::future::Future;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::Instant;

/// Before it is ready, systemd is asked for so much more time...
const MORE: Duration = Duration::from_secs(60);
/// ...so often.
const ASK: Duration = Duration::from_secs(10);

/// The line to systemd.
pub(super) struct Systemd {
    /// Somebody listens.
    is_there: bool,
    is_ready: bool,
    /// How often it wants to hear that the loop turns; half of what it allows.
    beat: Option<Duration>,
    last_beat: Instant,
    status: String,
}

impl Systemd {
    /// As the environment says.
    pub(super) fn new() -> Self {
        Self {
            is_there: std::env::var_os("NOTIFY_SOCKET").is_some(),
            is_ready: false,
            beat: sd_notify::watchdog_enabled().map(|longest| longest / 2),
            last_beat: Instant::now(),
            status: String::new(),
        }
    }

    /// Whether somebody listens.
    pub(super) fn is_there(&self) -> bool {
        self.is_there
    }

    /// Does the work of a look that may have to wait for others, for as long as that takes: before it is ready it asks for more
    /// time, later it says that it has not come to a standstill.
    pub(super) async fn meanwhile<T>(&self, work: impl Future<Output = T>) -> T {
        tokio::pin!(work);
        let more = u32::try_from(MORE.as_micros()).unwrap_or(u32::MAX);
        loop {
            let pause = match (self.is_ready, self.beat) {
                (false, _) => {
                    self.tell(&[NotifyState::ExtendTimeoutUsec(more)]);
                    ASK
                }
                (true, Some(beat)) => {
                    self.tell(&[NotifyState::Watchdog]);
                    beat
                }
                (true, None) => return work.await,
            };
            tokio::select! {
                done = &mut work => return done,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// The first look was made: whoever comes is served.
    pub(super) fn ready(&mut self) {
        if !std::mem::replace(&mut self.is_ready, true) {
            self.tell(&[NotifyState::Ready]);
        }
    }

    /// The configuration is read anew, until [`Systemd::reloaded`].
    pub(super) fn reloading(&self) {
        if let Ok(now) = NotifyState::monotonic_usec_now() {
            self.tell(&[NotifyState::Reloading, now]);
        }
    }

    /// The new configuration holds, or still the old one.
    pub(super) fn reloaded(&self) {
        if self.is_ready {
            self.tell(&[NotifyState::Ready]);
        }
    }

    /// One line for people, if it is another than before.
    pub(super) fn status(&mut self, status: String) {
        if self.status != status {
            self.tell(&[NotifyState::Status(&status)]);
            self.status = status;
        }
    }

    /// The daemon ends.
    pub(super) fn stopping(&self) {
        self.tell(&[NotifyState::Stopping]);
    }

    /// Waits until it is time to say that the loop turns; for ever, if nobody asks.
    pub(super) async fn beat_time(&self) {
        match self.beat {
            Some(beat) => tokio::time::sleep_until(self.last_beat + beat).await,
            None => std::future::pending().await,
        }
    }

    /// The loop turns. Before the daemon is ready nobody counts on that.
    pub(super) fn beat(&mut self) {
        if self.beat.is_some_and(|beat| self.last_beat.elapsed() >= beat) {
            self.last_beat = Instant::now();
            if self.is_ready {
                self.tell(&[NotifyState::Watchdog]);
            }
        }
    }

    fn tell(&self, states: &[NotifyState<'_>]) {
        if self.is_there {
            tell(states);
        }
    }
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "systemd cannot be told");
    }
}
