//! The server process: started, waited for, stopped.

use std::ffi::{OsStr, OsString};
use std::fs::{self, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::folders::cannot;
use super::site::{Kind, Site};
use super::{process, template};
use crate::dev::url::PORT;
use crate::dev::{START_TIMEOUT, STOP_TIMEOUT};
use crate::{Error, Result};

/// How often the state of a server that starts or stops is looked at.
const PAUSE: Duration = Duration::from_millis(10);

/// How many lines of the server's log an error shows.
const LOG_LINES: usize = 20;

/// A process id that no system gives out.
const NOBODY: i32 = i32::MAX;

/// Nothing of a throw-away server is worth a wait for the disk.
const THROW_AWAY_SETTINGS: &[&str] =
    &["fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=300"];

const PERSISTENT_SETTINGS: &[&str] = &["fsync=on", "max_connections=100"];

/// Leaves the server running and ready. The caller holds the lock and is registered.
pub(super) fn ensure(site: &Site) -> Result<()> {
    if let Some(pid) = pid(site) {
        // Somebody was killed while starting it, or it is simply up.
        if site.socket.join(format!(".s.PGSQL.{PORT}")).exists() && wait_until_ready(site, pid).is_ok() {
            return Ok(());
        }
        stop(site);
    }
    let fresh = prepare_data(site)?;
    match start(site) {
        // The machine may have lost power before the template was on disk: make it again, once.
        Err(_) if fresh => {
            stop(site);
            template::forget(site)?;
            discard_data(site)?;
            prepare_data(site)?;
            start(site)
        }
        result => result,
    }
}

/// The server's process id, if it runs.
pub(super) fn pid(site: &Site) -> Option<u32> {
    let pid = fs::read_to_string(site.pid_file()).ok()?.lines().next()?.trim().parse().ok()?;
    process::runs(pid, &site.data).then_some(pid)
}

/// Stops the server if it runs: at once when its data do not matter.
pub(super) fn stop(site: &Site) {
    let Some(pid) = pid(site) else { return };
    let signals = match site.kind {
        Kind::ThrowAway => ["QUIT", "KILL"],
        Kind::Persistent => ["INT", "QUIT"],
    };
    for signal in signals {
        process::signal(pid, signal);
        let since = Instant::now();
        while since.elapsed() < STOP_TIMEOUT {
            if !process::runs(pid, &site.data) {
                return;
            }
            sleep(PAUSE);
        }
    }
}

/// True when the data folder is new.
fn prepare_data(site: &Site) -> Result<bool> {
    match site.kind {
        Kind::ThrowAway => {
            discard_data(site)?;
            template::copy(site, &site.data)?;
            Ok(true)
        }
        Kind::Persistent if site.data.exists() => {
            disown_stale_pid_file(site)?;
            Ok(false)
        }
        Kind::Persistent => {
            template::copy_durably(site)?;
            Ok(true)
        }
    }
}

/// Only for data that nobody can miss: throw-away, or made a moment ago.
fn discard_data(site: &Site) -> Result<()> {
    match fs::remove_dir_all(&site.data) {
        Err(e) if site.data.exists() => Err(cannot("remove", &site.data, &e)),
        _ => Ok(()),
    }
}

/// After a power cut the id in the file may be anybody's, and PostgreSQL would refuse to start.
///
/// The rest of the file stays: it names the shared memory by which PostgreSQL sees that old backends still run.
fn disown_stale_pid_file(site: &Site) -> Result<()> {
    let path = site.pid_file();
    let Ok(text) = fs::read_to_string(&path) else { return Ok(()) };
    let rest = text.split_once('\n').map_or("", |(_, rest)| rest);
    fs::write(&path, format!("{NOBODY}\n{rest}")).map_err(|e| cannot("write", &path, &e))
}

fn start(site: &Site) -> Result<()> {
    // Left by a killed server; the id in the lock file may be somebody else's by now.
    for file in [format!(".s.PGSQL.{PORT}"), format!(".s.PGSQL.{PORT}.lock")] {
        let _ = fs::remove_file(site.socket.join(file));
    }
    let log = OpenOptions::new().create(true).append(true).mode(0o600).open(&site.log);
    let log = log.map_err(|e| cannot("open", &site.log, &e))?;
    let args = command_line(site);
    let args: Vec<&OsStr> = args.iter().map(OsString::as_os_str).collect();
    let pid = process::detached(&args, Stdio::from(log), site.folders.account.as_ref())
        .map_err(|e| Error::Development(format!("cannot start {}: {e}", site.program("postgres").display())))?;
    wait_until_ready(site, pid)
}

fn command_line(site: &Site) -> Vec<OsString> {
    let settings = match site.kind {
        Kind::ThrowAway => THROW_AWAY_SETTINGS,
        Kind::Persistent => PERSISTENT_SETTINGS,
    };
    let mut args: Vec<OsString> = vec![site.program("postgres").into(), "-D".into(), (&site.data).into()];
    args.extend(["-k".into(), (&site.socket).into(), "-p".into(), PORT.to_string().into()]);
    for setting in ["listen_addresses=", "logging_collector=off"].iter().chain(settings) {
        args.extend(["-c".into(), setting.into()]);
    }
    args
}

fn wait_until_ready(site: &Site, pid: u32) -> Result<()> {
    let since = Instant::now();
    let mut problem = "did not get ready in time";
    while since.elapsed() < START_TIMEOUT {
        let state = fs::read_to_string(site.pid_file()).unwrap_or_default();
        let mut lines = state.lines().map(str::trim);
        if lines.next() == Some(&*pid.to_string()) && lines.nth(6) == Some("ready") {
            return Ok(());
        }
        if !process::runs(pid, &site.data) {
            problem = "ended at once";
            break;
        }
        sleep(PAUSE);
    }
    let (program, data) = (site.program("postgres"), site.data.display());
    let program = program.display();
    Err(Error::Development(format!("{program} with the data in {data} {problem}; it said:\n{}", last_words(site))))
}

fn last_words(site: &Site) -> String {
    let log = fs::read(&site.log).unwrap_or_default();
    let log = String::from_utf8_lossy(&log);
    let lines: Vec<_> = log.lines().collect();
    lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
}
