//! Conditions that can be written as containment, which a GIN index serves.

use super::super::tree::{Node, Operand, Operator, PathInfo, Place};
use super::{is_nested, pins};
use crate::model::SqlType;

/// True for a value in a map, or below one.
pub(crate) const fn is_in_map(path: &PathInfo) -> bool {
    match path.parent {
        Some(parent) => matches!(path.place, Place::Entry) || is_in_map(parent),
        None => false,
    }
}

/// True for an equality with a value in a map, which can be written as containment.
pub(crate) const fn is_entry_equality(path: &PathInfo, operator: Operator, operand: Operand) -> bool {
    let with_value = matches!(operator, Operator::Equal) && !matches!(operand, Operand::Field(_));
    with_value && is_in_map(path) && keeps_its_json_form(path.sql_type)
}

/// True when SQL turns values of this type into the JSON that serde writes; for times and decimals it does not.
pub(crate) const fn keeps_its_json_form(sql_type: SqlType) -> bool {
    matches!(sql_type, SqlType::Text | SqlType::Int | SqlType::Float | SqlType::Bool | SqlType::Uuid | SqlType::Numeric)
}

/// True when a condition on an element can be written as containment: equalities of different keys of the element.
pub(crate) const fn is_containment(node: &Node) -> bool {
    match node {
        Node::And(a, b) => is_containment(a) && is_containment(b) && !share_a_key(a, b),
        Node::Compare(_, _, Operand::Field(_)) => false,
        Node::Compare(path, Operator::Equal, _) => {
            let has_fixed_key = path.parent.is_some() && path.computed_key.is_none();
            keeps_its_json_form(path.sql_type) && has_fixed_key && !is_nested(path)
        }
        _ => false,
    }
}

const fn share_a_key(a: &Node, b: &Node) -> bool {
    match a {
        Node::And(left, right) => share_a_key(left, b) || share_a_key(right, b),
        Node::Compare(path, ..) => pins(b, path),
        _ => false,
    }
}
