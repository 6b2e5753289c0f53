//! A unit of work.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::PgConnection;

use crate::model::{
    Aggregate, AppendOptions, Collection, DocMetadata, Document, DocumentId, Event, Expected, IdValue, Message,
    StreamId, StreamKey, jsonb,
};
use crate::runtime::SharedCore;
use crate::runtime::marks::Marks;
use crate::runtime::session::{Committed, commit, commit_on};
use crate::storage::append::{Append, Outcome};
use crate::storage::documents::{self, In};
use crate::storage::outbox::Outgoing;
use crate::storage::session::{Change, Documents, Staged, Written};
use crate::{Error, Result};

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
    appends: BTreeMap<StreamId, Append>,
    messages: Vec<Outgoing>,
    /// By table, then by id: the order in which rows are locked.
    documents: BTreeMap<&'static str, Known>,
    /// What documents are stored with, where their collection has columns for it.
    metadata: Option<DocMetadata>,
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
        Self { core, appends: BTreeMap::new(), messages: Vec::new(), documents: BTreeMap::new(), metadata: None }
    }

    /// Stores this metadata with the documents of every commit from now on, where their collection has columns for it
    /// (`#[document(metadata)]`). Events have their own: see [`AppendOptions`](crate::AppendOptions).
    pub fn set_metadata(&mut self, metadata: DocMetadata) {
        self.metadata = Some(metadata);
    }

    /// The document as this session sees it: what it staged, or loaded before, or what is stored.
    ///
    /// # Errors
    ///
    /// [`Error::Decode`] when what is stored does not fit `D`.
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
    /// [`Error::Payload`] when PostgreSQL would not store it as it is, [`Error::Encode`] when it does not serialise,
    /// [`Error::IdNotSet`] when its id is still to be made: see [`reserve_ids`](crate::Docs::reserve_ids).
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
        let id = document.id().id_value();
        D::COLLECTION.check_id(&id)?;
        let json = jsonb::encode(document, || format!("{} {id}", D::COLLECTION.name))?;
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

    /// Stages events for a stream. More of them for the same stream follow the first, whose expectation counts.
    ///
    /// # Errors
    ///
    /// [`Error::Encode`] when a payload does not serialise; nothing of this call is staged then.
    pub fn append<E: Into<Event>>(
        &mut self,
        stream: impl StreamKey,
        expected: Expected,
        events: impl IntoIterator<Item = E>,
    ) -> Result<()> {
        self.append_as(stream.stream_id(), "", expected, events)
    }

    /// Stages events of an aggregate.
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
        self.append_as(stream.stream_id(), A::STREAM, expected, events)
    }

    fn append_as<E: Into<Event>>(
        &mut self,
        stream_id: StreamId,
        category: &str,
        expected: Expected,
        events: impl IntoIterator<Item = E>,
    ) -> Result<()> {
        let options = AppendOptions::default().expected(expected);
        let mut append = Append::new(stream_id, category, options, events.into_iter().map(Into::into))?;
        self.core.carry(&mut append);
        if append.events.is_empty() {
            return Ok(());
        }
        match self.appends.get_mut(&stream_id) {
            Some(first) => first.events.extend(append.events),
            None => drop(self.appends.insert(stream_id, append)),
        }
        Ok(())
    }

    /// Stages a message for other systems: it is there exactly when the rest of this session is.
    ///
    /// # Errors
    ///
    /// [`Error::Encode`] when the payload does not serialise.
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
        self.messages.push(Outgoing::new(message)?);
        Ok(())
    }

    /// Writes everything staged in one statement: all of it, or nothing.
    ///
    /// With inline projections it is one transaction of a few statements. Afterwards nothing is staged any more, and the
    /// session may go on.
    ///
    /// # Errors
    ///
    /// [`Error::VersionConflict`], [`Error::DocVersionConflict`], [`Error::AlreadyExists`], [`Error::UniqueViolation`]:
    /// nothing was written, and everything is still staged. [`Error::OutcomeUnknown`]: committing again cannot append
    /// twice, as the events keep their ids; it is [`Error::IdempotencyConflict`] when the first one went through.
    pub async fn commit(&mut self) -> Result<Committed> {
        let staged = self.staged();
        let written = commit(&self.core, &staged).await?;
        let documents = staged.documents;
        Ok(self.committed(written, documents))
    }

    /// As [`commit`](Self::commit), in the caller's own transaction: nothing is there before that commits.
    ///
    /// # Errors
    ///
    /// As [`commit`](Self::commit), but the server's refusal is passed on as it is: the transaction can only be rolled
    /// back.
    pub async fn commit_in_tx(&mut self, tx: &mut PgConnection) -> Result<Committed> {
        let staged = self.staged();
        let written = commit_on(tx, &self.core, &staged).await?;
        let documents = staged.documents;
        let committed = self.committed(written, documents);
        Marks::appended(&self.core, committed.position());
        Ok(committed)
    }

    fn staged(&self) -> Staged<'_> {
        let changes = |known: &Known| {
            let staged = known.entries.iter().filter_map(|(id, entry)| Some((id.clone(), entry.change.clone()?)));
            Documents { collection: known.collection, changes: staged.collect() }
        };
        let documents = self.documents.values().map(changes).filter(|it| !it.changes.is_empty()).collect();
        Staged {
            appends: self.appends.values().collect(),
            messages: &self.messages,
            documents,
            metadata: self.metadata.as_ref(),
        }
    }

    /// Takes note of what was written: the new versions are those that the session expects from now on.
    fn committed(&mut self, written: Written, documents: Vec<Documents>) -> Committed {
        self.appends.clear();
        self.messages.clear();
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

fn read<D: Document + DeserializeOwned>(id: &IdValue, json: &[u8]) -> Result<D> {
    serde_json::from_slice(json)
        .map_err(|source| Error::Decode { what: format!("{} {id}", D::COLLECTION.name), source })
}
