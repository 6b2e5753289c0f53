//! The nanny: a detached shell that stops the server after its last user.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::folders::cannot;
use super::process;
use super::server;
use super::site::{Kind, Site};
use crate::dev::{PERSISTENT_GRACE, STOP_TIMEOUT, THROW_AWAY_GRACE};
use crate::{Error, Result};

const SCRIPT: &str = include_str!("nanny.sh");

/// Seconds of grace for the server that is started, such as 600 to keep it between two test runs.
const GRACE_VARIABLE: &str = "RILLFLOW_PG_GRACE";

/// Starts the nanny unless it lives.
pub(super) fn ensure(site: &Site) -> Result<()> {
    if is_alive(site) {
        return Ok(());
    }
    let kind = match site.kind {
        Kind::ThrowAway => "throw-away",
        Kind::Persistent => "persistent",
    };
    let (grace, patience) = (grace(site.kind)?.to_string(), STOP_TIMEOUT.as_secs().to_string());
    let folders = [site.run.as_os_str(), site.data.as_os_str(), site.socket.as_os_str()];
    let script = ["/bin/sh", "-c", SCRIPT, "rillflow-nanny"].map(OsStr::new);
    let words = [kind, &grace, &patience].map(OsStr::new);
    let pid = process::detached(&[&script[..], &folders, &words].concat(), Stdio::null(), None)
        .map_err(|e| Error::Development(format!("cannot start /bin/sh to look after PostgreSQL: {e}")))?;
    // It looks into this file a second after its start, and ends if it finds another id.
    fs::write(site.nanny(), format!("{pid}\n")).map_err(|e| cannot("write", &site.nanny(), &e))
}

/// Seconds that the server outlives its last user.
fn grace(kind: Kind) -> Result<u64> {
    let Some(chosen) = std::env::var_os(GRACE_VARIABLE).filter(|it| !it.is_empty()) else {
        let usual = if kind == Kind::ThrowAway { THROW_AWAY_GRACE } else { PERSISTENT_GRACE };
        return Ok(usual.as_secs());
    };
    let chosen = chosen.to_string_lossy();
    let seconds = chosen.trim().parse::<u32>();
    seconds.map(u64::from).map_err(|_| Error::Development(format!("{GRACE_VARIABLE}={chosen} is no number of seconds")))
}

/// Waits until the nanny has removed a folder that it is closing, and does it when there is no nanny.
pub(super) fn wait_until_closed(site: &Site) -> Result<()> {
    let since = Instant::now();
    while site.run.exists() && is_alive(site) && since.elapsed() < STOP_TIMEOUT * 2 {
        sleep(Duration::from_millis(20));
    }
    if !site.run.exists() {
        return Ok(());
    }
    server::stop(site);
    if let Some(socket) = site.socket_elsewhere() {
        remove(socket)?;
    }
    remove(&site.run)
}

fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(e) if folder.exists() => Err(cannot("remove", folder, &e)),
        _ => Ok(()),
    }
}

fn is_alive(site: &Site) -> bool {
    let pid = fs::read_to_string(site.nanny()).ok().and_then(|text| text.trim().parse().ok());
    pid.is_some_and(|pid| process::runs(pid, &site.run))
}

/// Removes a container once this process is gone, however it ends.
#[cfg(feature = "testing-docker")]
pub(crate) fn remove_container_after_us(id: &str) -> Result<()> {
    const SCRIPT: &str = r#"
        started() { read -r stat < "/proc/$1/stat" && set -- ${stat##*) } && [ "$1" != Z ] && start=${20}; }
        lives() { if [ "$2" = 0 ]; then kill -0 "$1"; else started "$1" && [ "$start" = "$2" ]; fi; }
        trap '' HUP INT
        while lives "$1" "$2"; do sleep 1; done
        docker rm --force --volumes "$3" || podman rm --force --volumes "$3"
    "#;
    let pid = std::process::id();
    let (start, pid) = (process::start_time(pid).to_string(), pid.to_string());
    let args = ["/bin/sh", "-c", SCRIPT, "rillflow-nanny", &pid, &start, id].map(OsStr::new);
    process::detached(&args, Stdio::null(), None)
        .map(drop)
        .map_err(|e| Error::Development(format!("cannot start /bin/sh to look after the container: {e}")))
}
