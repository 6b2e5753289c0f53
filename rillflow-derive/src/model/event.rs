//! An event enum whose every variant holds one payload, with a name, a version and a whole chain of upcasts.

use std::collections::HashMap;

use quote::ToTokens;
use syn::spanned::Spanned;
use syn::{Data, DataEnum, DeriveInput, Fields, Ident, LitStr, Type, Variant};

use super::names;
use super::split::{self, Split};
use crate::attrs::event::{EventOptions, Step, Upcast, read};
use crate::attrs::options;
use crate::attrs::problems::Problems;

/// The enum.
pub(crate) struct EventEnum {
    pub(crate) ident: Ident,
    pub(crate) events: Vec<EventVariant>,
    pub(crate) splits: Vec<Split>,
}

/// One event.
pub(crate) struct EventVariant {
    pub(crate) ident: Ident,
    pub(crate) payload: Type,
    pub(crate) name: String,
    /// The names it was stored under before.
    pub(crate) was: Vec<String>,
    pub(crate) version: i32,
    /// The step at `k - 1` turns version `k` into version `k + 1`.
    pub(crate) upcasts: Vec<Step>,
}

/// Checks the enum and notes every mistake.
pub(crate) fn check(item: &DeriveInput, problems: &mut Problems) -> Option<EventEnum> {
    let Data::Enum(data) = &item.data else {
        problems.at(
            item.ident.span(),
            format_args!("`Event` is derived on the enum that lists the events of a stream: write `enum {}Event {{ {0}({0}) }}` and derive it there", item.ident),
        );
        return None;
    };
    if !item.generics.params.is_empty() {
        problems.at(item.generics.span(), "an event enum has no generic parameters: what is stored has one shape");
    }
    if data.variants.is_empty() {
        problems.at(item.ident.span(), "list at least one event, such as `Placed(Placed)`");
    }
    let events: Vec<_> = data.variants.iter().filter_map(|variant| event(variant, problems)).collect();
    let splits = split::check(item, &events, problems);
    no_name_twice(data, problems);
    no_payload_twice(data, problems);
    Some(EventEnum { ident: item.ident.clone(), events, splits })
}

fn event(variant: &Variant, problems: &mut Problems) -> Option<EventVariant> {
    let options = read(&variant.attrs, problems);
    let name = name_of(variant, &options);
    for empty in options.name.iter().chain(&options.was).filter(|name| name.value().is_empty()) {
        problems.at(empty.span(), "an event's stored name is not empty");
    }
    for wrong in options.name.iter().chain(&options.was).filter(|name| name.value().contains('\0')) {
        problems.at(wrong.span(), "PostgreSQL cannot store the NUL character: choose another name");
    }
    let version = options::version(options.version.as_ref(), problems);
    let upcasts = chain(variant, &name, version, &options.upcasts, problems);
    let payload = payload(variant, problems)?;
    let was = options.was.iter().map(LitStr::value).collect();
    Some(EventVariant { ident: variant.ident.clone(), payload, name, was, version, upcasts })
}

fn name_of(variant: &Variant, options: &EventOptions) -> String {
    options.name.as_ref().map_or_else(|| names::kebab(&variant.ident.to_string()), LitStr::value)
}

fn payload(variant: &Variant, problems: &mut Problems) -> Option<Type> {
    match &variant.fields {
        Fields::Unnamed(fields) if fields.unnamed.len() == 1 => return Some(fields.unnamed[0].ty.clone()),
        _ => problems.at(
            variant.ident.span(),
            format_args!(
                "an event holds one payload struct, since handlers take it by its type: write `{0}({0})` and `struct {0} {{ .. }}`",
                variant.ident
            ),
        ),
    }
    None
}

/// Each version before the current one needs the function that leads to the next.
fn chain(variant: &Variant, name: &str, version: i32, given: &[Upcast], problems: &mut Problems) -> Vec<Step> {
    let mut steps: HashMap<i32, &Upcast> = HashMap::new();
    for upcast in given {
        let from = upcast.from.base10_parse().unwrap_or_default();
        if !(1..version).contains(&from) {
            problems.at(
                upcast.from.span(),
                format_args!("event `{name}` is at version {version}, and an upcast leads there from an older version: raise `version`, or remove this one"),
            );
        } else if steps.insert(from, upcast).is_some() {
            problems.at(upcast.from.span(), format_args!("version {from} has an upcast already: keep one"));
        }
    }
    let step = |from: i32| steps.get(&from).map(|upcast| upcast.step.clone());
    for from in (1..version).filter(|from| !steps.contains_key(from)) {
        let function = format!("{}_v{from}", names::snake(&variant.ident.to_string()));
        problems.at(
            variant.ident.span(),
            format_args!("event `{name}` is at version {version} but has no upcast from version {from}: add `upcast({from} => {function})`, a function from that version's payload to the next one's"),
        );
    }
    (1..version).filter_map(step).collect()
}

/// A stored name leads to one event: present names come first, so that a clash is reported at the old one.
fn no_name_twice(data: &DataEnum, problems: &mut Problems) {
    let all: Vec<_> =
        data.variants.iter().map(|variant| (variant, read(&variant.attrs, &mut Problems::default()))).collect();
    let mut seen: HashMap<String, &Ident> = HashMap::new();
    for (variant, options) in &all {
        let span = options.name.as_ref().map_or(variant.ident.span(), LitStr::span);
        let name = name_of(variant, options);
        if let Some(first) = seen.get(&name) {
            problems
                .at(span, format_args!("`{first}` is stored as `{name}` already: give each event a name of its own"));
        } else {
            seen.insert(name, &variant.ident);
        }
    }
    for (variant, was) in all.iter().flat_map(|(variant, options)| options.was.iter().map(move |was| (variant, was))) {
        let name = was.value();
        match seen.get(&name) {
            Some(first) if **first == variant.ident => problems
                .at(was.span(), format_args!("`{name}` is a name of this event already: list each old name once")),
            Some(first) => problems.at(
                was.span(),
                format_args!(
                    "events stored as `{name}` are read as `{first}` already: a stored name leads to one event"
                ),
            ),
            None => drop(seen.insert(name, &variant.ident)),
        }
    }
}

fn no_payload_twice(data: &DataEnum, problems: &mut Problems) {
    let mut seen: HashMap<String, &Ident> = HashMap::new();
    for variant in &data.variants {
        let Some(field) = variant.fields.iter().next() else { continue };
        if let Some(first) = seen.insert(field.ty.to_token_stream().to_string(), &variant.ident) {
            problems.at(
                options::span_of(&field.ty),
                format_args!("this is the payload of `{first}` already: handlers tell events apart by the payload, so give `{}` a struct of its own", variant.ident),
            );
        }
    }
}
