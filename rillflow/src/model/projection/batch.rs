//! The batch in which a document projection folds events.

use std::collections::HashMap;
use std::marker::PhantomData;
use std::sync::Arc;

use uuid::Uuid;

use super::lookups::{Asked, Found, Lookups};
use super::{AnyProjection, Changes, DocumentOutcome, DocumentProjection, ProjectionBatch, Route};
use crate::model::{
    Aggregate, Collection, Document, DocumentId, EventEnvelope, EventSet, EventType, IdValue, SqlValue, jsonb,
};
use crate::{BoxError, Error, Result};

/// What a batch needs to know of a projection.
pub(super) trait Folding: 'static {
    type Event: EventSet;
    type Document: Document + Default;
    const NAME: &'static str;
    const TYPES: &'static [EventType];
    fn keys(event: &Self::Event, at: &EventEnvelope, push: &mut dyn FnMut(IdOf<Self>));
    fn lookups(event: &Self::Event, at: &EventEnvelope, lookups: &mut Lookups) -> Asked;
    fn all_lookups(lookups: &mut Lookups);
    fn apply(
        doc: &mut Self::Document,
        event: &Self::Event,
        at: &EventEnvelope,
        found: Found<'_>,
    ) -> Result<DocumentOutcome, BoxError>;
}

type IdOf<F> = <<F as Folding>::Document as Document>::Id;

/// What `#[projection]` declares.
pub(super) struct Typed<P>(PhantomData<fn() -> P>);

impl<P: DocumentProjection> Folding for Typed<P> {
    type Event = P::Events;
    type Document = P::Document;
    const NAME: &'static str = P::NAME;
    const TYPES: &'static [EventType] = P::TYPES;

    fn keys(event: &P::Events, at: &EventEnvelope, push: &mut dyn FnMut(IdOf<Self>)) {
        event.keys(at, push);
    }
    fn lookups(event: &P::Events, at: &EventEnvelope, lookups: &mut Lookups) -> Asked {
        event.lookups(at, lookups)
    }
    fn all_lookups(lookups: &mut Lookups) {
        P::Events::all_lookups(lookups);
    }
    fn apply(
        doc: &mut P::Document,
        event: &P::Events,
        at: &EventEnvelope,
        found: Found<'_>,
    ) -> Result<DocumentOutcome, BoxError> {
        event.apply(doc, at, found)
    }
}

/// The state of one stream, under the stream's id.
pub(super) struct Single<A>(PhantomData<fn() -> A>);

impl<A: Aggregate + Document> Folding for Single<A>
where
    A::Id: From<Uuid>,
{
    type Event = A::Event;
    type Document = A;
    const NAME: &'static str = A::STREAM;
    const TYPES: &'static [EventType] = A::Event::TYPES;

    fn keys(_: &A::Event, at: &EventEnvelope, push: &mut dyn FnMut(A::Id)) {
        push(at.stream_id.0.into());
    }
    fn lookups(_: &A::Event, _: &EventEnvelope, _: &mut Lookups) -> Asked {
        Asked::new()
    }
    fn all_lookups(_: &mut Lookups) {}
    fn apply(doc: &mut A, event: &A::Event, _: &EventEnvelope, _: Found<'_>) -> Result<DocumentOutcome, BoxError> {
        Aggregate::apply(doc, event);
        Ok(DocumentOutcome::Keep)
    }
}

/// Makes a [`Folding`] an [`AnyProjection`].
pub(super) struct Erased<F>(PhantomData<fn() -> F>);

impl<F: Folding> Erased<F> {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(PhantomData))
    }
}

impl<F: Folding> AnyProjection for Erased<F> {
    fn name(&self) -> &'static str {
        F::NAME
    }
    fn types(&self) -> &'static [EventType] {
        F::TYPES
    }
    fn collection(&self) -> &'static Collection {
        F::Document::COLLECTION
    }
    fn looks_up(&self) -> Vec<&'static Collection> {
        let mut lookups = Lookups::default();
        F::all_lookups(&mut lookups);
        lookups.collections()
    }
    fn batch(&self) -> Box<dyn ProjectionBatch> {
        Box::new(Batch::<F> {
            lookups: Lookups::default(),
            events: Vec::new(),
            slots: Vec::new(),
            index: HashMap::new(),
            touches: Vec::new(),
            folded: 0,
        })
    }
}

/// A document that the batch touches.
struct Slot<F: Folding> {
    key: IdOf<F>,
    id: IdValue,
    /// The version it was loaded at, 0 when nothing is stored.
    version: i64,
    doc: F::Document,
    deleted: bool,
}

/// An event, and what its handler looks at.
struct Pushed<E> {
    event: E,
    at: Arc<EventEnvelope>,
    asked: Asked,
}

