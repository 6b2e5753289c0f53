//! Whole queries.

use super::writer::Writer;
use crate::model::query::tree::{Node, Output, SortKey, Statement};

impl<const N: usize> Writer<N> {
    pub(super) const fn statement(&mut self, statement: &Statement) {
        self.output(statement.output);
        self.put(" FROM ");
        self.put(statement.table);
        self.put(" WHERE ");
        if !matches!(statement.filter, Node::Everything) {
            self.condition(statement.filter);
            self.put(" AND ");
        }
        self.put("deleted_at IS NULL");
        match statement.output {
            Output::Count => {}
            Output::Exists => self.put(")"),
            _ => self.order_and_range(statement),
        }
    }

    const fn output(&mut self, output: Output) {
        self.put("SELECT ");
        match output {
            Output::Document => self.put("doc"),
            Output::Value(path) => self.json(path),
            Output::Tuple(paths) => {
                self.put("jsonb_build_array(");
                let mut i = 0;
                while i < paths.len() {
                    self.separator(i);
                    self.json(paths[i]);
                    i += 1;
                }
                self.put(")");
            }
            Output::Object(fields) => {
                self.put("jsonb_build_object(");
                let mut i = 0;
                while i < fields.len() {
                    self.separator(i);
                    self.put(fields[i].0);
                    self.put(", ");
                    self.json(fields[i].1);
                    i += 1;
                }
                self.put(")");
            }
            Output::Count => self.put("count(*)"),
            Output::Exists => self.put("EXISTS (SELECT 1"),
        }
    }

    const fn separator(&mut self, i: usize) {
        if i > 0 {
            self.put(", ");
        }
    }

    const fn order_and_range(&mut self, statement: &Statement) {
        if !statement.order.is_empty() {
            self.put(" ORDER BY ");
            self.sort_keys(statement.order);
        }
        if let Some(limit) = statement.limit {
            self.put(" LIMIT ");
            self.operand(limit);
        } else if statement.one {
            self.put(" LIMIT 2");
        }
        if let Some(offset) = statement.offset {
            self.put(" OFFSET ");
            self.operand(offset);
        }
    }

    /// `a, b DESC`, in an order or an index.
    pub(super) const fn sort_keys(&mut self, keys: &[SortKey]) {
        let mut i = 0;
        while i < keys.len() {
            self.separator(i);
            self.scalar(keys[i].path);
            if keys[i].descending {
                self.put(" DESC");
            }
            i += 1;
        }
    }
}
