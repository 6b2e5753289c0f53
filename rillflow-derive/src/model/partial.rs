//! The condition of a partial index: a closure as `filter` takes it, of what PostgreSQL can keep in an index.

use proc_macro2::Ident;
use syn::Expr;
use syn::spanned::Spanned;

use super::columns::Closure;
use super::condition::{Condition, Scope};
use super::literal::Literal;
use crate::attrs::problems::Problems;

/// A checked condition.
pub(crate) struct Partial {
    pub(crate) closure: Closure,
    pub(crate) condition: Condition,
    pub(crate) literals: Vec<Literal>,
}

/// What is asked of lists, maps and texts as a whole: PostgreSQL's words for it may not stand in an index.
const UNSTABLE: &[&str] = &["contains", "has_entry", "search"];

/// Checks `|c| condition`.
pub(crate) fn check(expr: &Expr, problems: &mut Problems) -> Option<Partial> {
    let mut scope = Scope::new(Vec::new(), problems);
    let found = scope.closure(expr);
    let Scope { literals, computed, map_keys, .. } = scope;
    let (closure, condition) = found?;
    for key in &map_keys {
        problems.at(key.span(), "the condition of an index cannot look into a map: `has_key` can");
    }
    for value in computed.iter().filter(|_| map_keys.is_empty()) {
        problems.at(
            value.span(),
            "the condition of an index is fixed when it is built: compare with a literal, or a variant of an enum \
             (a name all in capitals is read as a constant)",
        );
    }
    refuse_unstable(&condition, problems);
    (computed.is_empty() && map_keys.is_empty()).then_some(Partial { closure, condition, literals })
}

fn refuse_unstable(condition: &Condition, problems: &mut Problems) {
    let mut refuse = |method: &Ident| {
        problems.at(
            method.span(),
            format!("`{method}` cannot be the condition of an index: look at single values, or at `len` and `has_key`"),
        );
    };
    match condition {
        Condition::All(members) | Condition::Either(members) => {
            members.iter().for_each(|(member, _)| refuse_unstable(member, problems));
        }
        Condition::Not(inner, _) | Condition::Given(_, _, inner) => refuse_unstable(inner, problems),
        Condition::Any(_, method, ..) => refuse(method),
        Condition::Test(_, method, _) if UNSTABLE.iter().any(|unstable| method == unstable) => refuse(method),
        Condition::Test(..) | Condition::Field(_) => {}
    }
}
