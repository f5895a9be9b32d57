//! The door to the file system: the only code that touches files.

mod account;
mod act;
mod bundle;
mod change;
mod fetched;
mod growing;
mod guarded;
mod incoming;
mod inspect;
mod journal;
mod lock;
mod log_file;
mod observe;
mod publish;
mod readers;
mod shelf;
mod sink;
mod unbundle;
mod unpack;
mod watch;

pub use std::fs::File;

pub use account::{group_number, own_name, own_number, user, user_name};
pub use act::{act, move_logs};
pub use bundle::{Packed, Packing, are_current};
pub use fetched::{open_text, remove_all_of, settle, sha256, unpack};
pub use growing::Growing;
pub use guarded::{is_private, read_guarded, read_secret};
pub use incoming::{create_directories, discard, ends_with_line, keep, part, remove_parts};
pub use inspect::{Room, device, finds_program, may_write, mode, room};
pub use journal::{append_once, read_tail};
pub use lock::Lock;
pub use log_file::LogFile;
pub use observe::{
    Dropped, Identity, Names, archives, arrivals, exists, give_back, holds_the_same, is_broken, is_closed,
    is_ours, is_out_of_files, is_socket, is_there, modified, names, open, owner, owner_and_state,
    owner_and_time, plain_size, read_dropped, read_optional, real_directory, share_a_file_system, site_logs,
    size_and_time, state, take,
};
pub use publish::{
    append, append_fleeting, append_from, claim_directory, close_hidden, create_directory, create_hidden,
    link, link_or_copy, name_hidden, open_socket, publish_created, remove, remove_each, remove_fleeting,
    remove_temporary, rename, replace, sync_directory, sync_many, temporary, write, write_anew,
    write_fleeting, write_like, write_new,
};
pub use readers::{Readers, keep_apart, try_group, write_for};
pub use shelf::{remove_all, shelf};
pub use sink::{Made, Sink, tarball};
pub use unbundle::Incoming;
pub use unpack::Archives;
pub use watch::{Hint, Watch};
