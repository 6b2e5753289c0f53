//! Documents of other collections that handlers look at.

use std::any::{Any, TypeId};
use std::collections::BTreeMap;
use std::marker::PhantomData;

use super::IntoKeys;
use crate::model::{Collection, Document, DocumentId, EventEnvelope, IdValue, SqlValue};
use crate::{Error, Result};

/// A document, read.
type Held = Box<dyn Any + Send + Sync>;

/// What one event asks for: per parameter which collection of the [`Lookups`], and which ids.
pub(super) type Asked = Vec<(usize, Vec<IdValue>)>;

/// Everything that a batch looks up, once per collection and id however many events ask for it.
#[doc(hidden)]
#[derive(Default)]
pub struct Lookups {
    collections: Vec<LookedUp>,
}

/// What is looked up in one collection.
struct LookedUp {
    document: TypeId,
    collection: &'static Collection,
    read: fn(&IdValue, &[u8]) -> Result<Held>,
    array: fn(Vec<IdValue>) -> SqlValue,
    /// `None` until it is read, and for what is not there.
    documents: BTreeMap<IdValue, Option<Held>>,
}

impl LookedUp {
    fn new<D: Document>() -> Self {
        Self {
            document: TypeId::of::<D>(),
            collection: D::COLLECTION,
            read: |id, json| {
                let what = || format!("{} {id}", D::COLLECTION.name);
                let document = serde_json::from_slice::<D>(json);
                Ok(Box::new(document.map_err(|source| Error::Decode { what: what(), source })?))
            },
            array: |ids| IdValue::array(D::Id::SQL_TYPE, ids.into_iter()),
            documents: BTreeMap::new(),
        }
    }
}

impl Lookups {
    /// The collections that are looked at.
    pub(super) fn collections(&self) -> Vec<&'static Collection> {
        self.collections.iter().map(|it| it.collection).collect()
    }

    /// The ids to read of each collection, as one array parameter.
    pub(super) fn ids(&self) -> Vec<(&'static Collection, SqlValue)> {
        let ids = |it: &LookedUp| (it.collection, (it.array)(it.documents.keys().cloned().collect()));
        self.collections.iter().map(ids).collect()
    }

    /// Takes in a document of the collection at `place`.
    pub(super) fn found(&mut self, place: usize, id: &IdValue, json: &[u8]) -> Result<()> {
        if let Some(looked_up) = self.collections.get_mut(place) {
            let document = (looked_up.read)(id, json)?;
            looked_up.documents.insert(id.clone(), Some(document));
        }
        Ok(())
    }

    fn place_of<D: Document>(&mut self) -> usize {
        let known = self.collections.iter().position(|it| it.document == TypeId::of::<D>());
        known.unwrap_or_else(|| {
            self.collections.push(LookedUp::new::<D>());
            self.collections.len() - 1
        })
    }
}

/// Where `#[projection]` says which documents a handler looks at: those of one event, or, without an event, of which
/// collections they are.
#[doc(hidden)]
pub struct Wanted<'w, E> {
    event: Option<(&'w E, &'w EventEnvelope)>,
    lookups: &'w mut Lookups,
    asked: Asked,
}

impl<'w, E> Wanted<'w, E> {
    /// What an event asks for.
    pub fn by(event: &'w E, at: &'w EventEnvelope, lookups: &'w mut Lookups) -> Self {
        Self { event: Some((event, at)), lookups, asked: Asked::new() }
    }

    /// What any event would ask for.
    pub fn by_any(lookups: &'w mut Lookups) -> Self {
        Self { event: None, lookups, asked: Asked::new() }
    }

    /// The next parameter is of this type.
    pub fn of<D: Document>(&mut self) -> WantedOf<'_, 'w, E, D::Id> {
        let place = self.lookups.place_of::<D>();
        WantedOf { wanted: self, place, ids: PhantomData }
    }

    /// What it came to.
    #[must_use]
    pub fn asked(self) -> Vec<(usize, Vec<IdValue>)> {
        self.asked
    }
}

/// One of the parameters.
#[doc(hidden)]
pub struct WantedOf<'o, 'w, E, I> {
    wanted: &'o mut Wanted<'w, E>,
    place: usize,
    ids: PhantomData<I>,
}

impl<E, I: DocumentId> WantedOf<'_, '_, E, I> {
    /// It takes one document, or nothing.
    pub fn one<K: OneKey<I>>(self, key: impl FnOnce(&E, &EventEnvelope) -> K) {
        self.many(key);
    }

    /// It takes those that there are.
    pub fn many<K: IntoKeys<I>>(self, keys: impl FnOnce(&E, &EventEnvelope) -> K) {
        let Wanted { event: Some((event, at)), lookups, asked } = self.wanted else { return };
        let mut ids = Vec::new();
        keys(event, at).push_keys(&mut |id| ids.push(id.id_value()));
        for id in &ids {
            lookups.collections[self.place].documents.entry(id.clone()).or_default();
        }
        asked.push((self.place, ids));
    }
}

/// The documents that an event asked for.
#[doc(hidden)]
#[derive(Clone, Copy)]
pub struct Found<'f> {
    pub(super) asked: &'f [(usize, Vec<IdValue>)],
    pub(super) lookups: &'f Lookups,
}

impl<'f> Found<'f> {
    /// The document of the parameter at `place`.
    #[must_use]
    pub fn one<D: 'static>(&self, place: usize) -> Option<&'f D> {
        self.each(place).next()
    }

    /// The documents of the parameter at `place`, in the order of their ids in the `#[lookup]` function.
    #[must_use]
    pub fn many<D: 'static>(&self, place: usize) -> Vec<&'f D> {
        self.each(place).collect()
    }

    fn each<D: 'static>(&self, place: usize) -> impl Iterator<Item = &'f D> {
        let lookups = self.lookups;
        self.asked.get(place).into_iter().flat_map(move |(collection, ids)| {
            let documents = &lookups.collections[*collection].documents;
            ids.iter().filter_map(|id| documents.get(id)?.as_ref()?.downcast_ref())
        })
    }
}

/// What a `#[lookup]` function may return for one document: its id, or an `Option` of it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not name one document with an id of type `{K}`",
    label = "expected `{K}` or `Option<{K}>`",
    note = "a handler that looks up several takes `Vec<&..>`, and the ids come as a `Vec`"
)]
#[doc(hidden)]
pub trait OneKey<K>: IntoKeys<K> {}

impl<K: DocumentId> OneKey<K> for K {}

impl<K> OneKey<K> for Option<K> {}
