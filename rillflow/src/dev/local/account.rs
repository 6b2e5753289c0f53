//! Accounts: who we are, and who the server runs as when we are root.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use crate::{Error, Result};

/// A user that the server runs as instead of us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

impl Account {
    /// `None`: the server runs as ourselves. PostgreSQL refuses root, so root's server runs as `postgres` or `nobody`.
    pub(super) fn of_server(own_uid: u32) -> Result<Option<Self>> {
        if own_uid != 0 {
            return Ok(None);
        }
        let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let account = find(&passwd, "postgres").or_else(|| find(&passwd, "nobody"));
        account.map(Some).ok_or_else(|| {
            Error::Development(
                "PostgreSQL does not run as root, and /etc/passwd has neither `postgres` nor `nobody` to run it as: \
                 add one with `useradd --system postgres`, or run as another user"
                    .to_owned(),
            )
        })
    }

    /// True when this account can pass through every folder on the way, the last one included.
    pub(super) fn can_reach(self, folder: &Path) -> bool {
        folder.ancestors().all(|it| match fs::metadata(it) {
            Ok(meta) if meta.uid() == self.uid => meta.mode() & 0o100 != 0,
            Ok(meta) if meta.gid() == self.gid => meta.mode() & 0o010 != 0,
            Ok(meta) => meta.mode() & 0o001 != 0,
            // Not there yet: we make it, and open enough.
            Err(_) => true,
        })
    }
}

fn find(passwd: &str, name: &str) -> Option<Account> {
    let fields = passwd.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let entry = fields.into_iter().find(|fields| fields.first() == Some(&name))?;
    Some(Account { uid: entry.get(2)?.parse().ok()?, gid: entry.get(3)?.parse().ok()? })
}

/// The effective user of this process.
pub(super) fn own_uid() -> Result<u32> {
    if let Ok(meta) = fs::metadata("/proc/self") {
        return Ok(meta.uid());
    }
    let id = Command::new("id").arg("-u").output().ok();
    id.and_then(|out| String::from_utf8_lossy(&out.stdout).trim().parse().ok())
        .ok_or_else(|| Error::Development("cannot tell which user this is: neither /proc nor `id -u` works".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_account_is_read_from_passwd() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\npostgres2:x:7:7::/:\npostgres:x:101:104:,,,:/var:/bin/sh\n";
        assert_eq!(find(passwd, "postgres"), Some(Account { uid: 101, gid: 104 }));
        assert_eq!(find(passwd, "nobody"), None);
    }
}
