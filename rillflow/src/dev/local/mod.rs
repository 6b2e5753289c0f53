//! The local server: found, started, shared between processes and stopped by a nanny.
//!
//! Everything here blocks; `dev::Postgres` calls it from a blocking thread.

mod account;
mod folders;
mod lock;
mod nanny;
mod npm;
mod process;
mod search;
mod server;
mod site;
mod template;

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use folders::cannot;
use site::Site;

use crate::{Error, Result};

#[cfg(feature = "testing-docker")]
pub(crate) use nanny::remove_container_after_us;
pub(crate) use site::Kind;

/// How often a folder that another process' nanny is just removing is tried again.
const REGISTER_TRIES: usize = 5;

/// A registered use of a running server; dropping it takes the registration back.
#[derive(Debug)]
pub(crate) struct Attachment {
    site: Site,
    user: PathBuf,
}

/// Joins the running server, or starts it.
pub(crate) fn attach(kind: Kind) -> Result<Attachment> {
    let site = site(kind)?;
    let _lock = lock::hold(&site.lock(), || site.folders.make(&site.base))?;
    // From here on the nanny does not close: our file is in its folder.
    let attachment = Attachment { user: register(&site)?, site };
    let site = &attachment.site;
    // The nanny first: killed in between, we would leave a server that nobody stops.
    nanny::ensure(site)?;
    server::ensure(site)?;
    Ok(attachment)
}

/// The search runs programs and perhaps a download, so its result is kept.
fn site(kind: Kind) -> Result<Site> {
    static FOUND: OnceLock<search::Binaries> = OnceLock::new();
    let uid = account::own_uid()?;
    let folders = folders::Folders { uid, account: account::Account::of_server(uid)? };
    let binaries = match FOUND.get() {
        Some(binaries) => binaries.clone(),
        None => {
            let found = search::find(&search::Places::of_this_machine(&folders), &folders)?;
            FOUND.get_or_init(|| found).clone()
        }
    };
    Site::choose(kind, folders, binaries)
}

fn register(site: &Site) -> Result<PathBuf> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let pid = std::process::id();
    let name = format!("{pid}.{}.{}", process::start_time(pid), COUNT.fetch_add(1, Ordering::Relaxed));
    let user = site.users().join(name);
    for _ in 0..REGISTER_TRIES {
        match fs::File::create_new(&user) {
            Ok(_) => return Ok(user),
            Err(e) if e.kind() == ErrorKind::NotFound => {
                nanny::wait_until_closed(site)?;
                site.make_folders()?;
            }
            Err(e) => return Err(cannot("make", &user, &e)),
        }
    }
    let run = site.run.display();
    Err(Error::Development(format!("{run} disappears as soon as it is made: is something else cleaning up there?")))
}

impl Attachment {
    pub(crate) fn kind(&self) -> Kind {
        self.site.kind
    }

    pub(crate) fn socket(&self) -> &Path {
        &self.site.socket
    }

    pub(crate) fn data(&self) -> &Path {
        &self.site.data
    }

    pub(crate) fn log(&self) -> &Path {
        &self.site.log
    }

    pub(crate) fn version(&self) -> &str {
        &self.site.binaries.version
    }

    pub(crate) fn psql(&self) -> &Path {
        &self.site.binaries.psql
    }

    /// True while the server runs and our registration is in place.
    pub(crate) fn is_up(&self) -> bool {
        self.user.exists() && server::pid(&self.site).is_some()
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.user);
    }
}
