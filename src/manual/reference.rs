//! `docs/configuration.md`: every key with its default, in the words of the sample configuration.
//!
//! What a key is comes from the code, what it means from the sample. A key that only one of them knows is an error, so that
//! neither can be forgotten.

use std::collections::BTreeSet;

use crate::args::Program;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::settings::Key;
use crate::subscriber::SiteConfig;

/// Keys that the sample explains together.
#[derive(Debug, Default)]
struct Block<'a> {
    words: Vec<&'a str>,
    keys: Vec<&'a str>,
}

/// A heading of the sample with its blocks.
#[derive(Debug)]
struct Section<'a> {
    heading: &'a str,
    blocks: Vec<Block<'a>>,
}

/// The keys of the daemon, or of both site's tools, as Markdown.
pub(super) fn reference(program: Program) -> Result<String> {
    let (title, sample, keys) = match program {
        Program::SubscriptionManager => (
            "# Configuration\n\nEvery key with what holds if it is not given. Made by `make reference` from the code and \
             from the samples in `etc/`.\n\n## The data centre: `subscription_manager.cfg`",
            include_str!("../../etc/subscription_manager.cfg"),
            Config::keys()?,
        ),
        Program::SubscribeSeries | Program::GetSlonyLogs => {
            ("## A remote site: `site.cfg`", include_str!("../../etc/site.cfg"), SiteConfig::keys()?)
        }
    };
    let sections = read(sample);
    let explained: BTreeSet<_> =
        sections.iter().flat_map(|section| &section.blocks).flat_map(|block| &block.keys).copied().collect();
    let known: BTreeSet<_> = keys.iter().map(|key| key.name).collect();
    if let Some(odd) = known.symmetric_difference(&explained).next() {
        return Err(Error::Fatal(format!("`{odd}` is not both a key and explained by the sample in etc/")));
    }
    Ok(format!("{title}\n\n{}", sections.iter().map(|section| write(section, &keys)).collect::<String>()))
}

/// Reads a sample: `# ---- heading ---`, words behind `# `, then the keys they are about, commented out or not.
fn read(sample: &str) -> Vec<Section<'_>> {
    let mut sections = Vec::new();
    let mut section = Section { heading: "", blocks: Vec::new() };
    let mut block = Block::default();
    // A blank line more, which ends the last block.
    for line in sample.lines().chain([""]) {
        if let Some(heading) = line.strip_prefix("# ----") {
            sections.push(section);
            section = Section { heading: heading.trim_matches(['-', ' ']), blocks: Vec::new() };
        } else if let Some(words) = line.strip_prefix("# ") {
            block.words.push(words);
        } else if line.is_empty() {
            let whole = std::mem::take(&mut block);
            if !whole.keys.is_empty() {
                section.blocks.push(whole);
            }
        } else {
            let line = line.strip_prefix('#').unwrap_or(line);
            block.keys.extend(line.split(['=', ' ']).next());
        }
    }
    sections.push(section);
    sections.retain(|section| !section.blocks.is_empty());
    sections
}

fn write(section: &Section<'_>, keys: &[Key]) -> String {
    let blocks: String = section.blocks.iter().map(|block| of_block(block, keys)).collect();
    format!("### {}\n\n{blocks}", section.heading)
}

fn of_block(block: &Block<'_>, keys: &[Key]) -> String {
    let about = |name: &&str| {
        let key = keys.iter().find(|key| key.name == *name);
        format!("- **`{name}`**: {}\n", key.map(default).unwrap_or_default())
    };
    format!("{}\n{}\n", block.keys.iter().map(about).collect::<String>(), plain(&block.words))
        .replace("\n\n\n", "\n\n")
}

/// What holds without a line for the key.
fn default(key: &Key) -> String {
    match key.default {
        _ if key.is_required => "must be given".into(),
        None | Some("") => "may stay away".into(),
        Some(default) => format!("`{default}` if it is not given"),
    }
}

/// The words of the sample as a paragraph. `<` would begin a tag.
fn plain(words: &[&str]) -> String {
    words.iter().map(|line| line.replace('<', "\\<") + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_read_as_people_read_it() {
        let sample = "# the file itself\n\n# ---- One ----\n\n# Of both:\n# two lines.\na=1\n#b=2\n\n# ---- Two ---\n# Last\nc d\n";
        let read: Vec<_> = read(sample)
            .into_iter()
            .map(|section| {
                let blocks =
                    section.blocks.into_iter().map(|block| (block.words.join("/"), block.keys.join(",")));
                (section.heading, blocks.collect::<Vec<_>>())
            })
            .collect();
        let block = |words: &str, keys: &str| (words.to_owned(), keys.to_owned());
        let expected =
            vec![("One", vec![block("Of both:/two lines.", "a,b")]), ("Two", vec![block("Last", "c")])];
        assert_eq!(read, expected);
    }

    #[test]
    fn every_key_is_explained_and_some_must_be_given() {
        let text = reference(Program::SubscriptionManager).unwrap();
        assert!(text.contains("- **`triggerdir`**: must be given\n"), "{text}");
        assert!(text.contains("- **`rescan`**: `10` if it is not given\n"), "{text}");
        assert!(text.contains("- **`log_dir`**: may stay away\n"), "{text}");
        let text = reference(Program::GetSlonyLogs).unwrap();
        assert!(text.contains("- **`node`**: must be given\n"), "{text}");
    }
}
