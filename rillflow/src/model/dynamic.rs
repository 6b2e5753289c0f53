//! Queries that are put together while the program runs.

use super::query::tree::Deleted;
use super::query::tree::IndexDefinition;
use super::{Collection, Document, Predicate, SortDirection};

/// A query as an object: its conditions and order are written once, and it is used by
/// [`Docs::execute_compiled`](crate::Docs::execute_compiled).
///
/// Without [`collection`](DocumentQueryContext::collection) it asks the schemaless documents.
///
/// ```
/// use rillflow::query::{CompiledQuery, DocumentQueryContext, Predicate, SortDirection};
///
/// struct VipCustomers;
///
/// impl CompiledQuery<serde_json::Value> for VipCustomers {
///     fn configure(&self, ctx: &mut DocumentQueryContext) {
///         ctx.filter(Predicate::eq("active", true))
///             .filter(Predicate::contains("tags", serde_json::json!(["vip"])))
///             .order_by("first_name", SortDirection::Asc)
///             .select_fields(&[("email", "email"), ("status", "active")]);
///     }
/// }
/// ```
pub trait CompiledQuery<R> {
    /// Writes the query down.
    fn configure(&self, ctx: &mut DocumentQueryContext);
}

/// What a dynamic query asks for.
#[derive(Clone, Debug)]
pub struct DocumentQueryContext {
    pub(crate) table: String,
    pub(crate) indexes: &'static [IndexDefinition],
    pub(crate) filters: Vec<Predicate>,
    pub(crate) order: Vec<(String, SortDirection)>,
    pub(crate) limit: Option<i64>,
    pub(crate) offset: Option<i64>,
    pub(crate) deleted: Deleted,
    pub(crate) output: Fields,
    /// The first mistake, which is told when the query is sent.
    pub(crate) mistake: Option<String>,
}

/// What each row holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fields {
    Document,
    One(String),
    /// Name in the result, path.
    Named(Vec<(String, String)>),
    Count,
}

impl DocumentQueryContext {
    pub(crate) fn new(table: impl Into<String>, indexes: &'static [IndexDefinition]) -> Self {
        Self {
            table: table.into(),
            indexes,
            filters: Vec::new(),
            order: Vec::new(),
            limit: None,
            offset: None,
            deleted: Deleted::Hidden,
            output: Fields::Document,
            mistake: None,
        }
    }

    /// Asks the schemaless documents.
    pub(crate) fn schemaless() -> Self {
        Self::new(Collection::SCHEMALESS.table, &[])
    }

    /// What people call the collection.
    pub(crate) fn name(&self) -> &str {
        let table = self.table.rsplit('.').next().unwrap_or(&self.table);
        table.strip_prefix("docs_").unwrap_or(table)
    }

    /// Asks a typed collection, whose declared indexes then serve the query.
    pub fn collection<D: Document>(&mut self) -> &mut Self {
        self.table = D::COLLECTION.table.to_owned();
        self.indexes = D::INDEXES;
        self
    }

    /// Only documents that fulfil the predicate, and those before it.
    pub fn filter(&mut self, predicate: Predicate) -> &mut Self {
        self.filters.push(predicate);
        self
    }

    /// As [`filter`](Self::filter), if `condition` holds.
    pub fn filter_if(&mut self, condition: bool, predicate: Predicate) -> &mut Self {
        if condition { self.filter(predicate) } else { self }
    }

    /// In this order, after the orders before it. Numbers are ordered as numbers.
    pub fn order_by(&mut self, path: impl Into<String>, direction: SortDirection) -> &mut Self {
        self.order.push((path.into(), direction));
        self
    }

    /// At most so many rows.
    pub fn limit(&mut self, limit: i64) -> &mut Self {
        self.limit = Some(limit);
        self.not_negative("a limit", limit)
    }

    /// Passes over so many rows first.
    pub fn offset(&mut self, offset: i64) -> &mut Self {
        self.offset = Some(offset);
        self.not_negative("an offset", offset)
    }

    /// The page `number`, counted from 1, of `size` rows each.
    pub fn page(&mut self, number: u32, size: u32) -> &mut Self {
        if number == 0 {
            self.mistaken("pages are counted from 1");
        }
        self.limit(size.into()).offset(i64::from(number.saturating_sub(1)).saturating_mul(size.into()))
    }

    /// Soft-deleted documents too.
    pub fn include_deleted(&mut self) -> &mut Self {
        self.deleted = Deleted::Included;
        self
    }

    /// Soft-deleted documents only.
    pub fn only_deleted(&mut self) -> &mut Self {
        self.deleted = Deleted::Only;
        self
    }

    /// Objects of some fields instead of documents: `(name in the result, path)`. What is missing is null.
    pub fn select_fields(&mut self, fields: &[(&str, &str)]) -> &mut Self {
        self.output = Fields::Named(fields.iter().map(|(name, path)| ((*name).into(), (*path).into())).collect());
        self
    }

    /// One value instead of each document.
    pub fn select_field(&mut self, path: impl Into<String>) -> &mut Self {
        self.output = Fields::One(path.into());
        self
    }

    fn not_negative(&mut self, what: &str, number: i64) -> &mut Self {
        if number < 0 {
            self.mistaken(&format!("{what} is not negative, as {number} is"));
        }
        self
    }

    fn mistaken(&mut self, mistake: &str) {
        self.mistake.get_or_insert_with(|| mistake.to_owned());
    }
}
