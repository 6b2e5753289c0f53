//! What lists and maps hold: containment in the whole document, which one GIN index serves, or a search in them.

use super::field::cast;
use super::writer::Writer;
use crate::model::SqlType;
use crate::model::query::tree::{Node, Operand, PathInfo, Place};
use crate::model::query::{is_containment, keeps_its_json_form};

impl<const N: usize> Writer<N> {
    /// One entry of a map: containment in the whole document when the value keeps its JSON form.
    pub(super) const fn has_entry(&mut self, path: &PathInfo, key: Operand, value: Operand, item: SqlType) {
        if keeps_its_json_form(item) {
            self.open_containment(path);
            self.put("jsonb_build_object(");
            self.operand(key);
            self.put(", ");
            self.operand(value);
            self.put(")");
            return self.close_containment(path);
        }
        let (before, after) = cast(item);
        self.put(before);
        self.json(path);
        self.put("->>");
        self.operand(key);
        self.put(after);
        self.put(" = ");
        self.operand(value);
    }

    /// Membership in a list: containment in the whole document, so that one GIN index serves every list.
    pub(super) const fn contains(&mut self, path: &PathInfo, operand: Operand, item: SqlType) {
        if !keeps_its_json_form(item) {
            return self.contains_by_search(path, operand, item);
        }
        self.open_containment(path);
        self.put("jsonb_build_array(");
        self.operand(operand);
        self.put(")");
        self.close_containment(path);
    }

    /// Membership of a value whose JSON SQL would write differently from serde: element by element.
    const fn contains_by_search(&mut self, path: &PathInfo, operand: Operand, item: SqlType) {
        self.open_search(path);
        let (before, after) = cast(item);
        self.put(before);
        self.element();
        self.put("#>>'{}'");
        self.put(after);
        self.put(" = ");
        self.operand(operand);
        self.close_search();
    }

    pub(super) const fn any(&mut self, path: &PathInfo, inner: &Node) {
        if is_containment(inner) {
            self.open_containment(path);
            self.put("jsonb_build_array(jsonb_build_object(");
            self.pairs(inner);
            self.put("))");
            self.close_containment(path);
        } else {
            self.open_search(path);
            self.condition(inner);
            self.close_search();
        }
    }

    /// `'key', value, ..` of a condition that is made of equalities.
    const fn pairs(&mut self, node: &Node) {
        match node {
            Node::And(a, b) => {
                self.pairs(a);
                self.put(", ");
                self.pairs(b);
            }
            Node::Compare(path, _, operand) => {
                self.json_key(path);
                self.put(", ");
                self.operand(*operand);
            }
            _ => panic!("only equalities are containment"),
        }
    }

    /// `doc @> jsonb_build_object('a', `
    pub(super) const fn open_containment(&mut self, path: &PathInfo) {
        match (path.parent, path.place) {
            (Some(parent), Place::Variant(_)) => self.open_containment(parent),
            (Some(parent), _) => {
                self.open_containment(parent);
                self.put("jsonb_build_object(");
                if let Place::Variant(tag) = parent.place {
                    self.put(tag);
                    self.put(", ");
                    self.put(parent.quoted_key);
                    self.put(", ");
                }
                self.json_key(path);
                self.put(", ");
            }
            (None, _) => {
                self.origin(path);
                self.put(" @> ");
            }
        }
    }

    pub(super) const fn close_containment(&mut self, path: &PathInfo) {
        if let Some(parent) = path.parent {
            if !matches!(path.place, Place::Variant(_)) {
                self.put(")");
            }
            self.close_containment(parent);
        }
    }

    /// `EXISTS (SELECT 1 FROM jsonb_array_elements(..) e1 WHERE `
    const fn open_search(&mut self, path: &PathInfo) {
        self.put("EXISTS (SELECT 1 FROM jsonb_array_elements(");
        self.json_or_null(path);
        self.put(") ");
        self.enter();
        self.put(" WHERE ");
    }

    const fn close_search(&mut self) {
        self.put(")");
        self.leave();
    }
}
