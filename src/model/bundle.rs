//! The name of a bundle: many logs of one directory packed into one file.

use std::fmt;
use std::str::FromStr;

use super::Counter;

/// `slony_logs_<first>-<last>.tar.gz`: every log from `first` to `last`. Plain decimal numbers, as deployed clients look
/// for them; they take the first bundle whose range holds the log that they want.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BundleName {
    first: Counter,
    last: Counter,
}

/// A file name that is not a bundle's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this is no bundle name: slony_logs_<first>-<last>.tar.gz")]
pub struct BundleNameFault;

impl BundleName {
    /// The bundle of these logs, both ends included; `None` if they are the wrong way round.
    pub fn new(first: Counter, last: Counter) -> Option<Self> {
        (first <= last).then_some(Self { first, last })
    }

    /// Its first log.
    pub fn first(self) -> Counter {
        self.first
    }

    /// Its last log.
    pub fn last(self) -> Counter {
        self.last
    }

    /// Whether this log is in it.
    pub fn contains(self, counter: Counter) -> bool {
        (self.first..=self.last).contains(&counter)
    }
}

impl FromStr for BundleName {
    type Err = BundleNameFault;

    fn from_str(name: &str) -> Result<Self, BundleNameFault> {
        let parts = || {
            let (first, last) = name.strip_prefix("slony_logs_")?.strip_suffix(".tar.gz")?.split_once('-')?;
            Self::new(Counter::parse(first)?, Counter::parse(last)?)
        };
        // One spelling a bundle, so that what is read is what is written.
        parts().filter(|read| read.to_string() == name).ok_or(BundleNameFault)
    }
}

impl fmt::Display for BundleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "slony_logs_{}-{}.tar.gz", self.first, self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_and_written_alike() {
        for text in ["slony_logs_0-0.tar.gz", "slony_logs_1201-2200.tar.gz"] {
            assert_eq!(text.parse::<BundleName>().unwrap().to_string(), text);
        }
        for bad in [
            "",
            "slony_logs_2-1.tar.gz",
            "slony_logs_01-2.tar.gz",
            "slony_logs_1-2.tar",
            "slony_logs_1-2.tar.gz.tmp",
            "slony_logs_-1-2.tar.gz",
            "slony_logs_1-99999999999999999999.tar.gz",
            ".slony_logs_1-2.tar.gz",
        ] {
            assert!(bad.parse::<BundleName>().is_err(), "{bad:?}");
        }
    }
}
