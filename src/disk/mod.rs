//! The door to the file system: the only code that touches files.

mod act;
mod bundle;
mod fetched;
mod incoming;
mod lock;
mod observe;
mod publish;
mod shelf;
mod sink;
mod unbundle;
mod unpack;
mod watch;

pub use std::fs::File;

pub use act::{act, move_logs};
pub use bundle::{Packed, Packing, are_current};
pub use fetched::{open_text, remove_all_of, settle, sha256, unpack};
pub use incoming::{create_directories, discard, ends_with_line, keep, part, remove_parts};
pub use lock::Lock;
pub use observe::{
    Dropped, Identity, Names, archives, exists, give_back, holds_the_same, modified, names, open, plain_size,
    read_dropped, read_optional, site_logs, size_and_time, state, take,
};
pub use publish::{
    append, append_from, close_hidden, create_directory, create_hidden, has_temporary, link, link_or_copy,
    name_hidden, publish_created, remove, remove_temporary, rename, sync_directory, sync_many, write,
    write_like, write_new,
};
pub use shelf::{remove_all, shelf};
pub use sink::{Made, Sink, tarball};
pub use unbundle::Incoming;
pub use unpack::Archives;
pub use watch::{Hint, watch};
