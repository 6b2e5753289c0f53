//! `rillflow.lock`: the shape of all that is stored, and samples of it, kept in the application's repository.

use std::any::type_name;
use std::path::{Path, PathBuf};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::model::{Aggregate, Document, Event, EventSet, Shape};

mod change;
mod file;
mod verdict;

use file::{Key, Kind, LockFile};
use verdict::{Mode, verdict};

/// Checks that what is stored can still be read: one line in one test of the application.
///
/// The file `rillflow.lock` beside the crate's `Cargo.toml` holds the shape of every event of every version, of every
/// document, and of every aggregate's snapshot, each with samples. Commit it. The assertion fails when a shape is
/// another than the locked one, and says what changed and which upcaster to write; and when a locked sample, of whatever
/// version, cannot be read any more. List everything that is stored: a crate has one assertion, or one per file.
///
/// ```no_run
/// # use rillflow::{Aggregate, Document, Event, handlers};
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Serialize, Deserialize)] pub struct Placed { total: i64 }
/// # #[derive(Event)] pub enum OrderEvent { Placed(Placed) }
/// # #[derive(Default, Serialize, Deserialize, Aggregate)] #[aggregate(events = OrderEvent)] pub struct Order { total: i64 }
/// # #[handlers(ignore(Placed))] impl Order {}
/// # #[derive(Serialize, Deserialize, Document)] pub struct Customer { #[document(id)] id: i64 }
/// #[test]
/// # fn hidden() {}
/// fn what_is_stored_can_be_read() {
///     rillflow::testing::assert_schema_lock!(events = [OrderEvent], aggregates = [Order], documents = [Customer]);
/// }
/// # what_is_stored_can_be_read();
/// ```
///
/// `RILLFLOW_LOCK=write cargo test` adds what is new: an event, a version, a key that may be missing. It never takes what
/// would make stored data unreadable. `RILLFLOW_LOCK=confirm cargo test` takes that as well: a removed event, or a change
/// of what was never stored.
///
/// Shapes and samples are found by reading made-up data as the type. Where that cannot work the assertion says so and
/// asks for a sample: what serde reads through a buffer (`flatten`, `untagged`, an enum with `tag`), and types that
/// refuse whatever is made up. Give fixed values of the type after its name, as many as show each form:
/// `events = [OrderEvent => [placed(7), shipped("1Z")]]`.
///
/// `lock = "path"`, before the others, names another file, relative to the crate.
#[doc(hidden)]
#[macro_export]
macro_rules! __assert_schema_lock {
    (lock = $path:expr, $($rest:tt)*) => {
        $crate::__assert_schema_lock!(@ $crate::testing::SchemaLock::at(::core::env!("CARGO_MANIFEST_DIR"), $path), $($rest)*)
    };
    (@ $lock:expr, $($kind:ident = [$($stored:ty $(=> [$($sample:expr),* $(,)?])?),* $(,)?]),* $(,)?) => {
        $lock$($(.$kind::<$stored>(::std::vec![$($($sample),*)?]))*)*.assert()
    };
    ($($rest:tt)*) => {
        $crate::__assert_schema_lock!(@ $crate::testing::SchemaLock::at(::core::env!("CARGO_MANIFEST_DIR"), "rillflow.lock"), $($rest)*)
    };
}

/// What [`assert_schema_lock!`](super::assert_schema_lock) checks: a lock file, and what the program stores.
#[derive(Debug)]
pub struct SchemaLock {
    path: PathBuf,
    stored: Vec<Stored>,
    readers: Vec<Reader>,
}

/// One thing that is stored, as the program has it.
#[derive(Debug)]
struct Stored {
    key: Key,
    /// Names it had before.
    was: Vec<&'static str>,
    /// Its Rust type.
    ty: String,
    shape: Shape,
    /// Samples that the application gave.
    given: Vec<String>,
}

/// Reads a sample; `None` when it is not for this reader.
type Reader = fn(&Key, &str) -> Option<Result<(), String>>;

impl SchemaLock {
    /// The file at `path`, relative to the folder `base`.
    #[must_use]
    pub fn at(base: impl AsRef<Path>, path: impl AsRef<Path>) -> Self {
        Self { path: base.as_ref().join(path), stored: Vec::new(), readers: Vec::new() }
    }

