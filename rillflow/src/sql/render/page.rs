//! Pages: after a cursor, and by number.
//!
//! A page's parameters are numbered before those of its filter: the size, then the cursor or the page's number.

use super::writer::Writer;
use crate::model::SqlType;
use crate::model::query::paging::{KeyOf, PageKey, fingerprint, key_at, number_of_keys};
use crate::model::query::tree::{Deleted, Node, Operand, Output, PathInfo, Rows, Statement};

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
        let mut from = Repeated { output: self.parameters(), keys: 0 };
        self.search_ahead(statement);
        self.put("SELECT ");
        self.output(statement);
        self.put(", jsonb_build_array(");
        self.number(fingerprint(statement) as u64);
        from.keys = self.parameters();
        let mut i = 0;
        while i < number_of_keys(statement) {
            self.put(", ");
            self.key(statement, i, from);
            i += 1;
        }
        self.put("), ");
        self.at_least_one(size);
        self.found(statement);
        if let Some(after) = after {
            self.put(more_conditions(statement));
            self.after_cursor(statement, after, from);
        }
        self.put(" ORDER BY ");
        let mut i = 0;
        while i < number_of_keys(statement) {
            self.separator(i);
            self.key(statement, i, from);
            let key = key_at(statement, i);
            self.direction(key.descending, key.nullable, key.nulls_first);
            i += 1;
        }
        self.put(" LIMIT least(");
        self.at_least_one(size);
        self.put(", 9223372036854775806) + 1");
    }

    /// Looks for what the filter searches for: a key of the order may go by it, and stands before the filter.
    const fn search_ahead(&mut self, statement: &Statement) {
        let keys = number_of_keys(statement);
        let first = self.parameters() + output_parameters(statement.output) + parameters_before(statement, keys);
        let mut ahead = Writer::<0>::new();
        ahead.rewind(first);
        ahead.condition(statement.filter);
        if let Some((index, words)) = ahead.searched() {
            self.search_for(index, words);
        }
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
            self.rewind(parameters + output_parameters(statement.output));
            self.table_and_filter(statement);
        } else {
            self.put(" FROM (SELECT ");
            self.output(statement);
            self.found(statement);
            self.put(") of_all");
        }
        // the same rows again, so the same parameters
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
        // the product of two numbers of rows may be none
        self.put(" OFFSET least((");
        self.at_least_one(number);
        self.put(" - 1)::numeric * ");
        self.at_least_one(size);
        self.put(", 9223372036854775807)::bigint) page");
    }

    const fn at_least_one(&mut self, number: Operand) {
        self.put("greatest(");
        self.operand(number);
        self.put(if let Operand::Inline(_) = number { "::bigint, 1)" } else { ", 1)" });
    }

    /// The key number `i`, with the same parameters wherever it stands.
    const fn key(&mut self, statement: &Statement, i: usize, from: Repeated) {
        let here = self.parameters();
        match key_at(statement, i).of {
            KeyOf::Id => self.put("id"),
            KeyOf::Path(path) => {
                self.rewind(from.keys + parameters_before(statement, i));
                self.scalar(path);
            }
            KeyOf::Row => {
                self.rewind(from.output);
                self.output(statement);
            }
        }
        if self.parameters() < here {
            self.rewind(here);
        }
    }

    /// The value of the key number `i` at the cursor.
    const fn at_cursor(&mut self, key: PageKey, cursor: Operand, i: usize) {
        if let SqlType::Json = key.sql_type {
            self.put("NULLIF(");
            self.operand(cursor);
            self.put("->");
            self.number(i as u64 + 1);
            return self.put(", 'null')");
        }
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

    const fn after_cursor(&mut self, statement: &Statement, cursor: Operand, from: Repeated) {
        if is_row_comparison(statement) {
            return self.row_after(statement, cursor, from);
        }
        let first = key_at(statement, 0);
        if !first.nullable {
            // says the same as the alternatives, in a form that an index can begin at
            self.key(statement, 0, from);
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
                self.same_as_cursor(statement, i, cursor, from);
                self.put(" AND ");
                i += 1;
            }
            self.behind_cursor(statement, last, cursor, from);
            last += 1;
        }
        self.put(")");
    }

    /// `(a, b, id) > (..)`
    const fn row_after(&mut self, statement: &Statement, cursor: Operand, from: Repeated) {
        self.put("(");
        let mut i = 0;
        while i < number_of_keys(statement) {
            self.separator(i);
            self.key(statement, i, from);
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

    const fn same_as_cursor(&mut self, statement: &Statement, i: usize, cursor: Operand, from: Repeated) {
        let key = key_at(statement, i);
        self.key(statement, i, from);
        self.put(if key.nullable { " IS NOT DISTINCT FROM " } else { " = " });
        self.at_cursor(key, cursor, i);
    }

    const fn behind_cursor(&mut self, statement: &Statement, i: usize, cursor: Operand, from: Repeated) {
        let key = key_at(statement, i);
        self.put(if key.nullable { "(" } else { "" });
        self.key(statement, i, from);
        self.put(if key.descending { " < " } else { " > " });
        self.at_cursor(key, cursor, i);
        if key.nullable {
            let (of_key, of_cursor) =
                if key.nulls_first { (" IS NOT NULL", " IS NULL") } else { (" IS NULL", " IS NOT NULL") };
            self.put(" OR (");
            self.key(statement, i, from);
            self.put(of_key);
            self.put(" AND ");
            self.at_cursor(key, cursor, i);
            self.put(of_cursor);
            self.put("))");
        }
    }
}

/// From which parameters on a page names those of its output and of its order, each time it repeats them.
#[derive(Clone, Copy)]
struct Repeated {
    output: u64,
    keys: u64,
}

/// How many parameters the text of a path claims.
const fn parameters_in(path: &PathInfo) -> u64 {
    let own = matches!(path.computed_key, Some(Operand::Next(..))) as u64;
    match path.parent {
        Some(parent) => own + parameters_in(parent),
        None => own,
    }
}

const fn parameters_before(statement: &Statement, i: usize) -> u64 {
    let (mut number, mut at) = (0, 0);
    while at < i {
        if let KeyOf::Path(path) = key_at(statement, at).of {
            number += parameters_in(path);
        }
        at += 1;
    }
    number
}

const fn output_parameters(output: Output) -> u64 {
    let (mut number, mut i) = (0, 0);
    while let Some(path) = output.field(i) {
        number += parameters_in(path);
        i += 1;
    }
    number
}

/// What comes before one more condition on rows.
const fn more_conditions(statement: &Statement) -> &'static str {
    let unfiltered = matches!(statement.filter, Node::Everything) && matches!(statement.deleted, Deleted::Included);
    match statement.rows {
        Rows::Each if unfiltered => " WHERE ",
        Rows::Groups(_, Node::Everything) | Rows::Distinct => " HAVING ",
        Rows::Each | Rows::Groups(..) => " AND ",
    }
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
