//! What the file says against what the program stores.

use super::change::{diff, reads_all};
use super::file::{Entry, Key, Kind, LockFile};
use super::{Reader, Stored};

/// What may be done.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Mode {
    /// Nothing.
    Check,
    /// Add what is new and takes nothing away.
    Write,
    /// Take everything.
    Confirm,
}

/// The file as it should be, and what stands against it: a text each.
#[derive(Debug)]
pub(super) struct Verdict {
    pub(super) lock: LockFile,
    pub(super) problems: Vec<String>,
    /// What the problems are about.
    told: Vec<Key>,
}

/// Compares, and does what `mode` allows.
pub(super) fn verdict(lock: LockFile, stored: &[Stored], readers: &[Reader], mode: Mode) -> Verdict {
    let mut verdict = Verdict { lock, problems: Vec::new(), told: Vec::new() };
    for (at, one) in stored.iter().enumerate() {
        match stored[..at].iter().find_map(|first| Some((first, in_common(first, one)?))) {
            Some((first, name)) => verdict.problems.push(twice(first, one, name)),
            None => verdict.one(one, mode),
        }
    }
    verdict.gone(stored, readers, mode);
    verdict.samples(readers);
    verdict
}

impl Verdict {
    /// One thing that the program stores.
    fn one(&mut self, stored: &Stored, mode: Mode) {
        if let Some(problem) = without_sample(stored) {
            self.problems.push(problem);
            return;
        }
        let lines = stored.shape.lines();
        let found = self.lock.0.get_mut(&stored.key);
        match found {
            Some(entry) if entry.lines == lines => {
                if mode != Mode::Check {
                    entry.add(&stored.given);
                }
            }
            Some(entry) => {
                let harmless = stored.key.kind == Kind::Aggregate || reads_all(&entry.lines, &lines);
                if mode == Mode::Confirm || (mode == Mode::Write && harmless) {
                    if !harmless || stored.key.kind == Kind::Aggregate {
                        entry.samples.clear();
                    }
                    entry.lines = lines;
                    entry.add(stored.samples());
                } else {
                    self.problems.push(changed(stored, &stored.key, &entry.lines, &lines, harmless));
                    self.told.push(stored.key.clone());
                }
            }
            None => self.new_entry(stored, lines, mode),
        }
    }

    /// Something that is not in the file, unless under a name it had before.
    fn new_entry(&mut self, stored: &Stored, lines: Vec<String>, mode: Mode) {
        let was = stored.was.iter().map(|was| Key { name: (*was).to_owned(), ..stored.key.clone() });
        let differs = |key: Key| self.lock.0.get(&key).filter(|old| old.lines != lines).map(|old| (key, old));
        let before = was.into_iter().find_map(differs);
        match before {
            Some((key, old)) if mode != Mode::Confirm && !reads_all(&old.lines, &lines) => {
                self.problems.push(changed(stored, &key, &old.lines, &lines, false));
                self.told.push(key);
            }
            _ if mode == Mode::Check => {
                self.problems.push(format!(
                    "  {} ({}) is not in the lock\n  Add it: RILLFLOW_LOCK=write cargo test\n",
                    stored.key, stored.ty
                ));
            }
            _ => {
                let mut entry = Entry { lines, samples: Vec::new() };
                entry.add(stored.samples());
                self.lock.0.insert(stored.key.clone(), entry);
            }
        }
    }

    /// What is in the file and nowhere in the program.
    ///
    /// An event that was split is nowhere in the program, and yet it is read.
    fn gone(&mut self, stored: &[Stored], readers: &[Reader], mode: Mode) {
        let is_read = |key: &Key, sample: &String| readers.iter().any(|read| matches!(read(key, sample), Some(Ok(()))));
        let gone = self.lock.0.iter().filter(|(key, entry)| {
            let newer = stored.iter().any(|one| one.names().any(|name| name == key.name));
            !is_known(key, stored) && (newer || !entry.samples.iter().any(|sample| is_read(key, sample)))
        });
        let gone: Vec<_> = gone.map(|(key, _)| key.clone()).collect();
        for key in gone {
            if mode == Mode::Confirm {
                self.lock.0.remove(&key);
            } else {
                self.problems.push(removed(&key, stored));
                self.told.push(key);
            }
        }
    }

    /// Reads every sample of the file, through the upcasters.
    fn samples(&mut self, readers: &[Reader]) {
        for (key, entry) in self.lock.0.iter().filter(|(key, _)| !self.told.contains(key)) {
            for sample in &entry.samples {
                if let Some(Err(error)) = readers.iter().find_map(|read| read(key, sample)) {
                    self.problems.push(format!(
                        "  {key}: a sample cannot be read any more, so what is stored cannot either\n    \
                         {sample}\n    {error}\n"
                    ));
                }
            }
        }
    }
}

