//! Whether every document that a query can find is in a partial index: what PostgreSQL proves of it, or less.
//!
//! A plan is kept for all values of a query's parameters, so only literals count, and conditions that hold whatever a
//! parameter is: a comparison says that there is a value. Literals have the same text in a query and in an index.

use super::coverage::same_path;
use super::text::str_eq;
use super::tree::{Deleted, IndexDefinition, Node, Operand, Operator, PathInfo, Statement};
use crate::model::SqlType;

/// What holds for the documents that a condition is asked of.
#[derive(Clone, Copy)]
pub(super) struct Known<'a> {
    condition: &'a Node,
    deleted: Deleted,
    /// What holds around: of an alternative, what is beside all alternatives.
    around: Option<&'a Self>,
}

impl<'a> Known<'a> {
    /// What a query says of the documents it finds.
    pub(super) const fn of(statement: &Statement) -> Self {
        Self { condition: statement.filter, deleted: statement.deleted, around: None }
    }

    /// What holds for documents that are not deleted and fulfil a condition.
    pub(super) const fn living(condition: &'a Node) -> Self {
        Self { condition, deleted: Deleted::Hidden, around: None }
    }

    /// Within one alternative.
    pub(super) const fn within(&'a self, alternative: &'a Node) -> Self {
        Self { condition: alternative, deleted: self.deleted, around: Some(self) }
    }

    /// True when all such documents are in the index.
    pub(super) const fn is_held_by(&self, index: &IndexDefinition) -> bool {
        (!index.not_deleted || matches!(self.deleted, Deleted::Hidden)) && self.implies(index.condition)
    }

    const fn implies(&self, wanted: &Node) -> bool {
        match wanted {
            Node::Everything => true,
            Node::And(a, b) => self.implies(a) && self.implies(b),
            Node::Or(a, b) if self.implies(a) || self.implies(b) => true,
            _ => self.says(wanted),
        }
    }

    const fn says(&self, wanted: &Node) -> bool {
        if implies(self.condition, wanted) {
            return true;
        }
        match self.around {
            Some(around) => around.says(wanted),
            None => false,
        }
    }
}

const fn implies(node: &Node, wanted: &Node) -> bool {
    match (node, wanted) {
        (_, Node::And(a, b)) => implies(node, a) && implies(node, b),
        (Node::And(a, b), _) => implies(a, wanted) || implies(b, wanted),
        (Node::Or(a, b), _) => implies(a, wanted) && implies(b, wanted),
        (Node::OneOf(path, Operand::InlineList(items)), _) => each_implies(path, items, wanted),
        (_, Node::Or(a, b)) => implies(node, a) || implies(node, b),
        (Node::Compare(path, operator, operand), Node::IsSome(other)) => {
            same_path(path, other) && needs_a_value(*operator, *operand)
        }
        (Node::OneOf(path, _), Node::IsSome(other)) => same_path(path, other),
        (
            Node::Compare(path, Operator::Equal, Operand::Inline(value)),
            Node::OneOf(other, Operand::InlineList(items)),
        ) => same_path(path, other) && is_among(value, items),
        (
            Node::Compare(path, operator, Operand::Inline(value)),
            Node::Compare(other, limit, Operand::Inline(bound)),
        ) => same_node(node, wanted) || same_path(path, other) && narrows(other, (*operator, value), (*limit, bound)),
        _ => same_node(node, wanted),
    }
}

/// True when being any one of these says what is wanted.
const fn each_implies(path: &'static PathInfo, items: &[&'static str], wanted: &Node) -> bool {
    let mut i = 0;
    while i < items.len() {
        if !implies(&Node::Compare(path, Operator::Equal, Operand::Inline(items[i])), wanted) {
            return false;
        }
        i += 1;
    }
    true
}

const fn is_among(value: &str, items: &[&str]) -> bool {
    let mut i = 0;
    while i < items.len() {
        if str_eq(items[i], value) {
            return true;
        }
        i += 1;
    }
    false
}

