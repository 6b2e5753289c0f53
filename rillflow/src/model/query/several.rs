//! Several queries that are sent together.

use super::{Query, Row};
use crate::Result;
use crate::model::SqlValue;

/// A tuple of one to eight queries, whose results are a tuple too: what [`Store::query_all`](crate::Store::query_all)
/// takes.
#[diagnostic::on_unimplemented(
    message = "these are not queries that can be sent together",
    label = "expected a tuple of one to eight queries"
)]
pub trait Queries<Outs> {
    /// Text and parameters of each.
    #[doc(hidden)]
    fn statements(&self) -> Result<Vec<(&'static str, Vec<SqlValue>)>>;
    /// Makes the results of the rows found by each.
    #[doc(hidden)]
    fn decode(&self, rows: &[Vec<Row<'_>>]) -> Result<Outs>;
}

macro_rules! tuples {
    ($([$($query:ident $out:ident $at:tt)*])*) => { $(
        impl<$($out, $query: Query<$out>),*> Queries<($($out,)*)> for ($($query,)*) {
            fn statements(&self) -> Result<Vec<(&'static str, Vec<SqlValue>)>> {
                $(self.$at.check()?;)*
                Ok(vec![$((self.$at.sql(), self.$at.binds())),*])
            }
            fn decode(&self, rows: &[Vec<Row<'_>>]) -> Result<($($out,)*)> {
                Ok(($(self.$at.decode(rows.get($at).map_or(&[], Vec::as_slice))?,)*))
            }
        }
    )* };
}
tuples!(
    [A OutA 0]
    [A OutA 0 B OutB 1]
    [A OutA 0 B OutB 1 C OutC 2]
    [A OutA 0 B OutB 1 C OutC 2 D OutD 3]
    [A OutA 0 B OutB 1 C OutC 2 D OutD 3 E OutE 4]
    [A OutA 0 B OutB 1 C OutC 2 D OutD 3 E OutE 4 F OutF 5]
    [A OutA 0 B OutB 1 C OutC 2 D OutD 3 E OutE 4 F OutF 5 G OutG 6]
    [A OutA 0 B OutB 1 C OutC 2 D OutD 3 E OutE 4 F OutF 5 G OutG 6 H OutH 7]
);