    /// The events of a set, with samples of some of them.
    ///
    /// # Panics
    ///
    /// When the set does not derive `Event`, or a sample does not serialise.
    #[must_use]
    #[track_caller]
    pub fn events<E: EventSet>(mut self, samples: Vec<E>) -> Self {
        let samples: Vec<Event> = samples.into_iter().map(Into::into).collect();
        let shapes = E::shapes();
        let set = type_name::<E>();
        assert!(
            !shapes.is_empty() || E::TYPES.is_empty(),
            "`{set}` does not say how it is stored: derive `Event` on it"
        );
        for event in shapes {
            let Some((current, was)) = event.types.split_first() else { continue };
            let given = samples.iter().filter(|sample| sample.name == current.name);
            let given = given.map(|sample| match &sample.body {
                Ok(body) => body.as_str().to_owned(),
                Err(error) => panic!("{error}"),
            });
            self.stored.push(Stored {
                key: Key { kind: Kind::Event, name: current.name.to_owned(), version: current.version },
                was: was.iter().map(|was| was.name).collect(),
                ty: short(event.payload),
                given: given.collect(),
                shape: event.shape,
            });
        }
        self.readers.push(|key, sample| match E::decode_each(&key.name, key.version, sample.as_bytes(), &mut drop) {
            _ if key.kind != Kind::Event => None,
            Ok(false) => None,
            Ok(true) => Some(Ok(())),
            Err(error) => Some(Err(error.to_string())),
        });
        self
    }

    /// The state of an aggregate, as snapshots keep it.
    ///
    /// # Panics
    ///
    /// When a sample does not serialise.
    #[must_use]
    #[track_caller]
    pub fn aggregates<A: Aggregate + Serialize + DeserializeOwned>(self, samples: Vec<A>) -> Self {
        let name = format!("{} ({})", A::STREAM, short(type_name::<A>()));
        self.values(Kind::Aggregate, name, &samples)
    }

    /// The documents of a collection.
    ///
    /// # Panics
    ///
    /// When a sample does not serialise.
    #[must_use]
    #[track_caller]
    pub fn documents<D: Document>(mut self, samples: Vec<D>) -> Self {
        self.readers.push(|key, sample| {
            let mine = key.kind == Kind::Document && key.name == D::COLLECTION.name;
            mine.then(|| serde_json::from_str::<D>(sample).map(drop).map_err(|error| error.to_string()))
        });
        self.values(Kind::Document, D::COLLECTION.name.to_owned(), &samples)
    }

    #[track_caller]
    fn values<T: Serialize + DeserializeOwned>(mut self, kind: Kind, name: String, samples: &[T]) -> Self {
        let text = |sample| match serde_json::to_string(sample) {
            Ok(text) => text,
            Err(error) => panic!("a sample of {} does not serialise: {error}", type_name::<T>()),
        };
        self.stored.push(Stored {
            key: Key { kind, name, version: 0 },
            was: Vec::new(),
            ty: short(type_name::<T>()),
            shape: Shape::of::<T>(),
            given: samples.iter().map(text).collect(),
        });
        self
    }

    /// Checks, or writes when `RILLFLOW_LOCK` says so.
    ///
    /// # Panics
    ///
    /// When something stored changed and the file does not say so; the message says what to do.
    #[track_caller]
    pub fn assert(self) {
        let mode = match std::env::var("RILLFLOW_LOCK").as_deref() {
            Err(_) | Ok("") => Mode::Check,
            Ok("write") => Mode::Write,
            Ok("confirm") => Mode::Confirm,
            Ok(other) => panic!("RILLFLOW_LOCK={other} is unknown: set it to `write` or `confirm`, or unset it"),
        };
        if let Err(message) = self.check(mode) {
            panic!("{message}");
        }
    }

    fn check(mut self, mode: Mode) -> Result<(), String> {
        let name = self.path.display();
        let text = match std::fs::read_to_string(&self.path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            read => read.map_err(|error| format!("cannot read {name}: {error}"))?,
        };
        let lock = LockFile::parse(&text).map_err(|(line, problem)| format!("{name}:{line}: {problem}"))?;
        self.stored.iter_mut().for_each(Stored::learn);
        let verdict = verdict(lock, &self.stored, &self.readers, mode);
        if mode != Mode::Check && verdict.lock.to_string() != text {
            std::fs::write(&self.path, verdict.lock.to_string())
                .map_err(|error| format!("cannot write {name}: {error}"))?;
        }
        match verdict.problems.as_slice() {
            [] => Ok(()),
            problems => Err(format!("what is stored is not as {name} has it\n\n{}", problems.join("\n"))),
        }
    }
}

impl Stored {
    /// Each name it is or was stored under.
    fn names(&self) -> impl Iterator<Item = &str> {
        [self.key.name.as_str()].into_iter().chain(self.was.iter().copied())
    }

    /// What the samples tell about the places that made-up data says nothing of.
    fn learn(&mut self) {
        let samples: Vec<Value> = self.given.iter().filter_map(|sample| serde_json::from_str(sample).ok()).collect();
        self.shape.learn(&samples);
    }

    /// Samples for the file: what the application gave, and what was made up.
    fn samples(&self) -> impl Iterator<Item = &String> {
        self.given.iter().chain(&self.shape.samples)
    }
}

/// The last name of a type's path.
fn short(ty: &str) -> String {
    let end = ty.find('<').unwrap_or(ty.len());
    ty[..end].rsplit("::").next().unwrap_or(ty).to_owned()
}

#[cfg(all(test, feature = "derive"))]
mod tests;
