//! Whole queries.

use super::writer::Writer;
use crate::model::SqlType;
use crate::model::query::tree::{Aggregation, Deleted, Node, Output, SortKey, Statement, Take};

impl<const N: usize> Writer<N> {
    pub(super) const fn statement(&mut self, statement: &Statement) {
        match statement.take {
            Take::Page(after) => return self.page(statement, after),
            Take::NumberedPage(number) => return self.numbered_page(statement, number),
            _ => {}
        }
        self.put("SELECT ");
        self.output(statement.output);
        self.table_and_filter(statement);
        match statement.output {
            Output::Count | Output::OfAll(..) => {}
            Output::Exists => self.put(")"),
            _ => {
                self.order(statement.order);
                self.range(statement);
            }
        }
    }

    /// ` FROM table WHERE condition`
    pub(super) const fn table_and_filter(&mut self, statement: &Statement) {
        self.put(" FROM ");
        self.put(statement.table);
        let filtered = !matches!(statement.filter, Node::Everything);
        if filtered || !matches!(statement.deleted, Deleted::Included) {
            self.put(" WHERE ");
        }
        if filtered {
            self.condition(statement.filter);
            if !matches!(statement.deleted, Deleted::Included) {
                self.put(" AND ");
            }
        }
        self.put(match statement.deleted {
            Deleted::Hidden => "deleted_at IS NULL",
            Deleted::Included => "",
            Deleted::Only => "deleted_at IS NOT NULL",
        });
    }

    pub(super) const fn output(&mut self, output: Output) {
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
            Output::OfAll(aggregation, path) => {
                // a decimal is read as text, which keeps its digits
                let exact = matches!(path.sql_type, SqlType::Decimal) && !matches!(aggregation, Aggregation::Avg);
                let (before, after) = match aggregation {
                    Aggregation::Min => ("to_jsonb(min(", "))"),
                    Aggregation::Max => ("to_jsonb(max(", "))"),
                    Aggregation::Sum => ("to_jsonb(sum(", "))"),
                    Aggregation::Avg => ("to_jsonb(avg(", ")::float8)"),
                };
                self.put(before);
                self.scalar(path);
                self.put(if exact { ")::text)" } else { after });
            }
        }
    }

    pub(super) const fn separator(&mut self, i: usize) {
        if i > 0 {
            self.put(", ");
        }
    }

    const fn order(&mut self, order: &[SortKey]) {
        if !order.is_empty() {
            self.put(" ORDER BY ");
            self.sort_keys(order);
        }
    }

    const fn range(&mut self, statement: &Statement) {
        if let Some(limit) = statement.limit {
            self.put(" LIMIT ");
            self.operand(limit);
        } else if let Take::One = statement.take {
            self.put(" LIMIT 2");
        } else if let Take::First = statement.take {
            self.put(" LIMIT 1");
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
            if keys[i].path.nullable && keys[i].nulls_first != keys[i].descending {
                self.put(if keys[i].nulls_first { " NULLS FIRST" } else { " NULLS LAST" });
            }
            i += 1;
        }
    }
}
