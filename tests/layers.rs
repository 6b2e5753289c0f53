//! The rule of `rillflow/src`: each layer imports only those before it.

use std::fs;
use std::path::{Path, PathBuf};

const LAYERS: [&str; 6] = ["model", "sql", "storage", "observe", "runtime", "store"];

#[test]
fn each_layer_imports_only_those_before_it() {
    let violations: Vec<_> =
        LAYERS.iter().enumerate().flat_map(|(at, layer)| upward(layer, &LAYERS[at + 1..])).collect();
    assert!(violations.is_empty(), "upward imports:\n{}", violations.join("\n"));
}

#[test]
fn an_upward_import_is_noticed() {
    for line in ["use crate::store::Store;", "    crate::runtime::append(..)", "use crate::{Error, storage::events};"] {
        assert!(names(line, "store") || names(line, "runtime") || names(line, "storage"), "{line}");
    }
    for line in ["use crate::{Error, Result};", "//! crate::store is above", "use crate::model::stored;"] {
        assert!(!names(line, "store"), "{line}");
    }
}

#[test]
fn only_one_file_reads_sqlstates() {
    let readers: Vec<_> = LAYERS
        .iter()
        .flat_map(|layer| sources(&src().join(layer)))
        .filter(|file| read(file).lines().any(|line| line.contains(".code()") || line.contains(".constraint()")))
        .collect();
    assert_eq!(readers, [src().join("storage/failure.rs")]);
}

#[test]
fn statement_text_lives_in_the_sql_layer() {
    let with_text: Vec<_> = ["model", "runtime", "store"]
        .iter()
        .flat_map(|layer| sources(&src().join(layer)))
        .filter(|file| read(file).lines().any(|line| line.contains("sqlx::query") || line.contains("raw_sql(")))
        .collect();
    assert!(with_text.is_empty(), "statements outside `sql` and `storage`: {with_text:?}");
}

#[test]
fn storage_asks_in_the_one_way_that_works_behind_poolers() {
    let aside: Vec<_> = sources(&src().join("storage"))
        .into_iter()
        .filter(|file| !file.ends_with("ask.rs") && read(file).contains("sqlx::query"))
        .collect();
    assert!(aside.is_empty(), "say `query(..)` of `storage/ask.rs` instead of `sqlx::query(..)`: {aside:?}");
}

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../rillflow/src")
}

fn upward(layer: &str, above: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for file in sources(&src().join(layer)) {
        for (number, line) in read(&file).lines().enumerate() {
            if let Some(upper) = above.iter().find(|upper| names(line, upper)) {
                found.push(format!("{}:{}: {layer} imports {upper}: {}", file.display(), number + 1, line.trim()));
            }
        }
    }
    found
}

/// Whether a line of code names the module `layer` of this crate.
fn names(line: &str, layer: &str) -> bool {
    let line = line.trim_start();
    if line.starts_with("//") {
        return false;
    }
    let after = |text: &str| !text.starts_with(|c: char| c.is_alphanumeric() || c == '_');
    let direct =
        line.match_indices("crate::").any(|(at, it)| line[at + it.len()..].strip_prefix(layer).is_some_and(after));
    let grouped = line.contains("use crate::{")
        && line
            .split(['{', ','])
            .any(|part| part.trim_start().strip_prefix(layer).is_some_and(|rest| rest.starts_with("::")));
    direct || grouped
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder of a layer") {
        let path = entry.expect("an entry of it").path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|it| it == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).expect("a source file")
}
