//! Whether an index delivers a query's order.

use super::super::implied::Known;
use super::super::tree::{IndexDefinition, IndexMethod, Node, Operand, Operator, Place, Rows, SortKey, Statement};
use super::refusal::uncovered_order;
use super::{is_id, pins, same_path};

/// Fails to compile when no index delivers the order.
#[doc(hidden)]
#[track_caller]
pub const fn check_order(query: &str, document: &str, statement: &Statement, indexes: &[IndexDefinition]) {
    if !order_covered(statement, indexes) {
        let key = &statement.order[0];
        let message = uncovered_order(query, document, key);
        panic!("{}", message.as_str());
    }
}

/// Fails to compile when the order goes by the rank in a search that is not there.
#[doc(hidden)]
#[track_caller]
pub const fn check_rank(filter: &Node, order: &[SortKey]) {
    let mut i = 0;
    while i < order.len() {
        assert!(
            !matches!(order[i].path.place, Place::Rank) || searches(filter),
            "an order by `rank()` goes by the words of a `search` in the filter, and there is none.\n  \
             help: add `.filter(|c| c.search(words))`, or sort by a field"
        );
        i += 1;
    }
}

const fn searches(node: &Node) -> bool {
    match node {
        Node::And(a, b) | Node::Or(a, b) => searches(a) || searches(b),
        Node::Not(inner) | Node::Optional(_, inner) => searches(inner),
        Node::Search(..) => true,
        _ => false,
    }
}

/// True when the condition leaves one value for the id.
const fn pins_the_id(node: &Node) -> bool {
    match node {
        Node::And(a, b) => pins_the_id(a) || pins_the_id(b),
        Node::Compare(_, _, Operand::Field(_)) => false,
        Node::Compare(path, Operator::Equal, _) => is_id(path),
        _ => false,
    }
}

pub(super) const fn order_covered(statement: &Statement, indexes: &[IndexDefinition]) -> bool {
    let order = statement.order;
    // groups and distinct rows are put in order after they were made
    if !matches!(statement.rows, Rows::Each)
        || order.is_empty()
        || is_id(order[0].path)
        || pins_the_id(statement.filter)
    {
        return true;
    }
    if let Place::Rank = order[0].path.place {
        return true; // it can only be computed
    }
    let known = Known::of(statement);
    let mut i = 0;
    while i < indexes.len() {
        if known.is_held_by(&indexes[i]) && delivers(&indexes[i], statement.filter, order) {
            return true;
        }
        i += 1;
    }
    false
}

/// True when reading this index gives the rows in order.
const fn delivers(index: &IndexDefinition, filter: &Node, order: &[SortKey]) -> bool {
    if !matches!(index.method, IndexMethod::BTree) {
        return false;
    }
    let mut pinned = 0;
    while pinned < index.keys.len() && pins(filter, index.keys[pinned].path) {
        pinned += 1;
    }
    if index.unique && pinned == index.keys.len() {
        return true;
    }
    let (mut i, mut at) = (0, pinned);
    let mut reversed = false;
    while i < order.len() {
        // what is the same everywhere needs no order
        if pins(filter, order[i].path) {
            i += 1;
            continue;
        }
        if i > 0 && is_id(order[i].path) {
            return true;
        }
        if at >= index.keys.len() || !same_path(index.keys[at].path, order[i].path) {
            return false;
        }
        let (key, wanted) = (&index.keys[at], &order[i]);
        if at == pinned {
            reversed = key.descending != wanted.descending;
        }
        if (key.descending != wanted.descending) != reversed {
            return false;
        }
        // read backwards, an index gives its nulls at the other end
        if wanted.path.nullable && (key.nulls_first != wanted.nulls_first) != reversed {
            return false;
        }
        (i, at) = (i + 1, at + 1);
    }
    true
}
