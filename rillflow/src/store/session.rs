//! A unit of work.

use std::collections::BTreeMap;

use serde::Serialize;
use sqlx::PgConnection;
use uuid::Uuid;

use super::docs::{decode, encode};
use crate::Result;
use crate::model::{
    Aggregate, AppendOptions, Collection, DocMetadata, Document, DocumentId, Event, Expected, IdValue, Message,
    StreamId, StreamKey,
};
use crate::runtime::SharedCore;
use crate::runtime::aggregates::{Loaded, Rules, load};
use crate::runtime::decide::DecideError;
use crate::runtime::session::{Committed, Staging, Validate, apply_staged, commit, commit_on, validate};
use crate::runtime::tagged::Observed;
use crate::storage::append::{Append, Outcome};
use crate::storage::documents::{self, In};
use crate::storage::outbox::Outgoing;
use crate::storage::session::{Change, Documents, Written};
use crate::storage::snapshots::Until;

/// Documents and events that are written together, or not at all.
///
/// Nothing reaches the database before [`commit`](Self::commit), which sends all of it in one statement: one round trip,
/// one transaction. A document that was loaded here is written back only if nobody else changed it meanwhile. When the
/// commit fails, everything staged is still there, to be changed and committed again.
///
/// ```no_run
/// # use rillflow::{Document, Event, Expected, Store};
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Serialize, Deserialize, Document)]
/// # struct Account { #[document(id)] id: uuid::Uuid, cents: i64 }
/// # async fn example(store: Store, id: uuid::Uuid) -> rillflow::Result<()> {
/// let mut session = store.session();
/// let mut account = session.load::<Account>(&id).await?.expect("an account");
/// account.cents -= 500;
/// session.store(&account)?;
/// session.append(id, Expected::Any, [Event::new("withdrawn", &500)])?;
/// let committed = session.commit().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Session {
    core: SharedCore,
    staging: Staging,
    /// What events and messages have when they do not say it themselves.
    defaults: AppendOptions,
    /// By table, then by id: the order in which rows are locked.
    documents: BTreeMap<&'static str, Known>,
}

/// What a session knows of one collection.
#[derive(Debug)]
struct Known {
    collection: &'static Collection,
    entries: BTreeMap<IdValue, Entry>,
}

/// What a session knows of one document.
#[derive(Debug, Default)]
struct Entry {
    /// The version found, 0 when it was not there; `None` when nobody looked.
    loaded: Option<i64>,
    /// What it is now, as far as this session is concerned.
    json: Option<String>,
    change: Option<Change>,
}

impl Session {
    pub(super) fn new(core: SharedCore) -> Self {
        Self { core, staging: Staging::default(), defaults: AppendOptions::default(), documents: BTreeMap::new() }
    }

    /// Stores this metadata with the documents of every commit from now on, where their collection has columns for it
    /// (`#[document(metadata)]`). Events have their own: see [`AppendOptions`](crate::AppendOptions).
    pub fn set_metadata(&mut self, metadata: DocMetadata) {
        self.staging.metadata = Some(metadata);
    }

    /// The document as this session sees it: what it staged, or loaded before, or what is stored.
    ///
    /// # Errors
    ///
    /// [`Error::Decode`](crate::Error::Decode) when what is stored does not fit `D`.
    pub async fn load<D: Document>(&mut self, id: &D::Id) -> Result<Option<D>> {
        let id = id.id_value();
        if let Some(entry) = self.entry(D::COLLECTION, &id).filter(|it| it.loaded.is_some() || it.change.is_some()) {
            return entry.json.as_deref().map(|json| read::<D>(&id, json.as_bytes())).transpose();
        }
        let mut conn = self.core.pool.acquire().await?;
        let at = In { texts: &self.core.texts, collection: D::COLLECTION, metadata: None };
        let found = documents::get(&mut conn, at, id.clone(), |json| {
            Ok((read::<D>(&id, json)?, String::from_utf8_lossy(json).into_owned()))
        })
        .await?;
        let entry = self.entry_mut(D::COLLECTION, id);
        match found {
            Some(((document, json), version)) => {
                (entry.loaded, entry.json) = (Some(version), Some(json));
                Ok(Some(document))
            }
            None => {
                entry.loaded = Some(0);
                Ok(None)
            }
        }
    }

