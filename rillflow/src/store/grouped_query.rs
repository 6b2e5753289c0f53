//! Groups and distinct rows, together with the store that finds them.

use super::document_query::{DocumentQuery, SelectQuery};
use crate::model::Document;
use crate::model::query::{
    And, Condition, Distinct, Group, GroupBy, GroupRows, Grouped, OrderBy, Scope, Selected, Selection, Unordered,
};

impl<'s, D, C, S> DocumentQuery<'s, D, C, Unordered<D>, S>
where
    D: Document,
    C: Condition<Root = D>,
    S: Scope,
{
    /// Groups of the documents that have the same values in these fields. The closures behind it take the group beside
    /// the document's fields.
    ///
    /// ```no_run
    /// # use rillflow::{Document, Store};
    /// # use serde::{Deserialize, Serialize};
    /// # #[derive(Serialize, Deserialize, Document)]
    /// # struct Sale { #[document(id)] id: i64, city: String, paid: i64 }
    /// # async fn example(store: Store) -> rillflow::Result<()> {
    /// let sales: Vec<(String, i64, i64)> = store
    ///     .docs()
    ///     .query::<Sale>()
    ///     .group_by(|s| s.city)
    ///     .having(|_, g| g.count().gt(10))
    ///     .order_by(|s, g| g.sum(s.paid).desc())
    ///     .select(|s, g| (s.city, g.count(), g.sum(s.paid)))
    ///     .fetch_all()
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn group_by<K: GroupBy<Root = D>>(
        self,
        keys: impl FnOnce(D::Paths) -> K,
    ) -> SelectQuery<'s, Grouped<D, C, S, K>> {
        SelectQuery { core: self.core, query: self.find.group_by(keys) }
    }
}

impl<'s, D, C, S, K, H, O, const LIMIT: bool, const OFFSET: bool>
    SelectQuery<'s, Grouped<D, C, S, K, H, O, LIMIT, OFFSET>>
where
    D: Document,
    H: Condition<Root = D>,
{
    /// Only groups that fulfil the condition, and those before it.
    #[allow(clippy::type_complexity, reason = "the type is the query")]
    pub fn having<M: Condition<Root = D>>(
        self,
        condition: impl FnOnce(D::Paths, Group<D>) -> M,
    ) -> SelectQuery<'s, Grouped<D, C, S, K, And<H, M>, O, LIMIT, OFFSET>> {
        SelectQuery { core: self.core, query: self.query.having(condition) }
    }

    /// In this order, whatever order was asked for before.
    #[allow(clippy::type_complexity, reason = "the type is the query")]
    pub fn order_by<Z: OrderBy<Root = D>>(
        self,
        order: impl FnOnce(D::Paths, Group<D>) -> Z,
    ) -> SelectQuery<'s, Grouped<D, C, S, K, H, Z, LIMIT, OFFSET>> {
        SelectQuery { core: self.core, query: self.query.order_by(order) }
    }

    /// At most so many groups.
    pub fn limit(self, limit: i64) -> SelectQuery<'s, Grouped<D, C, S, K, H, O, true, OFFSET>> {
        SelectQuery { core: self.core, query: self.query.limit(limit) }
    }

    /// Passes over so many groups first.
    pub fn offset(self, offset: i64) -> SelectQuery<'s, Grouped<D, C, S, K, H, O, LIMIT, true>> {
        SelectQuery { core: self.core, query: self.query.offset(offset) }
    }

    /// What each group gives: keys, and what is made of the other fields.
    #[allow(clippy::type_complexity, reason = "the type is the query")]
    pub fn select<F: Selection<Root = D>>(
        self,
        selection: impl FnOnce(D::Paths, Group<D>) -> F,
    ) -> SelectQuery<'s, GroupRows<Grouped<D, C, S, K, H, O, LIMIT, OFFSET>, F>> {
        SelectQuery { core: self.core, query: self.query.select(selection) }
    }
}

impl<'s, F, S> SelectQuery<'s, Selected<F, S>> {
    /// Each row once, however many documents give it. It is sorted, if at all, by what was selected.
    pub fn distinct(self) -> SelectQuery<'s, Distinct<Selected<F, S>>> {
        SelectQuery { core: self.core, query: self.query.distinct() }
    }
}
