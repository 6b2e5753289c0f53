//! What commands print: tables for people, JSON for programs, progress on a terminal only.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use anstream::AutoStream;
use comfy_table::{ContentArrangement, Table, presets};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::failure::Failure;

/// Standard output. Colours are left out when it is no terminal, or when `NO_COLOR` is set.
pub(super) struct Out {
    pub(super) json: bool,
    stdout: AutoStream<io::Stdout>,
}

impl fmt::Debug for Out {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Out").field("json", &self.json).finish_non_exhaustive()
    }
}

impl Out {
    pub(super) fn new(json: bool) -> Self {
        Self { json, stdout: anstream::stdout() }
    }

    /// Prints a value: as JSON, or as `people` writes it.
    pub(super) fn show<T: Serialize + ?Sized>(
        &mut self,
        value: &T,
        people: impl FnOnce(&mut Self) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        if !self.json {
            return people(self);
        }
        let text = serde_json::to_string_pretty(value).map_err(io::Error::from)?;
        self.line(&text)
    }

    /// Prints a value as one line of JSON, or as `people` writes it: for what goes on and on.
    pub(super) fn show_line<T: Serialize>(
        &mut self,
        value: &T,
        people: impl FnOnce() -> String,
    ) -> Result<(), Failure> {
        let text = if self.json { serde_json::to_string(value).map_err(io::Error::from)? } else { people() };
        // JSON kept as it was written may be spread over lines; within its texts a line break is `\n` already
        let text = if self.json { text.replace(['\n', '\r'], " ") } else { text };
        self.line(&text)?;
        self.flush()
    }

    pub(super) fn line(&mut self, text: &str) -> Result<(), Failure> {
        Ok(writeln!(self.stdout, "{text}")?)
    }

    pub(super) fn write_all(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        Ok(self.stdout.write_all(bytes)?)
    }

    pub(super) fn flush(&mut self) -> Result<(), Failure> {
        Ok(self.stdout.flush()?)
    }

    /// Prints rows under their headings; `nothing` when there are none.
    pub(super) fn table<const N: usize>(
        &mut self,
        headings: [&str; N],
        rows: impl IntoIterator<Item = [String; N]>,
        nothing: &str,
    ) -> Result<(), Failure> {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
        table.set_header(headings);
        table.add_rows(rows);
        if table.is_empty() { self.line(nothing) } else { self.line(&table.trim_fmt()) }
    }

    /// Prints names and what they are, one a line.
    pub(super) fn facts<const N: usize>(&mut self, facts: [(&str, String); N]) -> Result<(), Failure> {
        let width = facts.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        for (name, fact) in facts.iter().filter(|(_, fact)| !fact.is_empty()) {
            self.line(&format!("{name:width$}  {fact}"))?;
        }
        Ok(())
    }

    /// A spinner on standard error while something works; nothing where no person looks.
    pub(super) fn working(&self, what: &str) -> ProgressBar {
        if self.json || !io::stderr().is_terminal() {
            return ProgressBar::hidden();
        }
        let style = ProgressStyle::with_template("{spinner} {msg} ({elapsed})")
            .unwrap_or_else(|_| ProgressStyle::default_spinner());
        let bar = ProgressBar::new_spinner().with_style(style).with_message(what.to_owned());
        bar.enable_steady_tick(Duration::from_millis(100));
        bar
    }
}

/// A moment, to the second.
pub(super) fn moment(at: chrono::DateTime<chrono::Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// What may be missing.
pub(super) fn maybe<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(String::new, |it| it.to_string())
}

/// `1 stream`, `2 streams`.
pub(super) fn count(n: u64, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}