    /// Stages a document. One that was loaded here must not have changed by the time of the commit; another is stored
    /// whatever is there.
    ///
    /// # Errors
    ///
    /// [`Error::Payload`](crate::Error::Payload) when PostgreSQL would not store it as it is,
    /// [`Error::Encode`](crate::Error::Encode) when it does not serialise, [`Error::IdNotSet`](crate::Error::IdNotSet)
    /// when its id is still to be made: see [`reserve_ids`](crate::Docs::reserve_ids).
    pub fn store<D: Document>(&mut self, document: &D) -> Result<()> {
        self.stage(document, None)
    }

    /// Stages a document that must not be there yet.
    ///
    /// # Errors
    ///
    /// As [`store`](Self::store).
    pub fn insert<D: Document>(&mut self, document: &D) -> Result<()> {
        self.stage(document, Some(0))
    }

    /// Stages a document over the one at version `expected`.
    ///
    /// # Errors
    ///
    /// As [`store`](Self::store).
    pub fn update<D: Document>(&mut self, document: &D, expected: i64) -> Result<()> {
        self.stage(document, Some(expected))
    }

    /// Stages the deletion of a document, whether it is there or not; softly, if that is how its collection deletes.
    pub fn delete<D: Document>(&mut self, id: &D::Id) {
        let entry = self.entry_mut(D::COLLECTION, id.id_value());
        let change = if D::COLLECTION.soft_delete { Change::MarkDeleted } else { Change::Remove };
        (entry.json, entry.change) = (None, Some(change));
    }

    fn stage<D: Document>(&mut self, document: &D, expected: Option<i64>) -> Result<()> {
        let (id, json) = encode(document)?;
        let entry = self.entry_mut(D::COLLECTION, id);
        // what an earlier call expected still counts: the last document wins, the first expectation stays
        let before = match &entry.change {
            Some(Change::Replace(_, expected)) => Some(*expected),
            _ => entry.loaded,
        };
        entry.json = Some(json.clone());
        entry.change = Some(match expected.or(before) {
            Some(expected) => Change::Replace(json, expected),
            None => Change::Put(json),
        });
        Ok(())
    }

    /// Headers for every event staged from here on that has none of its own.
    pub fn headers(&mut self, headers: serde_json::Value) {
        self.defaults.headers = Some(headers);
    }

    /// What caused the events and messages staged from here on, for those that do not say so themselves.
    pub fn causation_id(&mut self, id: Uuid) {
        self.defaults.causation_id = Some(id);
    }

    /// What the events and messages staged from here on belong to, for those that do not say so themselves.
    pub fn correlation_id(&mut self, id: Uuid) {
        self.defaults.correlation_id = Some(id);
    }

    /// Stages events for a stream. More of them for the same stream follow the first, whose expectation counts.
    ///
    /// # Errors
    ///
    /// [`Error::Encode`](crate::Error::Encode) when a payload does not serialise; nothing of this call is staged then.
    pub fn append<E: Into<Event>>(
        &mut self,
        stream: impl StreamKey,
        expected: Expected,
        events: impl IntoIterator<Item = E>,
    ) -> Result<()> {
        self.append_as(stream.stream_id(), "", expected, events, None)
    }

    /// Stages events of an aggregate. Its validator looks at what they lead to when the session commits.
    ///
    /// # Errors
    ///
    /// As [`append`](Self::append).
    pub fn append_to<A: Aggregate>(
        &mut self,
        stream: impl StreamKey,
        expected: Expected,
        events: impl IntoIterator<Item = A::Event>,
    ) -> Result<()> {
        self.append_as(stream.stream_id(), A::STREAM, expected, events, validate::<A>())
    }

