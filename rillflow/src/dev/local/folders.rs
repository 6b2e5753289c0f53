//! Folders: made private, guarded against those of others, within reach of the server's account.

use std::fs::{self, DirBuilder, Permissions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use super::account::Account;
use crate::{Error, Result};

/// The longest socket path that every system takes (Linux 107 bytes, macOS 103).
const SOCKET_PATH_LIMIT: usize = 103;

/// The longest name that PostgreSQL makes in a socket folder.
const SOCKET_FILE: &str = ".s.PGSQL.5432.lock";

/// Who we are and where things may lie.
#[derive(Clone, Debug)]
pub(super) struct Folders {
    pub(super) uid: u32,
    pub(super) account: Option<Account>,
}

impl Folders {
    /// Where throw-away servers live: `$TMPDIR/rillflow-pg-<uid>`.
    pub(super) fn throw_away(&self) -> Result<PathBuf> {
        let candidates = [std::env::temp_dir(), "/tmp".into(), "/var/tmp".into()];
        let within_reach = candidates.into_iter().find(|it| it.is_dir() && self.reachable(it));
        let folder = within_reach.ok_or_else(unreachable_for_server)?.join(format!("rillflow-pg-{}", self.uid));
        // Its processes meet here, so a folder that somebody else took is an error and not passed by.
        self.make(&folder).map(|()| folder)
    }

    /// Where data that are kept live.
    pub(super) fn data(&self) -> Result<PathBuf> {
        self.first_usable(self.homes("XDG_DATA_HOME", ".local/share", "/var/lib"))
    }

    /// Where what can be made again is kept.
    pub(super) fn cache(&self) -> Result<PathBuf> {
        let mut candidates = self.homes("XDG_CACHE_HOME", ".cache", "/var/cache");
        candidates.push(format!("/var/tmp/rillflow-cache-{}", self.uid).into());
        self.first_usable(candidates)
    }

    /// The socket folder of a server: in its own folder, or in a shorter one.
    pub(super) fn socket(&self, run: &Path) -> PathBuf {
        let here = run.join("socket");
        if here.as_os_str().len() + 1 + SOCKET_FILE.len() <= SOCKET_PATH_LIMIT {
            return here;
        }
        let mut hasher = DefaultHasher::new();
        run.hash(&mut hasher);
        format!("/tmp/rillflow-pg-{}-{:016x}", self.uid, hasher.finish()).into()
    }

    /// Makes a folder that only we can look into; the server's account may pass through it.
    pub(super) fn make(&self, folder: &Path) -> Result<()> {
        let mode = if self.account.is_some() { 0o711 } else { 0o700 };
        self.make_with(folder, mode).map_err(|e| cannot("make", folder, &e))?;
        self.guard(folder, self.uid)
    }

    /// Makes a folder that belongs to the server.
    pub(super) fn make_for_server(&self, folder: &Path) -> Result<()> {
        self.make_with(folder, 0o700).map_err(|e| cannot("make", folder, &e))?;
        if let Some(account) = self.account
            && fs::symlink_metadata(folder).is_ok_and(|it| it.is_dir() && it.uid() == self.uid)
        {
            self.give(folder).map_err(|e| cannot("hand over", folder, &e))?;
            return self.guard(folder, account.uid);
        }
        self.guard(folder, self.account.map_or(self.uid, |it| it.uid))
    }

    /// Makes a path the server's own.
    pub(super) fn give(&self, path: &Path) -> io::Result<()> {
        self.account.map_or(Ok(()), |it| chown(path, Some(it.uid), Some(it.gid)))
    }

    fn reachable(&self, folder: &Path) -> bool {
        self.account.is_none_or(|it| it.can_reach(folder))
    }

    /// For root the system's own place, unless the variable says otherwise: no other account can enter root's home.
    fn homes(&self, variable: &str, in_home: &str, system: &str) -> Vec<PathBuf> {
        let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|it| it.is_absolute());
        let home = absolute("HOME").map(|it| it.join(in_home));
        let usual = if self.uid == 0 { Some(PathBuf::from(system)) } else { home };
        let candidates = [absolute(variable), usual].into_iter().flatten();
        candidates.filter(|it| self.reachable(it)).map(|it| it.join("rillflow")).collect()
    }

    fn first_usable(&self, candidates: Vec<PathBuf>) -> Result<PathBuf> {
        let mut problem = unreachable_for_server();
        for folder in candidates {
            match self.make(&folder) {
                Ok(()) => return Ok(folder),
                Err(error) => problem = error,
            }
        }
        Err(problem)
    }

    fn make_with(&self, folder: &Path, mode: u32) -> io::Result<()> {
        if let Some(parent) = folder.parent().filter(|it| !it.exists()) {
            let open = if self.account.is_some() { 0o755 } else { 0o700 };
            DirBuilder::new().recursive(true).mode(open).create(parent)?;
        }
        match DirBuilder::new().mode(mode).create(folder) {
            // The process' umask may have taken more than we wanted.
            Ok(()) => fs::set_permissions(folder, Permissions::from_mode(mode)),
            Err(e) if e.kind() == ErrorKind::AlreadyExists => Ok(()),
            Err(e) => Err(e),
        }
    }

    /// In a folder that anybody can write to, such as /tmp, somebody else may have been there first.
    fn guard(&self, folder: &Path, owner: u32) -> Result<()> {
        let meta = fs::symlink_metadata(folder).map_err(|e| cannot("look at", folder, &e))?;
        let problem = if !meta.is_dir() {
            "is not a folder".to_owned()
        } else if meta.uid() != owner {
            format!("belongs to user {}, not to user {owner}", meta.uid())
        } else if meta.mode() & 0o022 != 0 {
            "can be written to by others".to_owned()
        } else {
            return Ok(());
        };
        let folder = folder.display();
        Err(Error::Development(format!(
            "{folder} {problem}, so PostgreSQL cannot safely run in it: remove it, or set TMPDIR to a folder of your own"
        )))
    }
}

fn unreachable_for_server() -> Error {
    let help = "set TMPDIR, XDG_DATA_HOME and XDG_CACHE_HOME to folders that its account can enter";
    Error::Development(format!("PostgreSQL can reach no folder to run in: {help}"))
}

/// The error for a file operation that failed.
pub(super) fn cannot(what: &str, path: &Path, error: &io::Error) -> Error {
    Error::Development(format!("cannot {what} {}: {error}", path.display()))
}
