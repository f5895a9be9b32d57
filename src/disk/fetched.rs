//! Files that came from the data centre: their digest, their packing, what is in them. Their names and contents are not
//! trusted.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use sha2::{Digest as _, Sha256};

use super::{change, sync_directory};
use crate::error::{Context, Error, Result};
use crate::model::excerpt;

/// Bytes that are read at once.
const PIECE: usize = 256 * 1024;

/// Members that an archive of SQL has at the most: one for each schema and one more.
const MEMBERS: usize = 10_000;

/// Bytes that an archive of SQL may become: more than any dump that is fetched in one piece.
const UNPACKED: u64 = 1 << 40;

/// Removes a directory and whatever is in it, if it is there.
pub fn remove_all_of(path: &Path) -> Result<()> {
    change::remove_tree(path).context("remove directory", path)
}

/// SHA-256 of a file in hexadecimal digits.
pub fn sha256(path: &Path) -> Result<String> {
    let mut file = File::open(path).context("open", path)?;
    let mut digest = Sha256::new();
    let mut piece = vec![0; PIECE];
    loop {
        let count = file.read(&mut piece).context("read", path)?;
        match piece.get(..count).filter(|piece| !piece.is_empty()) {
            Some(piece) => digest.update(piece),
            None => return Ok(digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()),
        }
    }
}

/// Gives a whole file its name. Content and name are on disk when it returns.
pub fn settle(part: &Path, path: &Path) -> Result<()> {
    change::sync(part).context("sync", part)?;
    change::rename(part, path).context("rename", part)?;
    sync_directory(path.parent().unwrap_or(Path::new(".")))
}

/// Opens a text that may be packed, as its name says: `.gz`, `.zst`. `told` hears how many bytes of the file are read.
pub fn open_text<'t>(path: &Path, told: &'t (dyn Fn(u64) + Sync)) -> Result<Box<dyn Read + Send + 't>> {
    let file = Telling { file: File::open(path).context("open", path)?, told };
    let file = BufReader::with_capacity(PIECE, file);
    let ending = path.extension().and_then(|ending| ending.to_str());
    Ok(match ending {
        Some("gz") => Box::new(MultiGzDecoder::new(file)),
        Some("zst") => Box::new(zstd::Decoder::with_buffer(file).context("open", path)?),
        _ => Box::new(file),
    })
}

/// A file that tells how much of it is read.
struct Telling<'t> {
    file: File,
    told: &'t (dyn Fn(u64) + Sync),
}

impl Read for Telling<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(into)?;
        (self.told)(count as u64);
        Ok(count)
    }
}

/// Unpacks a `.tar.gz` into the directory `into`, which appears when everything is in it; what was there goes. Members
/// must be plain files, each with a name of its own that `accept` takes; otherwise nothing is unpacked.
pub fn unpack(archive: &Path, into: &Path, accept: &dyn Fn(&str) -> bool) -> Result<Vec<PathBuf>> {
    let above = into.parent().unwrap_or(Path::new("."));
    let scratch = change::create_hidden_directory(above);
    let scratch = scratch.context("create a directory in", above)?;
    let names = unpack_members(archive, scratch.path(), accept)?;
    sync_directory(scratch.path())?;
    remove_all_of(into)?;
    let scratch = scratch.keep();
    change::rename(&scratch, into).context("rename", &scratch)?;
    sync_directory(above)?;
    Ok(names.iter().map(|name| into.join(name)).collect())
}

