//! One process at a time starts a server or joins it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

use super::folders::cannot;
use crate::dev::LOCK_TIMEOUT;
use crate::{Error, Result};

/// How often a process that waits looks again.
const PAUSE: Duration = Duration::from_millis(5);

/// Waits for the lock and holds it while the file lives; the kernel frees it when the process is killed.
///
/// `make_folder` runs before each try: the nanny of another server may just have removed the empty folder.
pub(super) fn hold(path: &Path, make_folder: impl Fn() -> Result<()>) -> Result<File> {
    let since = Instant::now();
    while since.elapsed() < LOCK_TIMEOUT {
        make_folder()?;
        match OpenOptions::new().create(true).append(true).mode(0o600).open(path) {
            Ok(file) => match file.try_lock() {
                Ok(()) if is_at(&file, path) => return Ok(file),
                Ok(()) => continue,
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(e)) => return Err(cannot("lock", path, &e)),
            },
            Err(e) if e.kind() == ErrorKind::NotFound => continue,
            Err(e) => return Err(cannot("open", path, &e)),
        }
        std::thread::sleep(PAUSE);
    }
    Err(Error::Development(format!(
        "another process has been starting PostgreSQL for {LOCK_TIMEOUT:?}: find it with `fuser {}`, end it, and try again",
        path.display()
    )))
}

/// A lock file may be removed while somebody waits for it; a lock on the old one protects nothing.
fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::metadata(path)) {
        (Ok(held), Ok(there)) => held.ino() == there.ino() && held.dev() == there.dev(),
        _ => false,
    }
}
