//! Processes: which one is alive, and starting one that outlives us.

use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::{fs, io};

use super::account::Account;

/// True when a process of this id is alive and its command line names the path.
///
/// The path makes a reused process id harmless: our server and our nanny both carry their folder as an argument.
pub(super) fn runs(pid: u32, path: &Path) -> bool {
    command_line(pid).is_some_and(|line| line.contains(&*path.to_string_lossy()))
}

/// `None` when the process is gone or a zombie.
fn command_line(pid: u32) -> Option<String> {
    let raw = match fs::read(format!("/proc/{pid}/cmdline")) {
        Ok(raw) => raw,
        Err(_) if Path::new("/proc/self/cmdline").exists() => return None,
        Err(_) => Command::new("ps").args(["-p", &pid.to_string(), "-o", "args="]).output().ok()?.stdout,
    };
    let line = String::from_utf8_lossy(&raw).replace('\0', " ");
    (!line.trim().is_empty()).then_some(line)
}

/// When a process started, in the kernel's ticks; 0 where there is no `/proc`.
///
/// Id and start time together name a process for good; the id alone is used again.
pub(super) fn start_time(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The second field is the program's name in parentheses, which may hold spaces and parentheses.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    fields.split_whitespace().nth(19).and_then(|ticks| ticks.parse().ok()).unwrap_or(0)
}

/// A command without the environment that would change what PostgreSQL's programs do.
pub(super) fn command(program: impl AsRef<OsStr>, account: Option<&Account>) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"PG")) {
        command.env_remove(name);
    }
    if let Some(account) = account {
        command.uid(account.uid).gid(account.gid);
    }
    // Our own folder may be one that the other account cannot enter.
    command.env("LC_ALL", "C").current_dir("/").stdin(Stdio::null());
    command
}

/// Starts a program that outlives this process, and returns its id.
///
/// A shell starts it in the background and ends, so it is nobody's child: it leaves no zombie here, and its process
/// group is not the terminal's, so Ctrl-C does not reach it. Both its outputs go to `log`.
pub(super) fn detached(args: &[&OsStr], log: Stdio, account: Option<&Account>) -> io::Result<u32> {
    let mut shell = command("/bin/sh", account);
    shell.args(["-c", r#"exec "$@" >&2 & echo $!"#, "sh"]).args(args);
    let mut child = shell.process_group(0).stdout(Stdio::piped()).stderr(log).spawn()?;
    let mut pid = String::new();
    if let Some(mut stdout) = child.stdout.take() {
        stdout.read_to_string(&mut pid)?;
    }
    child.wait()?;
    pid.trim().parse().map_err(|_| io::Error::other(format!("/bin/sh answered `{}`, not a process id", pid.trim())))
}

/// Sends a signal by name, such as `INT`. A process that is gone already is no error.
pub(super) fn signal(pid: u32, name: &str) {
    // No other way without `unsafe`; `kill` is part of every POSIX shell.
    let script = format!("kill -{name} {pid}");
    let _ = Command::new("/bin/sh").args(["-c", &script]).stderr(Stdio::null()).status();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_by_id_and_path() {
        let me = std::process::id();
        let exe = std::env::current_exe().expect("our own path");
        let name = Path::new(exe.file_name().expect("a file"));
        assert!(runs(me, name));
        assert!(!runs(me, Path::new("/no/such/folder")));
        if Path::new("/proc/self/stat").exists() {
            assert!(start_time(me) > 0);
        }
    }
}
