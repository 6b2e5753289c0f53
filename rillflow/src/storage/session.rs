//! A session: everything it writes, in one statement.

use std::collections::HashMap;

use sqlx::{PgConnection, Row};

use super::append::{Append, Outcome, add_beside, append_arguments, outcome};
use super::ask::query_with;
use super::bind::add_all;
use super::failure::of_collection;
use super::outbox::Outgoing;
use crate::Result;
use crate::model::{Collection, DocMetadata, IdValue, SqlValue, TagCondition};
use crate::sql::{self, Texts};

/// What a session does to one document.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// Store it, whatever is there.
    Put(String),
    /// Store it over this version, 0 for none.
    Replace(String, i64),
    /// Remove it.
    Remove,
    /// Keep it, marked as deleted.
    MarkDeleted,
}

/// The changes of one collection, in the order of the ids.
#[derive(Debug)]
pub(crate) struct Documents {
    pub(crate) collection: &'static Collection,
    pub(crate) changes: Vec<(IdValue, Change)>,
}

/// Everything that a session writes.
#[derive(Debug)]
pub(crate) struct Staged<'s> {
    /// In the order of their streams, no stream twice.
    pub(crate) appends: Vec<&'s Append>,
    /// What must still hold.
    pub(crate) condition: Option<&'s TagCondition>,
    pub(crate) messages: &'s [Outgoing],
    /// By table.
    pub(crate) documents: &'s [Documents],
    /// What documents are stored with, where their collection has columns for it.
    pub(crate) metadata: Option<&'s DocMetadata>,
}

impl Staged<'_> {
    /// True when there is nothing to write.
    pub(crate) fn is_empty(&self) -> bool {
        self.appends.is_empty() && self.messages.is_empty() && self.documents.is_empty()
    }
}

/// What a session wrote.
#[derive(Debug)]
pub(crate) struct Written {
    /// An outcome for each append, in the order given.
    pub(crate) appends: Vec<Outcome>,
    /// For each collection, the new versions by id.
    pub(crate) versions: Vec<HashMap<String, i64>>,
}

/// Writes all of a session, or fails and writes nothing of it.
pub(crate) async fn commit(conn: &mut PgConnection, texts: &Texts, staged: &Staged<'_>) -> Result<Written> {
    let Staged { appends, condition, messages, documents, metadata } = staged;
    let collections: Vec<_> = documents.iter().map(|it| it.collection).collect();
    let mut arguments = append_arguments(appends, None)?;
    let with = add_beside(&mut arguments, appends, *condition, &messages.iter().collect::<Vec<_>>())?;
    for documents in *documents {
        add_all(&mut arguments, columns(documents))?;
        if documents.collection.metadata {
            add_all(&mut arguments, DocMetadata::values(*metadata))?;
        }
    }
    // audited: put together from our own files and validated names
    let text = texts.made(sql::session::session(texts, with, &collections));
    let rows = query_with(text, arguments).fetch_all(conn).await.map_err(|error| {
        // which collection a unique index belongs to is told by its name
        let of = |it: &&&'static Collection| super::failure::names_table(&error, it.table);
        match collections.iter().find(of).copied() {
            Some(collection) => of_collection(error, collection),
            None => error.into(),
        }
    })?;
    let mut written = Written { appends: Vec::new(), versions: vec![HashMap::new(); documents.len()] };
    for row in &rows {
        match row.try_get::<Option<i32>, _>(0)? {
            Some(0) => {
                let stream_id = appends[written.appends.len()].stream_id;
                written.appends.push(outcome(stream_id, row, 1)?);
            }
            Some(part) => {
                if let Some(versions) = usize::try_from(part - 1).ok().and_then(|it| written.versions.get_mut(it)) {
                    versions.insert(row.try_get(6)?, row.try_get(1)?);
                }
            }
            None => {} // nothing was written to tell of
        }
    }
    Ok(written)
}

/// The parameters of one collection.
fn columns(documents: &Documents) -> [SqlValue; 7] {
    let id_type = documents.collection.id_type;
    let ids = |wanted: fn(&Change) -> bool| {
        IdValue::array(id_type, documents.changes.iter().filter(|(_, change)| wanted(change)).map(|(id, _)| id.clone()))
    };
    let put =
        documents.changes.iter().filter_map(|(_, it)| if let Change::Put(doc) = it { Some(doc.clone()) } else { None });
    let replaced = || {
        documents
            .changes
            .iter()
            .filter_map(|(_, it)| if let Change::Replace(doc, at) = it { Some((doc.clone(), *at)) } else { None })
    };
    [
        ids(|it| matches!(it, Change::Put(_))),
        SqlValue::Texts(put.collect()),
        ids(|it| matches!(it, Change::Replace(..))),
        SqlValue::Texts(replaced().map(|it| it.0).collect()),
        SqlValue::Ints(replaced().map(|it| it.1).collect()),
        ids(|it| matches!(it, Change::Remove)),
        ids(|it| matches!(it, Change::MarkDeleted)),
    ]
}

/// The version of some documents by id, and whether they are marked as deleted; those that are not there are missing.
pub(crate) async fn versions(
    conn: &mut PgConnection,
    texts: &Texts,
    documents: &Documents,
) -> Result<HashMap<String, (i64, bool)>> {
    let ids = IdValue::array(documents.collection.id_type, documents.changes.iter().map(|(id, _)| id.clone()));
    let arguments = super::bind::arguments(vec![ids])?;
    let rows = query_with(texts.of(sql::DOCUMENT_VERSIONS, documents.collection), arguments).fetch_all(conn).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, (row.try_get(1)?, row.try_get(2)?)))).collect()
}
