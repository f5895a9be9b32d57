//! Names and numbers of the operating system's users and groups.

use nix::unistd::{Gid, Group, Uid, User};

use crate::error::{Error, Result};

/// The name of a user. One without a name, as in a container or after an account was removed, has its number for one.
/// [`Error::Stopped`] if the system cannot tell now: its directory of users may be away.
pub fn user(number: u32) -> Result<String> {
    let found = User::from_uid(Uid::from_raw(number));
    let user = found.map_err(|error| Error::Stopped(format!("ask for the user {number}: {error}")))?;
    Ok(user.map_or_else(|| number.to_string(), |user| user.name))
}

/// The name of a user to be shown; the number where there is none or the system cannot tell.
pub fn user_name(number: u32) -> String {
    user(number).unwrap_or_else(|_| number.to_string())
}

/// The number of the user whose rights this program has.
pub fn own_number() -> u32 {
    nix::unistd::geteuid().as_raw()
}

/// The name of the user who runs this program.
pub fn own_name() -> String {
    user_name(nix::unistd::getuid().as_raw())
}

/// The number of a group; [`Error::Stopped`] if the system knows none of this name.
pub fn group_number(name: &str) -> Result<u32> {
    let found = Group::from_name(name);
    let group = found.map_err(|error| Error::Stopped(format!("ask for the group `{name}`: {error}")))?;
    group.map(|group| group.gid.as_raw()).ok_or_else(|| {
        Error::Stopped(format!("there is no group `{name}` on this machine: make it, or name another"))
    })
}

/// Whether a user is alone in a group: many systems give everybody such a group, of the same name.
pub(super) fn is_alone(user: u32, group: u32) -> bool {
    let user = User::from_uid(Uid::from_raw(user)).ok().flatten();
    let group = Group::from_gid(Gid::from_raw(group)).ok().flatten();
    user.zip(group).is_some_and(|(user, group)| {
        user.name == group.name && group.mem.iter().all(|member| *member == user.name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_those_of_the_system() {
        assert_eq!(user_name(0), "root");
        assert_eq!(user_name(3_999_999_999), "3999999999");
        assert_eq!(group_number("root").ok(), Some(0));
        assert!(is_alone(0, 0) && !is_alone(0, 3_999_999_999) && !is_alone(3_999_999_999, 0));
        let error = group_number("no such group").err().map(|error| error.chain()).unwrap_or_default();
        assert!(error.starts_with("there is no group `no such group`"), "{error}");
    }
}
