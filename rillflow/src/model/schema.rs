//! What a store wants its schema to be, and the steps that lead there.

use std::fmt;

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
    allow_destructive: bool,
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

    /// Whether a sync also takes the steps that destroy something; false by default. Look at the plan first.
    #[must_use]
    pub fn allow_destructive(mut self, allow: bool) -> Self {
        self.allow_destructive = allow;
        self
    }

    /// The schema, when it is another than the store's own.
    pub(crate) fn other_schema(&self) -> Option<&str> {
        self.schema.as_deref()
    }

    pub(crate) fn allows_destructive(&self) -> bool {
        self.allow_destructive
    }

    pub(crate) fn allows(&self, step: &SchemaStep) -> bool {
        self.allow_destructive || !step.destructive
    }
}

/// What has to be done until a schema is as the program wants it. Displayed, it is for people; [`sql`](Self::sql) runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SchemaPlan {
    /// The steps, in the order in which they have to be taken.
    pub steps: Vec<SchemaStep>,
    /// What a reader should know that is no step.
    pub warnings: Vec<String>,
}

impl SchemaPlan {
    /// True when there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// The steps that destroy something, which a sync leaves alone unless it is told otherwise.
    pub fn destructive(&self) -> impl Iterator<Item = &SchemaStep> {
        self.steps.iter().filter(|step| step.destructive)
    }

    /// The plan as a script for `psql`, with each step's lock in a comment.
    #[must_use]
    pub fn sql(&self) -> String {
        let mut script = String::new();
        for step in &self.steps {
            script.push_str(&format!("-- {}{}\n", step.headline(), step.note()));
            for statement in &step.statements {
                script.push_str(statement.trim_end().trim_end_matches(';'));
                script.push_str(";\n");
            }
            script.push('\n');
        }
        script
    }
}

impl fmt::Display for SchemaPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            writeln!(f, "The schema is as this program wants it.")?;
        }
        for (number, step) in self.steps.iter().enumerate() {
            writeln!(f, "{}. {step}", number + 1)?;
        }
        self.warnings.iter().try_for_each(|warning| writeln!(f, "note: {warning}"))
    }
}

/// One step of a plan: done wholly or not at all, except for indexes that are built beside the traffic.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SchemaStep {
    /// What it does, such as `index docs_customers_email_idx: create`.
    pub description: String,
    /// Its statements. Each is sent by itself; several commands in one are one transaction.
    pub statements: Vec<String>,
    /// The strongest lock that it takes on something that others use.
    pub lock: TableLock,
    /// The table that it locks.
    pub table: Option<String>,
    /// True when it takes something away that it cannot give back: data, or what other programs may rely on.
    pub destructive: bool,
}

impl SchemaStep {
    pub(crate) fn new(description: impl Into<String>, statements: Vec<String>) -> Self {
        Self { description: description.into(), statements, lock: TableLock::Nothing, table: None, destructive: false }
    }

    pub(crate) fn locking(mut self, lock: TableLock, table: &str) -> Self {
        self.lock = lock;
        self.table = Some(table.to_owned());
        self
    }

    pub(crate) fn destructive(mut self) -> Self {
        self.destructive = true;
        self
    }

    /// The statements as one text.
    #[must_use]
    pub fn sql(&self) -> String {
        self.statements.join(";\n")
    }

    fn headline(&self) -> String {
        format!("{}{}", self.description, if self.destructive { " (DESTRUCTIVE)" } else { "" })
    }

    fn note(&self) -> String {
        match &self.table {
            Some(table) if self.lock != TableLock::Nothing => format!("; locks {table}: {}", self.lock),
            _ => "; locks nothing that is in use".to_owned(),
        }
    }
}

impl fmt::Display for SchemaStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.headline(), self.note())?;
        for line in self.sql().lines() {
            write!(f, "\n       {line}")?;
        }
        Ok(())
    }
}

/// How a step keeps others out of a table meanwhile, from weak to strong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum TableLock {
    /// Only what the step itself makes.
    Nothing,
    /// SHARE UPDATE EXCLUSIVE: reads and writes go on, other changes of the table wait.
    ShareUpdateExclusive,
    /// SHARE ROW EXCLUSIVE: reads go on, writes wait.
    ShareRowExclusive,
    /// ACCESS EXCLUSIVE: reads and writes wait.
    AccessExclusive,
}

impl fmt::Display for TableLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "none",
            Self::ShareUpdateExclusive => "SHARE UPDATE EXCLUSIVE, reads and writes go on",
            Self::ShareRowExclusive => "SHARE ROW EXCLUSIVE, writes wait",
            Self::AccessExclusive => "ACCESS EXCLUSIVE, reads and writes wait",
        })
    }
}
