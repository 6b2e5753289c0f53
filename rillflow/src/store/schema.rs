//! The tables, functions and indexes that a store needs.

use std::sync::Arc;

use super::{Roles, Store};
use crate::Result;
use crate::model::{Collection, SchemaConfig, SchemaPlan};
use crate::runtime::sync::{self, SchemaChanges, SchemaProgress};
use crate::runtime::{inline, plan};
use crate::sql::wanted::{Extensions, Wanted};
use crate::sql::{SchemaName, Texts};

/// The schema of a store.
#[derive(Clone, Copy, Debug)]
pub struct Schema<'s> {
    store: &'s Store,
}

impl<'s> Schema<'s> {
    pub(super) fn new(store: &'s Store) -> Self {
        Self { store }
    }

    /// Makes what is missing, and mends what is other than this program wants it: the tables, functions and triggers of
    /// this version, and every registered collection with its indexes.
    ///
    /// Safe to call at every start, from any number of processes at once: one works, the others wait for it. When nothing
    /// changed since the last time, it is one statement. Indexes on collections that are there are built beside their
    /// traffic; whatever has to lock a table gives way to those who use it and tries again. A sync that breaks off is
    /// gone on with by the next one. Nothing is destroyed unless the config allows it.
    ///
    /// # Errors
    ///
    /// [`Error::Schema`](crate::Error::Schema) when a table of the same name is somebody else's, or when the sequence of
    /// positions could lose events; [`Error::SchemaStep`](crate::Error::SchemaStep) when a step fails.
    pub async fn sync(&self, config: &SchemaConfig) -> Result<SchemaChanges> {
        self.sync_with_progress(config, |_| {}).await
    }

    /// As [`sync`](Self::sync), telling of each step before it is taken. A schema that holds nothing yet is made in one.
    ///
    /// # Errors
    ///
    /// As [`sync`](Self::sync).
    pub async fn sync_with_progress(
        &self,
        config: &SchemaConfig,
        mut progress: impl FnMut(SchemaProgress<'_>) + Send,
    ) -> Result<SchemaChanges> {
        let (core, texts) = (&self.store.core, self.texts(config)?);
        let changes = sync::sync(core, &texts, self.wanted(), config, &mut progress).await?;
        if core.inline().next().is_some() {
            inline::register(&mut *core.pool.acquire().await?, core, &texts).await?;
        }
        Ok(changes)
    }

    /// What a [`sync`](Self::sync) would do, those destructive steps included that it takes only when it is allowed to.
    ///
    /// What this program wants is made in a transaction that is rolled back, in a schema that nobody sees, and compared
    /// with what there is: so a plan that is empty means that both are the same in PostgreSQL's own words. Locks nothing
    /// that others use. Things that others added under names of their own are not ours and are left out: on a collection's
    /// table, ours begin with the table's name.
    ///
    /// ```no_run
    /// # async fn example(store: rillflow::Store) -> rillflow::Result<()> {
    /// use rillflow::SchemaConfig;
    ///
    /// let plan = store.schema().plan(&SchemaConfig::single_tenant()).await?;
    /// println!("{plan}");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Schema`](crate::Error::Schema) when a table of the same name is somebody else's, or when this role may not
    /// create schemas and something changed since the last sync.
    pub async fn plan(&self, config: &SchemaConfig) -> Result<SchemaPlan> {
        plan::plan(&self.store.core, &*self.texts(config)?, self.wanted()).await
    }

    /// Changes nothing, and fails when a [`plan`](Self::plan) would not be empty: for a start that leaves the schema to
    /// somebody else, and for CI.
    ///
    /// # Errors
    ///
    /// [`Error::SchemaDiffers`](crate::Error::SchemaDiffers) with the plan,
    /// [`Error::ReadModelVersion`](crate::Error::ReadModelVersion) when the read model of an inline projection is of another
    /// version than this program's code, and as [`plan`](Self::plan).
    pub async fn assert(&self, config: &SchemaConfig) -> Result<()> {
        let (core, texts) = (&self.store.core, self.texts(config)?);
        plan::assert(core, &texts, self.wanted()).await?;
        let differing = inline::differing(&mut *core.pool.acquire().await?, core, &texts).await?;
        differing.into_iter().next().map_or(Ok(()), |(_, why)| Err(why))
    }

    /// The roles of owner, writer, reader and daemon, as `GRANT`s to print or to apply.
    #[must_use]
    pub fn roles(&self) -> Roles<'s> {
        Roles::new(self.store)
    }

    /// The schema as text, from the derives alone.
    #[must_use]
    pub fn texts_alone(&self) -> SchemaTexts {
        SchemaTexts::new(self.store.core.texts.schema().clone(), self.store.collections.clone())
    }

    fn wanted(&self) -> Wanted<'s> {
        Wanted { collections: &self.store.collections, tenant_column: self.store.core.texts.has_tenant_column() }
    }

    fn texts(&self, config: &SchemaConfig) -> Result<TextsOf<'s>> {
        match config.other_schema() {
            None => Ok(TextsOf::Store(&self.store.core.texts)),
            Some(other) => Ok(TextsOf::Other(self.store.core.texts.elsewhere(SchemaName::new(other)?))),
        }
    }
}

/// The texts of the store's own schema, or of another one.
enum TextsOf<'s> {
    Store(&'s Texts),
    Other(Texts),
}

impl std::ops::Deref for TextsOf<'_> {
    type Target = Texts;

    fn deref(&self) -> &Texts {
        match self {
            Self::Store(texts) => texts,
            Self::Other(texts) => texts,
        }
    }
}

/// The schema that a program wants, as text: no database is asked.
#[derive(Clone, Debug)]
pub struct SchemaTexts {
    schema: SchemaName,
    collections: Arc<[&'static Collection]>,
}

impl SchemaTexts {
    pub(super) fn new(schema: SchemaName, collections: Arc<[&'static Collection]>) -> Self {
        Self { schema, collections }
    }

    /// Everything, as a script that makes it from nothing: the migrations, then the collections.
    #[must_use]
    pub fn dump(&self) -> String {
        let steps = self.wanted().all_steps(&Texts::new(self.schema.clone()), &Extensions::new());
        let texts = steps
            .iter()
            .map(|step| format!("-- {}\n{};\n", step.description, step.sql().trim_end().trim_end_matches(';')));
        texts.collect::<Vec<_>>().join("\n")
    }

    /// The registered collections alone, as a migration to review and to keep beside the application's own. It may run
    /// more than once: what is there already stays as it is. For the way from one declaration to another, ask
    /// [`Schema::plan`].
    #[must_use]
    pub fn patch(&self) -> String {
        self.wanted().patch(&Texts::new(self.schema.clone()))
    }

    fn wanted(&self) -> Wanted<'_> {
        Wanted { collections: &self.collections, tenant_column: false }
    }
}
