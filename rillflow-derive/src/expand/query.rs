//! `#[compiled_query]`: the statement and its checks as consts, the function as what binds its arguments.

use proc_macro2::{Delimiter, Group, Ident, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::visit_mut::{self, VisitMut};
use syn::{Expr, ExprStruct, ItemFn, Lifetime, Member, ReturnType, Type, TypeParamBound, TypeReference};

use super::condition::condition;
use crate::model::condition::{Argument, Literal, Value};
use crate::model::query::{CompiledQuery, Ending, Selection, ends, result_of};
use crate::model::quoted;

/// The function, with a body that hands over text and arguments.
pub(crate) fn query(query: &CompiledQuery, function: &ItemFn) -> TokenStream {
    let values = Values { query };
    let literals = query.literals.iter().enumerate().map(|(at, literal)| literal_type(at, literal));
    let statement = statement(query, &values);
    let checks = checks(query, function);
    let binds = values.binds();
    let name = function.sig.ident.to_string();
    let result = &query.result;
    with_body(
        function,
        &quote! {
            #(#literals)*
            #statement
            #checks
            #binds
            ::rillflow::__private::Compiled::<#result>::new(
                #name,
                ::rillflow::__private::sql_text!(::rillflow::__private::Source::Statement(&__STATEMENT)),
                __binds,
                __DECODE,
            )
        },
    )
}

