//! The folders that packages install PostgreSQL in.

use std::fs;
use std::path::{Path, PathBuf};

/// From the root, a star for the part that carries the version.
pub(super) const PATTERNS: &[&str] = &[
    "usr/lib/postgresql/*/bin",
    "usr/pgsql-*/bin",
    "usr/libexec/postgresql*",
    "usr/lib64/postgresql-*/bin",
    "opt/homebrew/opt/postgresql*/bin",
    "usr/local/opt/postgresql*/bin",
    "home/linuxbrew/.linuxbrew/opt/postgresql*/bin",
    "Applications/Postgres.app/Contents/Versions/*/bin",
];

/// The folders that fit a pattern, the newest version first.
pub(super) fn expand(root: &Path, pattern: &str) -> Vec<PathBuf> {
    let Some((before, after)) = pattern.split_once('*') else { return vec![root.join(pattern)] };
    let (parent, prefix) = before.rsplit_once('/').unwrap_or(("", before));
    let entries = fs::read_dir(root.join(parent)).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut found: Vec<_> = names.filter(|name| name.starts_with(prefix)).map(|name| (version(&name), name)).collect();
    found.sort_by(|one, other| other.cmp(one));
    let inside = after.trim_start_matches('/');
    found.into_iter().map(|(_, name)| root.join(parent).join(name).join(inside)).collect()
}

/// The number in `17`, `pgsql-16`, `postgresql@15`; without one 0.
fn version(name: &str) -> u32 {
    let digits: String = name.chars().skip_while(|c| !c.is_ascii_digit()).take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_comes_first() {
        let root = std::env::temp_dir().join(format!("rillflow-known-{}", std::process::id()));
        for version in ["9.6", "15", "17"] {
            fs::create_dir_all(root.join("usr/lib/postgresql").join(version)).expect("a folder");
        }
        let found = expand(&root, "usr/lib/postgresql/*/bin");
        fs::remove_dir_all(&root).expect("removed");
        let expected = ["17", "15", "9.6"].map(|it| root.join("usr/lib/postgresql").join(it).join("bin"));
        assert_eq!(found, expected);
    }
}
