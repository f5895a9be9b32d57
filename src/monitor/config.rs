//! The settings of the monitor, from wherever they stand.

use std::path::Path;

use super::reference;
use crate::config::{Config, MonitorConfig, MonitorSource};
use crate::disk;
use crate::error::{Error, Result};
use crate::model::Occasion;

/// What the monitor is to do; `None`: nothing is configured. The faults of a file of its own are reported together.
/// What has no effect there is said.
pub fn load(config: &Config) -> Result<Option<MonitorConfig>> {
    read(config, |path, ignored| tracing::info!(file = %path.display(), "has no effect here: {ignored}"))
}

/// As [`load`], for those who only look.
pub fn load_to_look(config: &Config) -> Result<Option<MonitorConfig>> {
    read(config, |_, _| ())
}

fn read(config: &Config, tell: impl Fn(&Path, &str)) -> Result<Option<MonitorConfig>> {
    let (path, base) = match &config.monitor {
        None => return Ok(None),
        Some(MonitorSource::Here(monitor)) => return Ok(Some(monitor.as_ref().clone())),
        Some(MonitorSource::File(path, base)) => (path, base),
    };
    let unread = |why: &str| Error::Fatal(format!("read `monitor_config`, `{}`: {why}", path.display()));
    let bytes = disk::read_guarded(path).map_err(|error| unread(&error.chain()))?;
    let text = bytes.ok_or_else(|| unread("there is no such file"))?;
    let text = String::from_utf8(text).map_err(|error| unread(&error.to_string()))?;
    let reading = reference::read(&text, base.as_ref().clone())
        .map_err(|faults| unread(&faults.iter().map(|fault| format!("\n  {fault}")).collect::<String>()))?;
    reading.ignored.iter().for_each(|ignored| tell(path, ignored));
    if reading.config.database.password.is_some() && disk::mode(path).is_some_and(|mode| mode & 0o044 != 0) {
        tracing::warn!(file = %path.display(), "holds a password, and others can read it: chmod 600");
    }
    Ok(Some(reading.config))
}

/// The commands whose program is not there or may not be run, and what that is: to be said before the moment when it is needed.
pub fn missing_programs(config: &MonitorConfig) -> Vec<(Occasion, String)> {
    let program =
        |occasion| config.triggers.get(&occasion)?.first().map(|program| (occasion, program.clone()));
    Occasion::ALL
        .into_iter()
        .filter_map(program)
        .filter(|(_, program)| !disk::finds_program(program))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_cannot_be_run_is_known_before() {
        let mut config = MonitorConfig::default();
        for (occasion, program) in [
            (Occasion::PrimaryDown, "/nowhere/page-me"),
            (Occasion::PrimaryUp, "sh"),
            (Occasion::StandbyDown, "no-such-program"),
            (Occasion::StandbyUp, "/bin/sh"),
            (Occasion::Up, "/etc/passwd"),
        ] {
            config.triggers.insert(occasion, vec![program.to_owned(), "word".to_owned()]);
        }
        let missing: Vec<String> =
            missing_programs(&config).into_iter().map(|(_, program)| program).collect();
        let mut sorted = missing.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, ["/etc/passwd", "/nowhere/page-me", "no-such-program"]);
    }
}