struct Batch<F: Folding> {
    events: Vec<Pushed<F::Event>>,
    lookups: Lookups,
    slots: Vec<Slot<F>>,
    index: HashMap<IdValue, usize>,
    /// Which event changes which slot, in the order of the events.
    touches: Vec<(usize, usize)>,
    /// How many of them are done.
    folded: usize,
}

/// The document as it is when nothing is stored.
fn new_document<F: Folding>(key: IdOf<F>) -> F::Document {
    let mut doc = F::Document::default();
    doc.set_id(key);
    doc
}

impl<F: Folding> Batch<F> {
    /// The slot of `key`.
    fn slot(slots: &mut Vec<Slot<F>>, index: &mut HashMap<IdValue, usize>, key: IdOf<F>) -> usize {
        *index.entry(key.id_value()).or_insert_with_key(|id| {
            let doc = new_document::<F>(key.clone());
            slots.push(Slot { key, id: id.clone(), version: 0, doc, deleted: false });
            slots.len() - 1
        })
    }

    fn array<'s>(slots: impl Iterator<Item = &'s Slot<F>>) -> SqlValue {
        IdValue::array(IdOf::<F>::SQL_TYPE, slots.map(|slot| slot.id.clone()))
    }
}

impl<F: Folding> ProjectionBatch for Batch<F> {
    fn push(&mut self, at: Arc<EventEnvelope>) -> Result<()> {
        // the parts of a split event share its place, one after the other
        for event in at.decode_each::<F::Event>()? {
            let number = self.events.len();
            F::keys(&event, &at, &mut |key| {
                let slot = Self::slot(&mut self.slots, &mut self.index, key);
                self.touches.push((number, slot));
            });
            let asked = F::lookups(&event, &at, &mut self.lookups);
            self.events.push(Pushed { event, at: Arc::clone(&at), asked });
        }
        Ok(())
    }

    fn keys_of(&self, at: &EventEnvelope) -> Result<Vec<IdValue>> {
        let mut keys = Vec::new();
        for event in at.decode_each()? {
            F::keys(&event, at, &mut |key| keys.push(key.id_value()));
        }
        Ok(keys)
    }

    fn ids(&self) -> SqlValue {
        Self::array(self.slots.iter())
    }

    fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    fn load(&mut self, id: &IdValue, version: i64, json: &[u8]) -> Result<()> {
        if let Some(slot) = self.index.get(id).and_then(|&at| self.slots.get_mut(at)) {
            slot.doc = serde_json::from_slice(json)
                .map_err(|source| Error::Decode { what: format!("{} {id}", F::Document::COLLECTION.name), source })?;
            slot.version = version;
        }
        Ok(())
    }

    fn lookups(&self) -> Vec<(&'static Collection, SqlValue)> {
        self.lookups.ids()
    }

    fn found(&mut self, place: usize, id: &IdValue, json: &[u8]) -> Result<()> {
        self.lookups.found(place, id, json)
    }

    fn next(&self) -> Option<i64> {
        self.touches.get(self.folded).map(|&(event, _)| self.events[event].at.global_seq)
    }

    fn fold_next(&mut self) -> Result<()> {
        let Some(&(event, slot)) = self.touches.get(self.folded) else { return Ok(()) };
        self.folded += 1;
        let Pushed { event, at, asked } = &self.events[event];
        let slot = &mut self.slots[slot];
        let found = Found { asked, lookups: &self.lookups };
        let outcome = F::apply(&mut slot.doc, event, at, found).map_err(|source| Error::Projection {
            name: F::NAME.to_owned(),
            position: at.global_seq,
            source,
        })?;
        slot.deleted = outcome == DocumentOutcome::Delete;
        if slot.deleted {
            slot.doc = new_document::<F>(slot.key.clone());
        }
        Ok(())
    }

    fn changes(&self) -> Result<Changes> {
        // in id order, so that writers of the same documents lock them in the same order
        let mut slots: Vec<_> = self.slots.iter().collect();
        slots.sort_by(|a, b| a.id.cmp(&b.id));
        let (removed, kept): (Vec<_>, Vec<_>) = slots.into_iter().partition(|slot| slot.deleted);
        Ok(Changes {
            ids: Self::array(kept.iter().copied()),
            versions: kept.iter().map(|slot| slot.version).collect(),
            docs: kept.iter().map(|slot| encode::<F>(slot)).collect::<Result<_>>()?,
            removed: Self::array(removed.iter().copied()),
            removed_versions: removed.iter().map(|slot| slot.version).collect(),
        })
    }
}

fn encode<F: Folding>(slot: &Slot<F>) -> Result<String> {
    jsonb::encode(&slot.doc, || format!("{} {}", F::Document::COLLECTION.name, slot.id))
}