/// True for a comparison that nothing without a value fulfils.
const fn needs_a_value(operator: Operator, operand: Operand) -> bool {
    !matches!(operator, Operator::NotEqual) && !matches!(operand, Operand::Field(_))
}

/// True when a comparison with one literal leaves no value that one with another does.
const fn narrows(path: &PathInfo, (operator, value): (Operator, &str), (limit, bound): (Operator, &str)) -> bool {
    // of a field that may be missing, `!=` is `IS DISTINCT FROM`, of which PostgreSQL proves nothing
    if let (true, Operator::NotEqual) = (path.nullable, limit) {
        return false;
    }
    if let (SqlType::Text, Operator::Equal, Operator::NotEqual) = (path.sql_type, operator, limit) {
        return !str_eq(value, bound);
    }
    match (i64::from_str_radix(value, 10), i64::from_str_radix(bound, 10)) {
        (Ok(value), Ok(bound)) => narrows_number(operator, value, limit, bound),
        _ => false,
    }
}

const fn narrows_number(operator: Operator, value: i64, limit: Operator, bound: i64) -> bool {
    use Operator::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual, NotEqual};
    match (operator, limit) {
        (Equal, NotEqual) => value != bound,
        (Equal | LessOrEqual, Less) | (LessOrEqual, NotEqual) => value < bound,
        (Less, Less | NotEqual) | (Equal | Less | LessOrEqual, LessOrEqual) => value <= bound,
        (Equal | GreaterOrEqual, Greater) | (GreaterOrEqual, NotEqual) => value > bound,
        (Greater, Greater | NotEqual) | (Equal | Greater | GreaterOrEqual, GreaterOrEqual) => value >= bound,
        _ => false,
    }
}

/// True when a condition says, in its own words, all that the index's condition does: the index is over just these.
pub(super) const fn states(node: &Node, wanted: &Node) -> bool {
    match (node, wanted) {
        (_, Node::Everything) => false,
        (_, Node::And(a, b)) => states(node, a) && states(node, b),
        (Node::And(a, b), _) => states(a, wanted) || states(b, wanted),
        _ => same_node(node, wanted),
    }
}

/// True for conditions with the same text. Of those that an index cannot have, none is the same as another.
const fn same_node(a: &Node, b: &Node) -> bool {
    match (a, b) {
        (Node::And(a, b), Node::And(c, d)) | (Node::Or(a, b), Node::Or(c, d)) => same_node(a, c) && same_node(b, d),
        (Node::Not(a), Node::Not(b)) => same_node(a, b),
        (Node::Compare(a, operator, value), Node::Compare(b, other, bound)) => {
            *operator as u8 == *other as u8 && same_path(a, b) && same_operand(*value, *bound)
        }
        (Node::Length(a, operator, value), Node::Length(b, other, bound)) => {
            *operator as u8 == *other as u8 && same_path(a, b) && same_operand(*value, *bound)
        }
        (Node::OneOf(a, values), Node::OneOf(b, others)) => same_path(a, b) && same_operand(*values, *others),
        (Node::IsNull(a), Node::IsNull(b)) | (Node::IsSome(a), Node::IsSome(b)) => same_path(a, b),
        (Node::HasKey(a, key), Node::HasKey(b, other)) => same_path(a, b) && same_operand(*key, *other),
        _ => false,
    }
}

const fn same_operand(a: Operand, b: Operand) -> bool {
    match (a, b) {
        (Operand::Inline(a), Operand::Inline(b)) => str_eq(a, b),
        (Operand::InlineList(a), Operand::InlineList(b)) => same_list(a, b),
        (Operand::Field(a), Operand::Field(b)) => same_path(a, b),
        _ => false,
    }
}

const fn same_list(a: &[&str], b: &[&str]) -> bool {
    let mut i = 0;
    while i < a.len() {
        if i >= b.len() || !str_eq(a[i], b[i]) {
            return false;
        }
        i += 1;
    }
    a.len() == b.len()
}