/// The stored name that both have.
fn in_common<'s>(first: &'s Stored, second: &'s Stored) -> Option<&'s str> {
    let both_have = |name: &&str| first.key.kind == second.key.kind && second.names().any(|other| other == *name);
    first.names().find(both_have)
}

fn twice(first: &Stored, second: &Stored, name: &str) -> String {
    let (kind, first, second) = (second.key.kind.name(), &first.ty, &second.ty);
    format!(
        "  {kind} `{name}` is `{first}` and `{second}`: what is stored under one name is read by both\n  \
         Give each a name of its own, and list it once\n"
    )
}

/// An event is known under each of its names, up to its version.
fn is_known(key: &Key, stored: &[Stored]) -> bool {
    stored.iter().any(|one| {
        one.key.kind == key.kind && one.names().any(|name| name == key.name) && key.version <= one.key.version
    })
}

fn without_sample(stored: &Stored) -> Option<String> {
    let gaps = stored.shape.gaps();
    let why = match gaps.as_slice() {
        [] if stored.samples().next().is_some() => return None,
        [] => "no value of it can be made up".to_owned(),
        gaps => format!(
            "serde does not say what stands at {}",
            gaps.iter().map(|gap| name(gap)).collect::<Vec<_>>().join(", ")
        ),
    };
    let (key, ty) = (&stored.key, &stored.ty);
    let place = match key.kind {
        Kind::Event => format!("events = [{}]", "YourEvents => [sample, ..]"),
        Kind::Aggregate => format!("aggregates = [{ty} => [sample, ..]]"),
        Kind::Document => format!("documents = [{ty} => [sample, ..]]"),
    };
    Some(format!("  {key} ({ty}): {why}\n  Give fixed values that show each form: {place}\n"))
}

fn name(gap: &str) -> String {
    if gap.is_empty() { "the whole of it".to_owned() } else { format!("`{gap}`") }
}

fn changed(stored: &Stored, key: &Key, old: &[String], new: &[String], harmless: bool) -> String {
    let (ty, diff) = (&stored.ty, diff(old, new));
    let help = match (key.kind, harmless) {
        (Kind::Aggregate, _) => "  Snapshots of the old shape are passed over and taken anew.\n  \
             Take it into the lock: RILLFLOW_LOCK=write cargo test\n"
            .to_owned(),
        (_, true) => "  What is stored can still be read.\n  \
             Take it into the lock: RILLFLOW_LOCK=write cargo test\n"
            .to_owned(),
        (Kind::Event, false) => upcaster(ty, stored.key.version),
        (Kind::Document, false) => {
            "  Stored documents have the old shape, and documents have no versions. Let them be read as they are:\n  \
             `#[serde(default)]` on a new field, `#[serde(alias = \"old-key\")]` on a renamed one.\n  \
             Or change the stored documents first, and then the lock: RILLFLOW_LOCK=confirm cargo test\n"
                .to_owned()
        }
    };
    format!("  {key} ({ty}) changed:\n{diff}{help}")
}

/// What to write for an event that changed.
fn upcaster(ty: &str, version: i32) -> String {
    let (next, function) = (version + 1, format!("{}_v{version}", snake(ty)));
    format!(
        "  Stored events have the old shape. Raise the version, keep the old payload, and say how one becomes the other:\n    \
         #[event(version = {next}, upcast({version} => {function}))]\n    \
         fn {function}(old: {ty}V{version}) -> {ty}\n  \
         If none was ever stored: RILLFLOW_LOCK=confirm cargo test\n"
    )
}

fn removed(key: &Key, stored: &[Stored]) -> String {
    let newest = stored.iter().find(|one| one.key.kind == key.kind && one.key.name == key.name);
    let help = match (key.kind, newest) {
        (Kind::Event, Some(newest)) => format!(
            "  Its version went back to {}: what is stored at version {} cannot be read\n",
            newest.key.version, key.version
        ),
        (Kind::Event, None) => format!(
            "  Stored events of this name cannot be read any more: keep its variant, \
             or write `was = {:?}` on the one that took its place\n",
            key.name
        ),
        _ => "  Nothing in the program reads it\n".to_owned(),
    };
    format!(
        "  {key} is in the lock, and gone from the program\n{help}  If nothing is stored: RILLFLOW_LOCK=confirm cargo test\n"
    )
}

/// `OrderPlaced` as `order_placed`.
fn snake(ty: &str) -> String {
    let mut snake = String::new();
    for (at, letter) in ty.char_indices() {
        if at > 0 && letter.is_uppercase() {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}