    fn append_as<E: Into<Event>>(
        &mut self,
        stream_id: StreamId,
        category: &str,
        expected: Expected,
        events: impl IntoIterator<Item = E>,
        validate: Option<Validate>,
    ) -> Result<()> {
        let events = events.into_iter().map(Into::into);
        let mut append = Append::new(stream_id, category, expected, &self.defaults, events)?;
        self.core.carry(&mut append);
        if !append.events.is_empty() {
            self.staging.append(append, validate);
        }
        Ok(())
    }

    /// The aggregate as this session sees it: what is stored, and the events staged here.
    ///
    /// # Errors
    ///
    /// As [`Aggregates::load`](crate::Aggregates::load).
    pub async fn load_aggregate<A: Aggregate>(&self, stream: impl StreamKey) -> Result<Loaded<A>> {
        let stream_id = stream.stream_id();
        let mut loaded =
            load::<A>(&self.core, stream_id, self.core.snapshots.of::<A>().as_ref(), Until::Latest).await?;
        if let Some(staged) = self.staging.appends.get(&stream_id) {
            apply_staged(&mut loaded.state, &staged.append)?;
            loaded.version += staged.append.events.len() as i64;
        }
        Ok(loaded)
    }

    /// Loads an aggregate as this session sees it, asks `decision` which events to append, and stages them: the commit
    /// expects the version that was loaded. Returns the state they lead to.
    ///
    /// Nobody asks again by itself when somebody else appends before the commit: that fails with
    /// [`Error::VersionConflict`](crate::Error::VersionConflict), and a new session decides anew.
    ///
    /// ```no_run
    /// # use rillflow::{Aggregate, Event, handlers};
    /// # #[derive(serde::Serialize, serde::Deserialize)]
    /// # pub struct Inc;
    /// # #[derive(Event)]
    /// # pub enum CounterEvent { Inc(Inc) }
    /// # #[derive(Default, Aggregate)]
    /// # #[aggregate(events = CounterEvent)]
    /// # pub struct Counter { n: i64 }
    /// # #[handlers]
    /// # impl Counter { fn on_inc(&mut self, _: &Inc) { self.n += 1; } }
    /// # async fn example(store: rillflow::Store, id: uuid::Uuid) -> Result<(), Box<dyn std::error::Error>> {
    /// let mut session = store.session();
    /// let increment = |it: &Counter| if it.n < 9 { Ok(vec![CounterEvent::Inc(Inc)]) } else { Err("enough") };
    /// let counter = session.decide::<Counter, _>(id, increment).await?;
    /// session.publish("counters", id, &counter.n)?;
    /// session.commit().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`DecideError::Rejected`] with the application's own error; [`DecideError::Store`] when loading fails, and with
    /// [`Error::Invalid`](crate::Error::Invalid) when the aggregate's validator refuses the new state. Nothing is
    /// staged then.
    pub async fn decide<A: Aggregate, E>(
        &mut self,
        stream: impl StreamKey,
        decision: impl FnOnce(&A) -> Result<Vec<A::Event>, E>,
    ) -> Result<A, DecideError<E>> {
        let stream_id = stream.stream_id();
        let Loaded { mut state, version } = self.load_aggregate::<A>(stream_id).await?;
        let staged = self.staging.appends.get(&stream_id).map_or(0, |it| it.append.events.len() as i64);
        let events = decision(&state).map_err(DecideError::Rejected)?;
        events.iter().for_each(|event| state.apply(event));
        Rules::<A>::of(&self.core).check(stream_id, &state)?;
        self.append_to::<A>(stream_id, Expected::Exact(version - staged), events)?;
        Ok(state)
    }

    /// Makes the commit depend on what was [observed](crate::Tagged::load): it fails with
    /// [`Error::TagConflict`](crate::Error::TagConflict) when that is no longer all there is. The last one counts.
    pub fn require<A>(&mut self, observed: &Observed<A>) {
        self.staging.condition = Some(observed.condition.clone());
    }

