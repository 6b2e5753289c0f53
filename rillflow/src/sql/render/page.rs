//! Pages: after a cursor, and by number.
//!
//! A page's parameters are numbered before those of its filter: the size, then the cursor or the page's number.

use super::writer::Writer;
use crate::model::SqlType;
use crate::model::query::paging::{PageKey, fingerprint, key_at, number_of_keys};
use crate::model::query::tree::{Deleted, Node, Operand, Rows, Statement};

impl<const N: usize> Writer<N> {
    /// Rows with their cursor and the size of the page; one row more than asked for says that there is a next page.
    pub(super) const fn page(&mut self, statement: &Statement, after: Option<Operand>) {
        let size = match statement.limit {
            Some(size) => self.claim(size),
            None => panic!("a page has a size"),
        };
        let after = match after {
            Some(after) => Some(self.claim(after)),
            None => None,
        };
        self.put("SELECT ");
        self.output(statement);
        self.put(", jsonb_build_array(");
        self.number(fingerprint(statement) as u64);
        let mut i = 0;
        while i < number_of_keys(statement) {
            self.put(", ");
            self.key(key_at(statement, i));
            i += 1;
        }
        self.put("), ");
        self.at_least_one(size);
        self.table_and_filter(statement);
        if let Some(after) = after {
            self.put(if is_unfiltered(statement) { " WHERE " } else { " AND " });
            self.after_cursor(statement, after);
        }
        self.put(" ORDER BY ");
        self.sort_keys(statement.order);
        if number_of_keys(statement) > statement.order.len() {
            self.separator(statement.order.len());
            self.put("id");
            self.put(if key_at(statement, statement.order.len()).descending { " DESC" } else { "" });
        }
        self.put(" LIMIT ");
        self.at_least_one(size);
        self.put(" + 1");
    }

    /// One row: the page as an array, and how many rows there are on all pages.
    pub(super) const fn numbered_page(&mut self, statement: &Statement, number: Operand) {
        let size = match statement.limit {
            Some(size) => self.claim(size),
            None => panic!("a page has a size"),
        };
        let number = self.claim(number);
        let parameters = self.parameters();
        self.put("SELECT coalesce(jsonb_agg(page.item), '[]'::jsonb), (SELECT count(*)");
        if let Rows::Each = statement.rows {
            self.table_and_filter(statement);
        } else {
            self.put(" FROM (SELECT ");
            self.output(statement);
            self.found(statement);
            self.put(") of_all");
        }
        // the same condition again, so the same parameters
        self.rewind(parameters);
        self.put(") FROM (SELECT ");
        self.output(statement);
        self.put(" AS item");
        self.found(statement);
        if !statement.order.is_empty() {
            self.put(" ORDER BY ");
            self.sort_keys(statement.order);
        }
        self.put(" LIMIT ");
        self.at_least_one(size);
        self.put(" OFFSET (");
        self.at_least_one(number);
        self.put(" - 1) * ");
        self.at_least_one(size);
        self.put(") page");
    }

    const fn at_least_one(&mut self, number: Operand) {
        self.put("greatest(");
        self.operand(number);
        self.put(if let Operand::Inline(_) = number { "::bigint, 1)" } else { ", 1)" });
    }

    const fn key(&mut self, key: PageKey) {
        match key.path {
            Some(path) => self.scalar(path),
            None => self.put("id"),
        }
    }

    /// The value of the key number `i` at the cursor.
    const fn at_cursor(&mut self, key: PageKey, cursor: Operand, i: usize) {
        self.put("(");
        self.operand(cursor);
        self.put("->>");
        self.number(i as u64 + 1);
        self.put(")");
        if !matches!(key.sql_type, SqlType::Text) {
            self.put("::");
            self.put(key.sql_type.name());
        }
    }

    const fn after_cursor(&mut self, statement: &Statement, cursor: Operand) {
        if is_row_comparison(statement) {
            return self.row_after(statement, cursor);
        }
        let first = key_at(statement, 0);
        if !first.nullable {
            // says the same as the alternatives, in a form that an index can begin at
            self.key(first);
            self.put(if first.descending { " <= " } else { " >= " });
            self.at_cursor(first, cursor, 0);
            self.put(" AND ");
        }
        self.put("(");
        let mut last = 0;
        while last < number_of_keys(statement) {
            self.put(if last > 0 { " OR " } else { "" });
            let mut i = 0;
            while i < last {
                self.same_as_cursor(key_at(statement, i), cursor, i);
                self.put(" AND ");
                i += 1;
            }
            self.behind_cursor(key_at(statement, last), cursor, last);
            last += 1;
        }
        self.put(")");
    }

    /// `(a, b, id) > (..)`
    const fn row_after(&mut self, statement: &Statement, cursor: Operand) {
        self.put("(");
        let mut i = 0;
        while i < number_of_keys(statement) {
            self.separator(i);
            self.key(key_at(statement, i));
            i += 1;
        }
        self.put(if key_at(statement, 0).descending { ") < (" } else { ") > (" });
        let mut i = 0;
        while i < number_of_keys(statement) {
            self.separator(i);
            self.at_cursor(key_at(statement, i), cursor, i);
            i += 1;
        }
        self.put(")");
    }

    const fn same_as_cursor(&mut self, key: PageKey, cursor: Operand, i: usize) {
        self.key(key);
        self.put(if key.nullable { " IS NOT DISTINCT FROM " } else { " = " });
        self.at_cursor(key, cursor, i);
    }

    const fn behind_cursor(&mut self, key: PageKey, cursor: Operand, i: usize) {
        self.put(if key.nullable { "(" } else { "" });
        self.key(key);
        self.put(if key.descending { " < " } else { " > " });
        self.at_cursor(key, cursor, i);
        if key.nullable {
            let (of_key, of_cursor) =
                if key.nulls_first { (" IS NOT NULL", " IS NULL") } else { (" IS NULL", " IS NOT NULL") };
            self.put(" OR (");
            self.key(key);
            self.put(of_key);
            self.put(" AND ");
            self.at_cursor(key, cursor, i);
            self.put(of_cursor);
            self.put("))");
        }
    }
}

/// True when the statement has no WHERE of its own.
const fn is_unfiltered(statement: &Statement) -> bool {
    matches!(statement.filter, Node::Everything) && matches!(statement.deleted, Deleted::Included)
}

/// True when all keys go in one direction and none may be NULL, which compares with nothing.
const fn is_row_comparison(statement: &Statement) -> bool {
    let mut i = 0;
    while i < number_of_keys(statement) {
        let key = key_at(statement, i);
        if key.nullable || key.descending != key_at(statement, 0).descending {
            return false;
        }
        i += 1;
    }
    true
}