/// The function with its signature only: what a refused query leaves, so that its callers still compile.
pub(crate) fn refused(function: &ItemFn) -> TokenStream {
    let body = match (result_of(&function.sig), &function.sig.output) {
        (Some(result), _) => quote!(::rillflow::__private::Compiled::<#result>::refused()),
        (None, ReturnType::Default) => quote!(),
        (None, ReturnType::Type(_, ty)) if matches!(**ty, Type::ImplTrait(_)) => return TokenStream::new(),
        _ => quote!(::core::unreachable!()),
    };
    let (attrs, vis, sig) = (&function.attrs, &function.vis, &function.sig);
    quote! { #[allow(unused_variables)] #(#attrs)* #vis #sig { #body } }
}

fn with_body(function: &ItemFn, body: &TokenStream) -> TokenStream {
    let (attrs, vis) = (&function.attrs, &function.vis);
    let mut sig = function.sig.clone();
    // the query owns its arguments: it borrows nothing from the caller
    if let ReturnType::Type(_, ty) = &mut sig.output
        && let Type::ImplTrait(opaque) = &mut **ty
        && !opaque.bounds.iter().any(|bound| matches!(bound, TypeParamBound::PreciseCapture(_)))
    {
        opaque.bounds.push(syn::parse_quote!(use<>));
    }
    quote! { #(#attrs)* #vis #sig { #body } }
}

/// Numbers the parameters: arguments in the order of the signature, then computed values in the order of their use.
pub(crate) struct Values<'q> {
    query: &'q CompiledQuery,
}

impl Values<'_> {
    /// A value as an expression of no size.
    pub(crate) fn value(&self, value: &Value) -> TokenStream {
        match *value {
            Value::Literal(at, span) => {
                let literal = literal_ident(at);
                quote_spanned! {span=> ::rillflow::__private::Inline::<#literal>::NEW }
            }
            Value::Argument(at, span) => {
                let (number, ty) = (self.argument_number(at), owned(&self.query.arguments[at].ty));
                quote_spanned! {span=> ::rillflow::__private::Argument::<#number, #ty>::NEW }
            }
            Value::Computed(at, span) => {
                let (number, expr) = (self.computed_number(at), &self.query.computed[at]);
                let (names, types): (Vec<_>, Vec<_>) =
                    self.query.arguments.iter().map(|argument| (&argument.ident, owned(&argument.ty))).unzip();
                let closure = quote! { #[allow(unused_variables)] |(#(#names,)*): (#(#types,)*)| #expr };
                quote_spanned! {span=> ::rillflow::__private::computed::<#number, (#(#types,)*), _>(#closure) }
            }
        }
    }

    fn bound(&self) -> impl Iterator<Item = (usize, &Argument)> {
        self.query.arguments.iter().enumerate().filter(|(_, argument)| argument.bound)
    }

    fn argument_number(&self, at: usize) -> u16 {
        number(self.bound().take_while(|(other, _)| *other <= at).count())
    }

    fn computed_number(&self, at: usize) -> u16 {
        number(self.bound().count() + at + 1)
    }

    /// Statements that add the parameters. Arguments are borrowed first, since a computation may consume them.
    fn binds(&self) -> TokenStream {
        let arguments = self.bound().map(|(_, argument)| {
            let ident = &argument.ident;
            quote!(::rillflow::__private::Bind(&#ident).bind(&mut __binds);)
        });
        // `match` keeps temporaries of the expression alive
        let computed =
            self.query.computed.iter().map(
                |expr| quote!(match #expr { __value => ::rillflow::__private::Bind(&__value).bind(&mut __binds) }),
            );
        let values: Vec<_> = arguments.chain(computed).collect();
        if values.is_empty() {
            return quote!(let __binds = ::rillflow::__private::Binds::new(););
        }
        quote! {
            use ::rillflow::__private::BindNothing as _;
            let mut __binds = ::rillflow::__private::Binds::new();
            #(#values)*
        }
    }
}

/// PostgreSQL has no more parameters than fit.
fn number(number: usize) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}

fn literal_ident(at: usize) -> Ident {
    format_ident!("__Literal{at}")
}

/// A type per literal, which carries its text.
fn literal_type(at: usize, literal: &Literal) -> TokenStream {
    let ident = literal_ident(at);
    let (ty, sql) = match literal {
        Literal::Text(text) => (quote!(&'static str), quote!(#text)),
        Literal::Integer(number) => {
            let text = number.to_string();
            (quote!(::rillflow::__private::integer), quote!(#text))
        }
        Literal::Float(text) => (quote!(::rillflow::__private::float), quote!(#text)),
        Literal::Bool(bool) => {
            let text = bool.to_string();
            (quote!(bool), quote!(#text))
        }
        Literal::Constant(ty, path) => (quote!(#ty), quote!((#path).__document_value())),
    };
    quote! {
        struct #ident;
        impl ::rillflow::__private::Literal for #ident {
            type As = #ty;
            const SQL: &'static str = #sql;
        }
    }
}

/// `__STATEMENT`, and `__DECODE` for its rows.
fn statement(query: &CompiledQuery, values: &Values<'_>) -> TokenStream {
    let document = &query.document;
    let filter = filter(query, values);
    let order = order(query);
    let (limit, offset) = (rows(query.steps.limit.as_ref(), values), rows(query.steps.offset.as_ref(), values));
    let (output, decode) = output(query);
    let one = query.steps.ending == Ending::One;
    let result = &query.result;
    quote! {
        const __STATEMENT: ::rillflow::__private::Statement = ::rillflow::__private::Statement {
            table: <#document as ::rillflow::__private::Document>::COLLECTION.table,
            output: #output,
            filter: #filter,
            order: #order,
            limit: #limit,
            offset: #offset,
            one: #one,
        };
        const __DECODE: ::rillflow::__private::Decode<#result> = #decode;
    }
}

/// `{ let c = paths; body }`, underlined as `about` in messages.
fn with_paths(query: &CompiledQuery, variable: &Ident, about: &Expr, body: &TokenStream) -> TokenStream {
    let document = &query.document;
    let paths = quote!(let #variable = <#document as ::rillflow::__private::Document>::PATHS;);
    let mut block = Group::new(Delimiter::Brace, quote!(#paths #body));
    block.set_span(ends(about).1);
    quote!(#block)
}

/// A reference to a block, underlined from the first to the last token of `about`.
fn reference(about: &Expr, block: &TokenStream) -> TokenStream {
    let (first, _) = ends(about);
    quote_spanned!(first=> &#block)
}

fn filter(query: &CompiledQuery, values: &Values<'_>) -> TokenStream {
    let filters = query
        .steps
        .filters
        .iter()
        .map(|(variable, tree, body)| with_paths(query, variable, body, &condition(tree, values)));
    let Some(all) = filters.reduce(|all, next| quote!(::rillflow::__private::and(#all, #next))) else {
        return quote!(&::rillflow::__private::Node::Everything);
    };
    quote!(::rillflow::__private::node_of(&#all))
}

fn order(query: &CompiledQuery) -> TokenStream {
    let Some((variable, keys)) = &query.steps.order else {
        return quote!(&[]);
    };
    let body = reference(keys, &with_paths(query, variable, keys, &quote!(#keys)));
    quote!(::rillflow::__private::keys_of(#body))
}

fn rows(value: Option<&Value>, values: &Values<'_>) -> TokenStream {
    match value {
        Some(value) => {
            let (span, value) = (value.span(), values.value(value));
            let value = quote_spanned!(span=> &#value);
            quote!(::core::option::Option::Some(::rillflow::__private::rows_operand(#value)))
        }
        None => quote!(::core::option::Option::None),
    }
}

/// What a row holds, and the function that reads the rows: it is what ties the result's type to the query.
fn output(query: &CompiledQuery) -> (TokenStream, TokenStream) {
    let (document, span) = (&query.document, query.result.span());
    let reader = |name: &str| Ident::new(name, span);
    let one = query.steps.ending == Ending::One;
    match (query.steps.ending, &query.steps.select) {
        (Ending::Count, _) => (quote!(::rillflow::__private::Output::Count), decode(&reader("count"), None, query)),
        (Ending::Exists, _) => {
            (quote!(::rillflow::__private::Output::Exists), decode(&reader("existence"), None, query))
        }
        (_, None) => {
            let name = reader(if one { "at_most_one" } else { "many" });
            (quote!(::rillflow::__private::Output::Document), decode(&name, Some(quote!(#document)), query))
        }
        (_, Some((variable, Selection::Fields(fields)))) => {
            let selection = reference(fields, &with_paths(query, variable, fields, &quote!(#fields)));
            let name = reader(if one { "at_most_one_selected" } else { "many_selected" });
            let result = &query.result;
            let decode = quote_spanned! {span=> ::rillflow::__private::#name::<_, #result>(#selection) };
            (quote!(::rillflow::__private::output_of(#selection)), decode)
        }
        (_, Some((variable, Selection::Struct(row)))) => {
            let name = reader(if one { "at_most_one" } else { "many" });
            (object(query, variable, row), row_check(query, variable, row, &name))
        }
    }
}

fn decode(function: &Ident, row: Option<TokenStream>, query: &CompiledQuery) -> TokenStream {
    let result = &query.result;
    let row = row.map(|row| quote!(#row,));
    quote_spanned! {function.span()=> ::rillflow::__private::#function::<#row #result>() }
}

/// `jsonb_build_object('email', doc->'email', ..)`
fn object(query: &CompiledQuery, variable: &Ident, row: &ExprStruct) -> TokenStream {
    let fields = row.fields.iter().map(|field| {
        let name = match &field.member {
            Member::Named(name) => quoted(&syn::ext::IdentExt::unraw(name).to_string()),
            Member::Unnamed(_) => String::new(),
        };
        let path = &field.expr;
        quote!((#name, ::rillflow::__private::field_of(#path)))
    });
    let fields = with_paths(query, variable, &query.body, &quote!([#(#fields),*]));
    quote!(::rillflow::__private::Output::Object(&#fields))
}

/// A function that is never called checks the types of the row's fields.
fn row_check(query: &CompiledQuery, variable: &Ident, row: &ExprStruct, name: &Ident) -> TokenStream {
    let ty = &row.path;
    let fields = row.fields.iter().map(|field| {
        let (member, path) = (&field.member, &field.expr);
        let value = quote_spanned! {path.span()=> ::rillflow::__private::value_of(#path) };
        quote!(#member: #value)
    });
    let row = with_paths(query, variable, &query.body, &quote!(#ty { #(#fields),* }));
    let decode = decode(name, Some(quote!(#ty)), query);
    quote! {{
        #[allow(dead_code)]
        fn __row() -> #ty #row
        #decode
    }}
}

/// The coverage checks, each raised at what it is about.
fn checks(query: &CompiledQuery, function: &ItemFn) -> TokenStream {
    let document = &query.document;
    let name = function.sig.ident.to_string();
    let type_name = document.segments.last().map(|last| last.ident.to_string()).unwrap_or_default();
    let indexes = quote!(<#document as ::rillflow::__private::Document>::INDEXES);
    let sort_allowed = query.allow.sort;
    let mut checks = TokenStream::new();
    if !query.allow.scan {
        let about = query.steps.filters.last().map_or(&query.body, |(_, _, body)| body);
        let arguments = quote!(#name, #type_name, &__STATEMENT, #indexes, #sort_allowed);
        checks.extend(check("check_filter", about, arguments));
    }
    if let (false, false, Some((_, keys))) = (query.allow.scan, query.allow.sort, &query.steps.order) {
        checks.extend(check("check_order", keys, quote!(#name, #type_name, &__STATEMENT, #indexes)));
    }
    checks
}

/// A const assertion that is underlined from the first to the last token of `about`: the path of the call has the
/// first token's span, its parentheses have the last one's.
fn check(function: &str, about: &Expr, arguments: TokenStream) -> TokenStream {
    let (first, last) = ends(about);
    let function = Ident::new(function, first);
    let path = quote_spanned!(first=> ::rillflow::__private::#function);
    let mut arguments = Group::new(Delimiter::Parenthesis, arguments);
    arguments.set_span(last);
    quote!(const _: () = #path #arguments;)
}

/// The type without the lifetimes of a call: only what it says of SQL matters.
fn owned(ty: &Type) -> Type {
    let mut ty = ty.clone();
    Static.visit_type_mut(&mut ty);
    ty
}

struct Static;

impl VisitMut for Static {
    fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
        *lifetime = Lifetime::new("'static", lifetime.span());
    }

    fn visit_type_reference_mut(&mut self, reference: &mut TypeReference) {
        reference.lifetime = Some(Lifetime::new("'static", reference.span()));
        visit_mut::visit_type_reference_mut(self, reference);
    }
}
