//! Who may do what in a store's schema.

use super::Store;
use crate::Result;
use crate::sql::roles::script;
use crate::storage::schema;

/// The four roles of a store, as `GRANT`s: to print and look at, or to apply.
///
/// | role | may |
/// |---|---|
/// | owner | change the schema: it owns every table and function |
/// | writer | append, write and delete documents, delete whole streams |
/// | reader | read |
/// | daemon | run async projections: write read models and checkpoints, but no events |
///
/// All four can start a program: whether the schema is as it should be needs no more than reading, once the owner's role
/// has synced it. Inline projections run as the writer. A daemon that builds a new version of a read model makes tables:
/// run that one as a member of the owner.
///
/// ```no_run
/// # async fn example(store: rillflow::Store) -> rillflow::Result<()> {
/// let roles = store.schema().roles().named("shop"); // shop_owner, shop_writer, shop_reader, shop_daemon
/// println!("{}", roles.sql());
/// roles.apply().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Roles<'s> {
    store: &'s Store,
    prefix: String,
}

impl<'s> Roles<'s> {
    pub(super) fn new(store: &'s Store) -> Self {
        Self { store, prefix: "rillflow".to_owned() }
    }

    /// Another beginning of the roles' names than `rillflow`. Roles belong to the whole server: give each store its own.
    #[must_use]
    pub fn named(mut self, prefix: &str) -> Self {
        prefix.clone_into(&mut self.prefix);
        self
    }

    /// The script. It may run again, and has to after a sync that made tables.
    #[must_use]
    pub fn sql(&self) -> String {
        let names = ["owner", "writer", "reader", "daemon"].map(|role| format!("{}_{role}", self.prefix));
        script(&self.store.core.texts, &names, &self.store.collections)
    }

    /// Makes the roles that are not there, and grants. In one transaction.
    ///
    /// # Errors
    ///
    /// [`Error::Database`](crate::Error::Database) when this connection may not make roles, or does not own what is to
    /// change hands; [`Error::Schema`](crate::Error::Schema) when the schema was not synced.
    pub async fn apply(&self) -> Result<()> {
        let mut conn = self.store.core.pool.acquire().await?;
        schema::run(&mut conn, &self.sql()).await
    }
}