fn unpack_members(archive: &Path, into: &Path, accept: &dyn Fn(&str) -> bool) -> Result<Vec<String>> {
    let refused = |what: String| Error::Stopped(format!("`{}` is refused: {what}", archive.display()));
    let file = BufReader::with_capacity(PIECE, File::open(archive).context("open", archive)?);
    let mut reader = tar::Archive::new(MultiGzDecoder::new(file));
    let mut names = Vec::new();
    let mut seen = HashSet::new();
    let mut room = UNPACKED;
    let unreadable = |error: io::Error| refused(format!("it cannot be read: {error}"));
    for entry in reader.entries().map_err(unreadable)? {
        let mut entry = entry.map_err(unreadable)?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let shown = excerpt(&name);
        if !entry.header().entry_type().is_file() {
            return Err(refused(format!("its member `{shown}` is no plain file")));
        }
        if name.contains(['/', '\\', '\0']) || name.starts_with('.') || !accept(&name) {
            return Err(refused(format!("its member `{shown}` has no business there")));
        }
        if !seen.insert(name.clone()) || seen.len() > MEMBERS {
            return Err(refused(format!("its member `{shown}` is one too many")));
        }
        room = room.checked_sub(entry.size()).ok_or_else(|| {
            refused(format!("with its member `{shown}` it is larger than {UNPACKED} bytes"))
        })?;
        let path = into.join(&name);
        let mut target = change::create(&path).context("create", &path)?;
        io::copy(&mut entry, &mut target).map_err(|error| match error.kind() {
            // Of the packing, not of the disk.
            ErrorKind::InvalidInput | ErrorKind::InvalidData | ErrorKind::UnexpectedEof => unreadable(error),
            _ => Error::Disk { action: "write", path: path.clone(), source: error },
        })?;
        change::sync_open(&target, &path).context("sync", &path)?;
        names.push(name);
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::write::GzEncoder;
    use std::fs;
    use std::io::Write as _;

    /// Packs members: kind, name and content; links point to their content.
    fn packed(path: &Path, members: &[(tar::EntryType, &str, &str)]) {
        let file = GzEncoder::new(File::create(path).unwrap(), flate2::Compression::fast());
        let mut builder = tar::Builder::new(file);
        for (kind, name, content) in members {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(*kind);
            header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
            if *kind != tar::EntryType::Regular {
                header.set_link_name(content).unwrap();
            }
            let content = if *kind == tar::EntryType::Regular { content } else { "" };
            header.set_size(content.len() as u64);
            header.set_cksum();
            builder.append(&header, content.as_bytes()).unwrap();
        }
        builder.into_inner().unwrap().finish().unwrap();
    }

    #[test]
    fn an_archive_is_unpacked_as_a_whole_or_not_at_all() {
        use tar::EntryType::{Char, Directory, Link, Regular, Symlink};
        let root = tempfile::tempdir().unwrap();
        let (archive, into) = (root.path().join("a.tar.gz"), root.path().join("into"));
        let accept = |name: &str| {
            ["a.sql", "b.sql", "c.sql", "../a.sql", "/tmp/a.sql", "x/a.sql", ".sql"].contains(&name)
        };
        packed(&archive, &[(Regular, "a.sql", "one"), (Regular, "b.sql", "")]);
        let paths = unpack(&archive, &into, &accept).unwrap();
        assert_eq!(paths, [into.join("a.sql"), into.join("b.sql")]);
        assert_eq!(fs::read_to_string(&paths[0]).unwrap(), "one");
        for (kind, name, content) in [
            (Regular, "../a.sql", ""),
            (Regular, "/tmp/a.sql", ""),
            (Regular, "x/a.sql", ""),
            (Regular, ".sql", ""),
            (Regular, "a.sh", ""),
            (Regular, "a.sql", "twice"),
            (Symlink, "c.sql", "/etc/passwd"),
            (Link, "c.sql", "a.sql"),
            (Directory, "c.sql", "x"),
            (Char, "c.sql", "x"),
        ] {
            packed(&archive, &[(Regular, "a.sql", "two"), (kind, name, content)]);
            let fault = unpack(&archive, &into, &accept).unwrap_err().to_string();
            assert!(fault.contains("is refused"), "{fault}");
            assert_eq!(fs::read_to_string(into.join("a.sql")).unwrap(), "one", "{name}");
            assert_eq!(fs::read_dir(root.path()).unwrap().count(), 2, "{name} has left something");
        }
        fs::write(&archive, "rubbish").unwrap();
        assert!(unpack(&archive, &into, &accept).is_err());
    }

    #[test]
    fn texts_are_read_whatever_their_packing() {
        let root = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| {
            let path = root.path().join(name);
            fs::write(&path, bytes).unwrap();
            path
        };
        let gzip = |text: &str| {
            let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(text.as_bytes()).unwrap();
            encoder.finish().unwrap()
        };
        for path in [
            write("a.sql", b"one two"),
            write("a.sql.gz", &[gzip("one "), gzip("two")].concat()),
            write("a.sql.zst", &zstd::encode_all(b"one two".as_slice(), 1).unwrap()),
        ] {
            assert_eq!(io::read_to_string(open_text(&path, &|_| ()).unwrap()).unwrap(), "one two");
        }
    }
}
