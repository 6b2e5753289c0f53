//! A fresh data folder: `initdb` once per version, copied afterwards.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use super::folders::cannot;
use super::process;
use super::site::Site;
use crate::dev::url::USER;
use crate::{Error, Result};

/// UTF-8 rules with the same order on every machine; not every system has the first.
const LOCALES: [&str; 2] = ["C.UTF-8", "C"];

/// Puts a fresh data folder at `target`, which must not exist.
pub(super) fn copy(site: &Site, target: &Path) -> Result<()> {
    let template = template(site)?;
    copy_tree(&template, target, site).map_err(|e| cannot("copy the data template to", target, &e))
}

/// Puts a fresh data folder at its place, on disk and whole, or not at all.
pub(super) fn copy_durably(site: &Site) -> Result<()> {
    let half_made = site.base.join("data.new");
    remove(&half_made)?;
    copy(site, &half_made)?;
    initdb(site, &half_made, &["--sync-only"])?;
    fs::rename(&half_made, &site.data).map_err(|e| cannot("make", &site.data, &e))
}

/// The template is made again at its next use.
pub(super) fn forget(site: &Site) -> Result<()> {
    remove(&place(site)?)
}

fn place(site: &Site) -> Result<PathBuf> {
    Ok(site.folders.cache()?.join(format!("data-{}", site.binaries.version)))
}

fn template(site: &Site) -> Result<PathBuf> {
    let template = place(site)?;
    if template.exists() {
        return Ok(template);
    }
    // In the run folder first: the server's account can reach it, and it goes away should we be killed.
    let fresh = site.run.join("template");
    remove(&fresh)?;
    make(site, &fresh)?;
    let half_made = template.with_extension(std::process::id().to_string());
    remove(&half_made)?;
    let moved = copy_tree(&fresh, &half_made, site).and_then(|()| fs::rename(&half_made, &template));
    remove(&fresh)?;
    match moved {
        // Another process made the same one in the meantime.
        Err(_) if template.exists() => remove(&half_made)?,
        Err(e) => return Err(cannot("make", &template, &e)),
        Ok(()) => {}
    }
    Ok(template)
}

fn make(site: &Site, folder: &Path) -> Result<()> {
    let mut result = Ok(());
    for locale in LOCALES {
        site.folders.make_for_server(folder)?;
        let locale = format!("--locale={locale}");
        let user = format!("--username={USER}");
        result = initdb(site, folder, &[&user, "--auth=trust", "--encoding=UTF8", &locale, "--no-sync"]);
        if result.is_ok() {
            break;
        }
        remove(folder)?;
    }
    result
}

fn initdb(site: &Site, data: &Path, options: &[&str]) -> Result<()> {
    let program = site.program("initdb");
    let mut command = process::command(&program, site.folders.account.as_ref());
    let failed = |why: String| Error::Development(format!("{} failed: {why}", program.display()));
    match command.arg("-D").arg(data).args(options).output() {
        Ok(Output { status, .. }) if status.success() => Ok(()),
        Ok(Output { stderr, .. }) => Err(failed(String::from_utf8_lossy(&stderr).trim().to_owned())),
        Err(e) => Err(failed(e.to_string())),
    }
}

/// Files and folders with their permissions, for the server's account. Shares blocks where the file system can.
fn copy_tree(from: &Path, to: &Path, site: &Site) -> std::io::Result<()> {
    fs::create_dir(to)?;
    fs::set_permissions(to, fs::metadata(from)?.permissions())?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_tree(&entry.path(), &target, site)?;
        } else {
            fs::copy(entry.path(), &target)?;
            site.folders.give(&target)?;
        }
    }
    site.folders.give(to)
}

fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(e) if folder.exists() => Err(cannot("remove", folder, &e)),
        _ => Ok(()),
    }
}
