//! Whole queries.

use super::writer::Writer;
use crate::model::SqlType;
use crate::model::query::tree::{
    Aggregation, Deleted, Node, Output, PathInfo, Related, Rows, SortKey, Statement, Take,
};

impl<const N: usize> Writer<N> {
    pub(super) const fn statement(&mut self, statement: &Statement) {
        match statement.take {
            Take::Page(after) => return self.page(statement, after),
            Take::NumberedPage(number) => return self.numbered_page(statement, number),
            _ => {}
        }
        self.put("SELECT ");
        self.output(statement);
        self.found(statement);
        match statement.output {
            Output::Count | Output::OfAll(..) => {}
            Output::Exists => self.put(")"),
            _ => {
                self.order(statement.order);
                self.range(statement);
            }
        }
    }

    /// ` FROM table WHERE condition`, and what makes rows of the documents found.
    pub(super) const fn found(&mut self, statement: &Statement) {
        self.table_and_filter(statement);
        match statement.rows {
            Rows::Each => {}
            Rows::Distinct => self.distinct(statement.order),
            Rows::Groups(keys, having) => self.groups(keys, having),
        }
    }

    /// The row itself is the key, and with it what it is sorted by, which is part of it.
    const fn distinct(&mut self, order: &[SortKey]) {
        self.put(" GROUP BY 1");
        let mut i = 0;
        while i < order.len() {
            self.put(", ");
            self.scalar(order[i].path);
            i += 1;
        }
    }

    const fn groups(&mut self, keys: &[&PathInfo], having: &Node) {
        self.put(" GROUP BY ");
        let mut i = 0;
        while i < keys.len() {
            self.separator(i);
            self.scalar(keys[i]);
            i += 1;
        }
        if !matches!(having, Node::Everything) {
            self.put(" HAVING ");
            self.condition(having);
        }
    }

    /// ` FROM table WHERE condition`
    pub(super) const fn table_and_filter(&mut self, statement: &Statement) {
        self.put(" FROM ");
        self.put(statement.table);
        if !statement.related.is_empty() {
            self.put(" found");
        }
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

    pub(super) const fn output(&mut self, statement: &Statement) {
        let rows = statement.rows;
        match statement.output {
            Output::Document if !statement.related.is_empty() => self.with_related(statement.related),
            Output::Document => self.put("doc"),
            // a missing value and a null are the same row
            Output::Value(path) if matches!(rows, Rows::Distinct) => self.json_or_null(path),
            Output::Value(path) => self.selected(path, rows),
            Output::Tuple(paths) => {
                self.put("jsonb_build_array(");
                let mut i = 0;
                while i < paths.len() {
                    self.separator(i);
                    self.selected(paths[i], rows);
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
                    self.selected(fields[i].1, rows);
                    i += 1;
                }
                self.put(")");
            }
            Output::Count => self.put("count(*)"),
            Output::Exists => self.put("EXISTS (SELECT 1"),
            Output::OfAll(aggregation, path) => {
                self.put("to_jsonb(");
                self.aggregate(aggregation, Some(path));
                self.put(if let Aggregation::Avg = aggregation { ")" } else { as_json(path.sql_type) });
            }
        }
    }

    /// `[document, other, [others, ..], ..]`
    const fn with_related(&mut self, related: &[Related]) {
        self.put("jsonb_build_array(doc");
        let mut i = 0;
        while i < related.len() {
            self.put(", ");
            self.related(&related[i]);
            i += 1;
        }
        self.put(")");
    }

    const fn related(&mut self, related: &Related) {
        self.put(if related.many {
            "(SELECT coalesce(jsonb_agg(doc ORDER BY id), '[]'::jsonb)"
        } else {
            "(SELECT doc"
        });
        self.put(" FROM ");
        self.put(related.table);
        self.put(" WHERE ");
        if related.many {
            self.scalar(related.key);
            self.put(" = found.id");
        } else {
            self.put("id = ");
            self.look_outside(true);
            self.scalar(related.key);
            self.look_outside(false);
        }
        self.put(" AND deleted_at IS NULL)");
    }

    /// A field as JSON; of a group, the value that its documents share.
    const fn selected(&mut self, path: &PathInfo, rows: Rows) {
        if let Rows::Groups(..) = rows {
            self.put("to_jsonb(");
            self.scalar(path);
            self.put(as_json(path.sql_type));
        } else {
            self.json(path);
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
            self.direction(keys[i].descending, keys[i].path.nullable, keys[i].nulls_first);
            i += 1;
        }
    }

    pub(super) const fn direction(&mut self, descending: bool, nullable: bool, nulls_first: bool) {
        if descending {
            self.put(" DESC");
        }
        if nullable && nulls_first != descending {
            self.put(if nulls_first { " NULLS FIRST" } else { " NULLS LAST" });
        }
    }
}

/// Ends `to_jsonb(` as serde writes the value: a decimal is text, which keeps its digits.
const fn as_json(sql_type: SqlType) -> &'static str {
    if let SqlType::Decimal = sql_type { "::text)" } else { ")" }
}
