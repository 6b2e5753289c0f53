//! The lock file's text: readable, mergeable, one line per place and per sample.

use std::collections::BTreeMap;
use std::fmt;

const HEAD: &str = "\
# The shape of all that is stored, with samples. Checked by rillflow::testing::assert_schema_lock!
# RILLFLOW_LOCK=write cargo test adds what is new. Commit this file.
";

/// What can be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Event,
    Aggregate,
    Document,
}

impl Kind {
    const ALL: [(Self, &'static str); 3] =
        [(Self::Event, "event"), (Self::Aggregate, "aggregate"), (Self::Document, "document")];

    pub(super) fn name(self) -> &'static str {
        Self::ALL.iter().find(|(kind, _)| *kind == self).map_or("", |(_, name)| name)
    }
}

/// What one entry is about. Only events have versions; the others have 0.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) kind: Kind,
    pub(super) name: String,
    pub(super) version: i32,
}

impl Key {
    fn head(&self) -> String {
        let version = if self.kind == Kind::Event { format!(" version {}", self.version) } else { String::new() };
        format!("[{} {}{version}]", self.kind.name(), self.name)
    }

    fn parse(line: &str) -> Option<Self> {
        let (kind, name) = line.strip_prefix('[')?.strip_suffix(']')?.split_once(' ')?;
        let (kind, _) = *Kind::ALL.iter().find(|(_, known)| *known == kind)?;
        let (name, version) = match kind {
            Kind::Event => name.rsplit_once(" version ").and_then(|(name, v)| Some((name, v.parse().ok()?)))?,
            _ => (name, 0),
        };
        Some(Self { kind, name: name.to_owned(), version })
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} `{}`", self.kind.name(), self.name)?;
        if self.kind == Kind::Event { write!(f, " version {}", self.version) } else { Ok(()) }
    }
}

/// One entry.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Entry {
    pub(super) lines: Vec<String>,
    pub(super) samples: Vec<String>,
}

impl Entry {
    /// Adds samples that are not there yet.
    pub(super) fn add<'s>(&mut self, samples: impl IntoIterator<Item = &'s String>) {
        for sample in samples {
            // a line each
            let sample = sample.replace('\n', " ");
            if !self.samples.contains(&sample) {
                self.samples.push(sample);
            }
        }
    }
}

/// The file.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct LockFile(pub(super) BTreeMap<Key, Entry>);

impl LockFile {
    /// Reads the text; what is wrong comes with its line.
    pub(super) fn parse(text: &str) -> Result<Self, (usize, &'static str)> {
        let mut lock = Self::default();
        let mut key = None;
        for (line, number) in text.lines().map(str::trim).zip(1..) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if line.starts_with("[event ") || line.starts_with("[aggregate ") || line.starts_with("[document ") {
                let parsed = Key::parse(line).ok_or((number, "expected `[event <name> version <n>]`"))?;
                if lock.0.insert(parsed.clone(), Entry::default()).is_some() {
                    return Err((number, "this entry is here twice: keep one, with the samples of both"));
                }
                key = Some(parsed);
                continue;
            }
            let entry = key.as_ref().and_then(|key| lock.0.get_mut(key));
            let entry = entry.ok_or((number, "expected `[event <name> version <n>]` or the like"))?;
            match line.strip_prefix("= ") {
                Some(sample) => entry.samples.push(sample.to_owned()),
                None if line.contains(": ") => entry.lines.push(line.to_owned()),
                None => return Err((number, "expected `<place>: <kind>` or `= <sample>`")),
            }
        }
        Ok(lock)
    }
}

impl fmt::Display for LockFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HEAD)?;
        for (key, entry) in &self.0 {
            writeln!(f, "\n{}", key.head())?;
            entry.lines.iter().try_for_each(|line| writeln!(f, "{line}"))?;
            entry.samples.iter().try_for_each(|sample| writeln!(f, "= {sample}"))?;
        }
        Ok(())
    }
}
