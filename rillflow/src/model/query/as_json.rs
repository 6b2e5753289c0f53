//! Results as the JSON that they are made of, unparsed: for handing on.

use super::paging::{Cursor, NumberedPage, Page, cut};
use super::row::{FromRow, Row};
use crate::{Error, Result};

/// A result that can be handed on as JSON without being parsed: what [`Store::query_json`](crate::Store::query_json)
/// takes. It has the form in which serde writes the result itself.
#[diagnostic::on_unimplemented(
    message = "a query for `{Self}` has no JSON of its own",
    label = "expected a query for rows, one row, a page, or a number"
)]
pub trait AsJson {
    /// Strings the rows' JSON together.
    #[doc(hidden)]
    fn as_json(query: &'static str, rows: &[Row<'_>]) -> Result<String>;
}

impl<T> AsJson for Vec<T> {
    fn as_json(_: &'static str, rows: &[Row<'_>]) -> Result<String> {
        array(rows)
    }
}

impl<T> AsJson for Option<T> {
    fn as_json(query: &'static str, rows: &[Row<'_>]) -> Result<String> {
        match rows {
            [] => Ok("null".to_owned()),
            [row] => row.json_text(0).map(str::to_owned),
            _ => Err(Error::NotUnique { query }),
        }
    }
}

impl<T> AsJson for Page<T> {
    fn as_json(_: &'static str, rows: &[Row<'_>]) -> Result<String> {
        let (rows, next) = cut(rows)?;
        // a cursor is letters, digits and two signs: no JSON needs to escape it
        let next = next.map_or_else(|| "null".to_owned(), |next: Cursor| format!("\"{next}\""));
        Ok(format!("{{\"items\":{},\"next\":{next}}}", array(rows)?))
    }
}

impl<T> AsJson for NumberedPage<T> {
    fn as_json(_: &'static str, rows: &[Row<'_>]) -> Result<String> {
        let (items, total) = match rows {
            [] => ("[]", 0),
            [row, ..] => (row.json_text(0)?, row.int(1)?),
        };
        Ok(format!("{{\"items\":{items},\"total\":{total}}}"))
    }
}

impl AsJson for i64 {
    fn as_json(query: &'static str, rows: &[Row<'_>]) -> Result<String> {
        Self::from_row(query, rows).map(|it| it.to_string())
    }
}

impl AsJson for bool {
    fn as_json(query: &'static str, rows: &[Row<'_>]) -> Result<String> {
        Self::from_row(query, rows).map(|it| it.to_string())
    }
}

fn array(rows: &[Row<'_>]) -> Result<String> {
    let mut json = String::from("[");
    for (i, row) in rows.iter().enumerate() {
        json.push_str(if i > 0 { "," } else { "" });
        json.push_str(row.json_text(0)?);
    }
    json.push(']');
    Ok(json)
}
