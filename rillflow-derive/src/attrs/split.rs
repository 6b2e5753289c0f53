//! `#[event(split("registered" => split_registered -> (Opened, Verified)))]` on an event enum.

use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Attribute, LitInt, LitStr, Path, Token, Type, parenthesized};

use super::options;
use super::problems::Problems;

/// One split, as written: an event that is gone, at a version, and what its payloads become.
pub(crate) struct SplitOption {
    pub(crate) name: LitStr,
    pub(crate) version: Option<LitInt>,
    pub(crate) function: Path,
    pub(crate) parts: Vec<Type>,
}

impl Parse for SplitOption {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let name = input.parse()?;
        let version = if input.parse::<Option<Token![,]>>()?.is_some() { Some(input.parse()?) } else { None };
        input.parse::<Token![=>]>()?;
        let function = input.parse()?;
        input.parse::<Token![->]>()?;
        let parts;
        parenthesized!(parts in input);
        let parts = Punctuated::<Type, Token![,]>::parse_terminated(&parts)?.into_iter().collect();
        Ok(Self { name, version, function, parts })
    }
}

/// Reads them.
pub(crate) fn read(attrs: &[Attribute], problems: &mut Problems) -> Vec<SplitOption> {
    let mut splits = Vec::new();
    let expected = "`split(\"name\" => function -> (A, B))`; names and versions belong to the variants";
    options::of_helpers(attrs, "event", expected, problems, |meta, _| {
        if !meta.path.is_ident("split") {
            return Ok(false);
        }
        let content;
        parenthesized!(content in meta.input);
        splits.push(content.parse()?);
        Ok(true)
    });
    splits
}
