//! What a store wants its schema to be, and the steps that lead there.

/// Which schema is managed, and how far a sync may go. The default is [`single_tenant`](Self::single_tenant).
///
/// ```no_run
/// # async fn example(store: rillflow::Store) -> rillflow::Result<()> {
/// use rillflow::SchemaConfig;
///
/// store.schema().sync(&SchemaConfig::single_tenant()).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SchemaConfig {
    schema: Option<String>,
}

impl SchemaConfig {
    /// The one schema that the store lives in: `public`, or what `Store::builder(..).schema(..)` says.
    #[must_use]
    pub fn single_tenant() -> Self {
        Self::default()
    }

    /// Another schema than the store's own. Names are kept as they are written.
    #[must_use]
    pub fn schema(mut self, name: &str) -> Self {
        self.schema = Some(name.to_owned());
        self
    }

    /// The schema, when it is another than the store's own.
    pub(crate) fn other_schema(&self) -> Option<&str> {
        self.schema.as_deref()
    }
}
