//! A projection without its types, and the batch in which it folds events into documents.

use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use super::{AnyProjection, Changes, DocumentProjection, KeyOf, Lifecycle, ProjectionBatch, Route};
use crate::model::{Collection, Document, DocumentId, EventEnvelope, EventType, IdValue, SqlValue, jsonb};
use crate::{Error, Result};

/// Makes a [`DocumentProjection`] an [`AnyProjection`].
struct Erased<P>(PhantomData<fn() -> P>);

impl<P: DocumentProjection> AnyProjection for Erased<P> {
    fn name(&self) -> &'static str {
        P::NAME
    }
    fn version(&self) -> i32 {
        P::VERSION
    }
    fn types(&self) -> &'static [EventType] {
        P::TYPES
    }
    fn collection(&self) -> &'static Collection {
        P::Document::COLLECTION
    }
    fn batch(&self) -> Box<dyn ProjectionBatch> {
        Box::new(Batch::<P> {
            events: Vec::new(),
            slots: Vec::new(),
            index: HashMap::new(),
            touches: Vec::new(),
            folded: 0,
        })
    }
}

/// A projection the store knows, and when it runs.
#[doc(hidden)]
#[derive(Clone)]
pub struct Registered {
    /// The projection.
    pub projection: Arc<dyn AnyProjection>,
    /// When it runs.
    pub lifecycle: Lifecycle,
}

impl Registered {
    /// Erases `P`.
    #[must_use]
    pub fn new<P: DocumentProjection>(lifecycle: Lifecycle) -> Self {
        Self { projection: Arc::new(Erased::<P>(PhantomData)), lifecycle }
    }
}

impl fmt::Debug for Registered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} v{} ({:?})", self.projection.name(), self.projection.version(), self.lifecycle)
    }
}

/// A document that the batch touches.
struct Slot<P: DocumentProjection> {
    id: IdValue,
    version: i64,
    doc: P::Document,
}

struct Batch<P: DocumentProjection> {
    events: Vec<(P::Events, Arc<EventEnvelope>)>,
    slots: Vec<Slot<P>>,
    index: HashMap<IdValue, usize>,
    /// Which event changes which slot, in the order of the events.
    touches: Vec<(usize, usize)>,
    /// How many of them are done.
    folded: usize,
}

impl<P: DocumentProjection> Batch<P> {
    /// The slot of `key`; a new one holds the document as it is when nothing is stored.
    fn slot(slots: &mut Vec<Slot<P>>, index: &mut HashMap<IdValue, usize>, key: KeyOf<P>) -> usize {
        let id = key.id_value();
        *index.entry(id).or_insert_with_key(|id| {
            let mut doc = P::Document::default();
            doc.set_id(key);
            slots.push(Slot { id: id.clone(), version: 0, doc });
            slots.len() - 1
        })
    }
}

impl<P: DocumentProjection> ProjectionBatch for Batch<P> {
    fn push(&mut self, at: EventEnvelope) -> Result<()> {
        // the parts of a split event share its place, one after the other
        let at = Arc::new(at);
        for event in at.decode_each::<P::Events>()? {
            let number = self.events.len();
            event.keys(&at, &mut |key| {
                let slot = Self::slot(&mut self.slots, &mut self.index, key);
                self.touches.push((number, slot));
            });
            self.events.push((event, Arc::clone(&at)));
        }
        Ok(())
    }

    fn ids(&self) -> SqlValue {
        IdValue::array(<KeyOf<P> as DocumentId>::SQL_TYPE, self.slots.iter().map(|slot| slot.id.clone()))
    }

    fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    fn load(&mut self, id: &IdValue, version: i64, json: &[u8]) -> Result<()> {
        if let Some(slot) = self.index.get(id).and_then(|&at| self.slots.get_mut(at)) {
            slot.doc = serde_json::from_slice(json)
                .map_err(|source| Error::Decode { what: format!("{} {id}", P::Document::COLLECTION.name), source })?;
            slot.version = version;
        }
        Ok(())
    }

    fn next(&self) -> Option<i64> {
        self.touches.get(self.folded).map(|&(event, _)| self.events[event].1.global_seq)
    }

    fn fold_next(&mut self) -> Result<()> {
        let Some(&(event, slot)) = self.touches.get(self.folded) else { return Ok(()) };
        self.folded += 1;
        let (event, at) = &self.events[event];
        event.apply(&mut self.slots[slot].doc, at).map_err(|source| Error::Projection {
            name: P::NAME.to_owned(),
            position: at.global_seq,
            source,
        })
    }

    fn changes(&self) -> Result<Changes> {
        // in id order, so that writers of the same documents lock them in the same order
        let mut slots: Vec<_> = self.slots.iter().collect();
        slots.sort_by(|a, b| a.id.cmp(&b.id));
        let docs = slots.iter().map(|slot| encode::<P>(slot)).collect::<Result<_>>()?;
        Ok(Changes {
            ids: IdValue::array(<KeyOf<P> as DocumentId>::SQL_TYPE, slots.iter().map(|slot| slot.id.clone())),
            versions: slots.iter().map(|slot| slot.version).collect(),
            docs,
        })
    }
}

fn encode<P: DocumentProjection>(slot: &Slot<P>) -> Result<String> {
    jsonb::encode(&slot.doc, || format!("{} {}", P::Document::COLLECTION.name, slot.id))
}
