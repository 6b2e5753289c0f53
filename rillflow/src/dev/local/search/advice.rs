//! What to do when there is no PostgreSQL.

use super::{BIN_VARIABLE, OLDEST_MAJOR, Places};
use crate::Error;

/// Package managers by their program, and the one command that installs a server.
const INSTALLERS: &[(&str, &str)] = &[
    ("apt-get", "apt-get install -y postgresql"),
    ("dnf", "dnf install -y postgresql-server"),
    ("yum", "yum install -y postgresql-server"),
    ("zypper", "zypper install -y postgresql-server"),
    ("pacman", "pacman -S --noconfirm postgresql"),
    ("apk", "apk add postgresql"),
    ("brew", "brew install postgresql@17"),
    ("port", "port install postgresql17-server"),
];

/// These refuse root.
const WITHOUT_ROOT: &[&str] = &["brew"];

pub(super) fn missing(places: &Places, uid: u32, tried: &[String]) -> Error {
    let tried: String = tried.iter().map(|line| format!("  {line}\n")).collect();
    Error::Development(format!(
        "found no PostgreSQL {OLDEST_MAJOR} or newer to start; tried\n{tried}{}\n\
         or set DATABASE_URL to a server, or {BIN_VARIABLE} to a folder with `postgres` and `initdb`",
        command(places, uid)
    ))
}

fn command(places: &Places, uid: u32) -> String {
    let installer = INSTALLERS.iter().find(|(program, _)| places.program(program).is_some());
    let Some((program, command)) = installer else {
        return "install PostgreSQL with your system's package manager,".to_owned();
    };
    let sudo = if uid == 0 || WITHOUT_ROOT.contains(program) { "" } else { "sudo " };
    format!("install it with\n  {sudo}{command}")
}