    /// Stages a message for other systems: it is there exactly when the rest of this session is.
    ///
    /// # Errors
    ///
    /// [`Error::Encode`](crate::Error::Encode) when the payload does not serialise.
    pub fn publish(
        &mut self,
        topic: impl Into<String>,
        key: impl ToString,
        payload: &(impl Serialize + ?Sized),
    ) -> Result<()> {
        self.publish_message(Message::new(topic, key, payload))
    }

    /// As [`publish`](Self::publish), with headers and an id of its own.
    ///
    /// # Errors
    ///
    /// As [`publish`](Self::publish).
    pub fn publish_message(&mut self, message: Message) -> Result<()> {
        let message = self.defaults.complete_message(message);
        self.staging.messages.push(Outgoing::new(message)?);
        Ok(())
    }

    /// Writes everything staged in one statement: all of it, or nothing.
    ///
    /// With inline projections it is one transaction of a few statements. Afterwards nothing is staged any more, and the
    /// session may go on.
    ///
    /// # Errors
    ///
    /// [`Error::VersionConflict`](crate::Error::VersionConflict),
    /// [`Error::DocVersionConflict`](crate::Error::DocVersionConflict),
    /// [`Error::AlreadyExists`](crate::Error::AlreadyExists),
    /// [`Error::UniqueViolation`](crate::Error::UniqueViolation): nothing was written, and everything is still staged.
    /// [`Error::OutcomeUnknown`](crate::Error::OutcomeUnknown): committing again cannot append twice, as the events
    /// keep their ids; it is [`Error::IdempotencyConflict`](crate::Error::IdempotencyConflict) when the first one went
    /// through.
    pub async fn commit(&mut self) -> Result<Committed> {
        let documents = self.documents();
        let written = commit(&self.core, &mut self.staging, &documents).await?;
        Ok(self.committed(written, documents))
    }

    /// As [`commit`](Self::commit), in the caller's own transaction: nothing is there before that commits.
    ///
    /// From here on the session takes everything for written: when the transaction is rolled back, begin a new one.
    ///
    /// # Errors
    ///
    /// As [`commit`](Self::commit): nothing was written, everything is still staged, and the transaction may go on.
    /// After [`Error::Contention`](crate::Error::Contention), roll back and begin again.
    pub async fn commit_in_tx(&mut self, tx: &mut PgConnection) -> Result<Committed> {
        self.core.join(tx).await?;
        let documents = self.documents();
        let written = commit_on(tx, &self.core, &mut self.staging, &documents).await?;
        Ok(self.committed(written, documents))
    }

    /// What is staged of each collection.
    fn documents(&self) -> Vec<Documents> {
        let changes = |known: &Known| {
            let staged = known.entries.iter().filter_map(|(id, entry)| Some((id.clone(), entry.change.clone()?)));
            Documents { collection: known.collection, changes: staged.collect() }
        };
        self.documents.values().map(changes).filter(|it| !it.changes.is_empty()).collect()
    }

    /// Takes note of what was written: the new versions are those that the session expects from now on.
    fn committed(&mut self, written: Written, documents: Vec<Documents>) -> Committed {
        self.staging.clear();
        for (documents, versions) in documents.into_iter().zip(written.versions) {
            for (id, _) in documents.changes {
                let version = versions.get(&id.to_string()).copied().unwrap_or(0);
                let entry = self.entry_mut(documents.collection, id);
                (entry.loaded, entry.change) = (Some(version), None);
            }
        }
        let appended = |outcome| if let Outcome::Appended(appended) = outcome { Some(appended) } else { None };
        Committed { appended: written.appends.into_iter().filter_map(appended).collect() }
    }

    fn entry(&self, collection: &'static Collection, id: &IdValue) -> Option<&Entry> {
        self.documents.get(collection.table)?.entries.get(id)
    }

    fn entry_mut(&mut self, collection: &'static Collection, id: IdValue) -> &mut Entry {
        let known =
            self.documents.entry(collection.table).or_insert_with(|| Known { collection, entries: BTreeMap::new() });
        known.entries.entry(id).or_default()
    }
}

fn read<D: Document>(id: &IdValue, json: &[u8]) -> Result<D> {
    decode(json, || format!("{} {id}", D::COLLECTION.name))
}
