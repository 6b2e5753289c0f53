//! One server's place in the file system.

use std::path::{Path, PathBuf};

use super::folders::Folders;
use super::search::Binaries;
use crate::Result;

/// Part of each throw-away server's folder: raise it when what lies in there changes its meaning.
const LAYOUT_REVISION: u32 = 1;

/// What happens to the data when the server stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Deleted with everything else.
    ThrowAway,
    /// Kept for the next run.
    Persistent,
}

/// ```text
/// throw-away   $TMPDIR/rillflow-pg-<uid>/lock
///                                       /<version>-<revision>/{users/, socket/, data/, nanny, server.log}
/// persistent   <data home>/rillflow/postgres-<major>/{lock, data/}
///                                                   /run/{users/, socket/, nanny, server.log}
/// ```
#[derive(Clone, Debug)]
pub(super) struct Site {
    pub(super) kind: Kind,
    pub(super) folders: Folders,
    pub(super) binaries: Binaries,
    /// Holds the lock.
    pub(super) base: PathBuf,
    /// What the nanny removes.
    pub(super) run: PathBuf,
    pub(super) data: PathBuf,
    pub(super) socket: PathBuf,
    pub(super) log: PathBuf,
}

impl Site {
    pub(super) fn choose(kind: Kind, folders: Folders, binaries: Binaries) -> Result<Self> {
        let (base, run, data) = match kind {
            Kind::ThrowAway => {
                let base = folders.throw_away()?;
                let run = base.join(format!("{}-{LAYOUT_REVISION}", binaries.version));
                (base, run.clone(), run.join("data"))
            }
            Kind::Persistent => {
                // A data folder belongs to one major version.
                let base = folders.data()?.join(format!("postgres-{}", binaries.major));
                (base.clone(), base.join("run"), base.join("data"))
            }
        };
        let (socket, log) = (folders.socket(&run), run.join("server.log"));
        Ok(Self { kind, folders, binaries, base, run, data, socket, log })
    }

    pub(super) fn lock(&self) -> PathBuf {
        self.base.join("lock")
    }

    pub(super) fn users(&self) -> PathBuf {
        self.run.join("users")
    }

    /// Holds the process id of the nanny in charge.
    pub(super) fn nanny(&self) -> PathBuf {
        self.run.join("nanny")
    }

    /// What PostgreSQL writes while it runs: process id, start time, port, socket, state.
    pub(super) fn pid_file(&self) -> PathBuf {
        self.data.join("postmaster.pid")
    }

    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.binaries.folder.join(name)
    }

    /// `users` comes last: while it is not there, the folder counts as half made.
    pub(super) fn make_folders(&self) -> Result<()> {
        self.folders.make(&self.run)?;
        self.folders.make_for_server(&self.socket)?;
        self.folders.make(&self.users())
    }

    /// The socket folder when it lies outside the run folder.
    pub(super) fn socket_elsewhere(&self) -> Option<&Path> {
        (!self.socket.starts_with(&self.run)).then_some(&self.socket)
    }
}
