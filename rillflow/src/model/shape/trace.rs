//! Reads made-up data as a type, in rounds, and writes down what serde asked for.
//!
//! A round reads one value. It goes through one variant of each enum; the others wait for rounds of their own. A value
//! that does not fit is replaced by the next candidate in the next round; when none fits, its field is read last from
//! then on, so that everything else is seen before the round ends there. At last, each field is left out once.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;

use serde::{Serialize, de::DeserializeOwned};

use super::made_up::At;
use super::{Place, Shape};

/// More rounds than any type needs that people can read.
const ROUNDS: usize = 20_000;

/// Which variant each enum takes.
pub(super) type Selection = BTreeMap<String, usize>;

/// Text that is none of the known forms.
pub(super) const OWN_FORM: &str = "text of its own form";

/// What the rounds have found, and where this one is.
#[derive(Default)]
pub(super) struct Trace {
    pub(super) places: BTreeMap<String, Place>,
    /// Each field, with the selection that leads to it.
    pub(super) fields: BTreeMap<String, Selection>,
    /// Selections that wait for their round.
    pub(super) waiting: VecDeque<Selection>,
    /// How many candidates did not fit.
    pub(super) tried: BTreeMap<String, usize>,
    /// Where no candidate fits.
    pub(super) stuck: BTreeSet<String>,
    /// Fields read first, and keys passed over: the name and the aliases of one field.
    pub(super) first: BTreeSet<String>,
    pub(super) aliases: BTreeSet<String>,

    pub(super) selection: Selection,
    /// Options, lists and maps that stay empty.
    pub(super) cut: BTreeSet<String>,
    /// The field that is left out, and whether its struct was reached.
    pub(super) omit: Option<String>,
    pub(super) omitted: bool,
    /// The key that was handed out last.
    pub(super) key: String,
    /// The options, lists and maps that are being read.
    pub(super) open: Vec<String>,
    /// The types that are being read.
    pub(super) active: Vec<&'static str>,
    pub(super) failed: Option<Failed>,
    /// This selection has shown something new.
    pub(super) fresh: bool,
}

/// Why a round ended early.
pub(super) enum Failed {
    /// The candidate does not fit.
    Candidate(String),
    /// Nothing fits here, or the type is inside of itself; the innermost option, list or map around it.
    DeadEnd(String, Option<String>),
}

impl Trace {
    /// Notes what stands at `path`; the first word stays.
    pub(super) fn note(&mut self, path: &str, kind: &str) {
        let place = self.places.entry(path.to_owned()).or_default();
        if place.kind.is_empty() {
            kind.clone_into(&mut place.kind);
            self.fresh = true;
        }
    }

    pub(super) fn dead_end(&mut self, path: &str) {
        self.failed = Some(Failed::DeadEnd(path.to_owned(), self.open.last().cloned()));
    }

    fn begin(&mut self, selection: Selection, omit: Option<String>) {
        (self.selection, self.omit) = (selection, omit);
        self.cut.clear();
        self.fresh = false;
    }

    fn begin_round(&mut self) {
        self.open.clear();
        self.active.clear();
        self.failed = None;
        self.omitted = false;
    }

    /// Learns from a failure. True when another round may come further.
    fn learn(&mut self, refusal: &Refusal) -> bool {
        match self.failed.take() {
            Some(Failed::Candidate(path)) => {
                *self.tried.entry(path).or_default() += 1;
                true
            }
            // once more, with the field at the end; then without what is around it
            Some(Failed::DeadEnd(path, around)) => {
                self.stuck.insert(path) || around.is_some_and(|around| self.cut.insert(around))
            }
            None => self.learn_alias(refusal),
        }
    }

    fn learn_alias(&mut self, refusal: &Refusal) -> bool {
        let Some(name) = refusal.duplicate else { return false };
        let key = self.key.clone();
        let of_struct = key.rsplit_once('.').map_or("", |(path, _)| path);
        let named = super::field(of_struct, name);
        if key == named {
            return self.first.insert(named);
        }
        self.fields.remove(&key);
        self.places.remove(&key);
        self.aliases.insert(key)
    }
}

/// The form of `T`.
pub(super) fn shape<T: Serialize + DeserializeOwned>() -> Shape {
    let trace = RefCell::new(Trace::default());
    let mut samples = Vec::new();
    let mut rounds = 0;
    trace.borrow_mut().waiting.push_back(Selection::new());
    loop {
        let Some(selection) = trace.borrow_mut().waiting.pop_front() else { break };
        trace.borrow_mut().begin(selection, None);
        let value = read::<T>(&trace, &mut rounds);
        if let (Ok(value), true) = (value, trace.borrow().fresh) {
            samples.extend(serde_json::to_string(&value));
        }
    }
    let fields = trace.borrow().fields.clone();
    for (path, selection) in fields {
        trace.borrow_mut().begin(selection, Some(path.clone()));
        let read = read::<T>(&trace, &mut rounds);
        let trace = &mut *trace.borrow_mut();
        if let (true, Some(place)) = (trace.omitted, trace.places.get_mut(&path)) {
            place.optional = match read {
                Ok(_) => true,
                // it ended at another field, which no value fits: an option is taken for what options are
                Err(refusal) => place.nullable && refusal.missing.is_none_or(|missing| !path.ends_with(missing)),
            };
        }
    }
    Shape { places: trace.into_inner().places, samples }
}

/// Reads one value, in as many rounds as that takes.
fn read<T: DeserializeOwned>(trace: &RefCell<Trace>, rounds: &mut usize) -> Result<T, Refusal> {
    loop {
        *rounds += 1;
        trace.borrow_mut().begin_round();
        match T::deserialize(At { trace, path: String::new() }) {
            Ok(value) => return Ok(value),
            Err(refusal) if *rounds > ROUNDS || !trace.borrow_mut().learn(&refusal) => return Err(refusal),
            Err(_) => {}
        }
    }
}

/// Made-up data does not fit.
#[derive(Debug, Default)]
pub(super) struct Refusal {
    duplicate: Option<&'static str>,
    missing: Option<&'static str>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("made-up data does not fit")
    }
}

impl std::error::Error for Refusal {}

impl serde::de::Error for Refusal {
    fn custom<M: fmt::Display>(_: M) -> Self {
        Self::default()
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self { duplicate: Some(field), missing: None }
    }

    fn missing_field(field: &'static str) -> Self {
        Self { duplicate: None, missing: Some(field) }
    }
}
