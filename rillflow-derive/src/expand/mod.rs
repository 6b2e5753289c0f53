//! Step 3: checked input into code. Nothing here can fail.

pub(crate) mod aggregate;
pub(crate) mod condition;
pub(crate) mod document;
pub(crate) mod event;
pub(crate) mod handlers;
pub(crate) mod projection;
pub(crate) mod query;
pub(crate) mod stand_in;
pub(crate) mod value;

use proc_macro2::{Span, TokenStream, TokenTree};

/// `tokens` as if all of them stood at `span`.
fn respan(tokens: TokenStream, span: Span) -> TokenStream {
    let respan = |mut token: TokenTree| {
        if let TokenTree::Group(group) = &token {
            token = proc_macro2::Group::new(group.delimiter(), respan(group.stream(), span)).into();
        }
        token.set_span(span);
        token
    };
    tokens.into_iter().map(respan).collect()
}
