//! `#[compiled_query(..)]`.

use proc_macro2::TokenStream;
use syn::meta::ParseNestedMeta;
use syn::parse::Parser;
use syn::spanned::Spanned;

use super::pass_over;
use super::problems::Problems;

/// What the author of a query accepts.
#[derive(Default)]
pub(crate) struct Allow {
    /// Reading every document.
    pub(crate) scan: bool,
    /// Sorting what was found.
    pub(crate) sort: bool,
}

/// Reads the attribute's arguments.
pub(crate) fn read(attr: TokenStream, problems: &mut Problems) -> Allow {
    let mut allow = Allow::default();
    let parser = syn::meta::parser(|meta| {
        if meta.path.is_ident("allow") {
            return meta.parse_nested_meta(|inner| allow.option(&inner, problems));
        }
        problems.at(meta.path.span(), "unknown option: expected `allow(scan)` or `allow(sort)`");
        pass_over(&meta)
    });
    let parsed = parser.parse2(attr);
    problems.ok(parsed);
    allow
}

impl Allow {
    fn option(&mut self, meta: &ParseNestedMeta<'_>, problems: &mut Problems) -> syn::Result<()> {
        if meta.path.is_ident("scan") {
            self.scan = true;
        } else if meta.path.is_ident("sort") {
            self.sort = true;
        } else {
            problems
                .at(meta.path.span(), "expected `scan` (no index for the filter) or `sort` (no index for the order)");
            pass_over(meta)?;
        }
        Ok(())
    }
}
