//! The operands of a query: its arguments, what it computes of them, and its literals.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::visit_mut::{self, VisitMut};
use syn::{Expr, Lifetime, Type, TypeReference};

use crate::model::condition::Argument;
use crate::model::literal::{Literal, Value};
use crate::model::query::CompiledQuery;

/// Numbers the parameters: arguments in the order of the signature, then computed values in the order of their use.
pub(crate) struct Values<'q> {
    arguments: &'q [Argument],
    computed: &'q [Expr],
    pub(super) map_keys: &'q [Value],
}

impl<'q> Values<'q> {
    /// What a condition without parameters has: literals alone.
    pub(super) const LITERALS: Self = Self { arguments: &[], computed: &[], map_keys: &[] };

    pub(super) fn of(query: &'q CompiledQuery) -> Self {
        Self { arguments: &query.arguments, computed: &query.computed, map_keys: &query.map_keys }
    }
}

impl Values<'_> {
    /// A value as an expression of no size.
    pub(crate) fn value(&self, value: &Value) -> TokenStream {
        match *value {
            Value::Field(ref field) => quote!(#field),
            Value::Present(at, span) => self.present(at, span),
            Value::Literal(at, span) => {
                let literal = literal_ident(at);
                quote_spanned! {span=> ::rillflow::__private::Inline::<#literal>::NEW }
            }
            Value::List(at, span) => {
                let list = literal_ident(at);
                quote_spanned! {span=> ::rillflow::__private::InlineList::<#list>::NEW }
            }
            Value::Argument(at, span) => {
                let (number, ty) = (self.argument_number(at), owned(&self.arguments[at].ty));
                quote_spanned! {span=> ::rillflow::__private::Argument::<#number, #ty>::NEW }
            }
            Value::Computed(at, span) => {
                let (number, expr) = (self.computed_number(at), &self.computed[at]);
                let (names, types): (Vec<_>, Vec<_>) =
                    self.arguments.iter().map(|argument| (&argument.ident, owned(&argument.ty))).unzip();
                let closure = quote! { #[allow(unused_variables)] |(#(#names,)*): (#(#types,)*)| #expr };
                quote_spanned! {span=> ::rillflow::__private::computed::<#number, (#(#types,)*), _>(#closure) }
            }
        }
    }

    /// What the argument number `at` is when it is there.
    fn present(&self, at: usize, span: Span) -> TokenStream {
        let (number, ty) = (self.argument_number(at), owned(&self.arguments[at].ty));
        quote_spanned! {span=> ::rillflow::__private::present::<#number, #ty>() }
    }

    fn bound(&self) -> impl Iterator<Item = (usize, &Argument)> {
        self.arguments.iter().enumerate().filter(|(_, argument)| argument.bound)
    }

    fn argument_number(&self, at: usize) -> u16 {
        number(self.bound().take_while(|(other, _)| *other <= at).count())
    }

    fn computed_number(&self, at: usize) -> u16 {
        number(self.bound().count() + at + 1)
    }

    /// The number of the last parameter.
    pub(super) fn last_number(&self) -> u16 {
        number(self.bound().count() + self.computed.len())
    }

    /// Statements that add the parameters. Arguments are borrowed first, since a computation may consume them.
    pub(super) fn binds(&self) -> TokenStream {
        let arguments = self.bound().map(|(_, argument)| {
            let ident = &argument.ident;
            quote!(::rillflow::__private::Bind(&#ident).bind(&mut __binds);)
        });
        // `match` keeps temporaries of the expression alive
        let computed = self
            .computed
            .iter()
            .map(|expr| quote!(match #expr { __value => ::rillflow::__private::Bind(&__value).bind(&mut __binds) }));
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
pub(super) fn literal_type(at: usize, literal: &Literal) -> TokenStream {
    let ident = literal_ident(at);
    if let Literal::List(items, array) = literal {
        let (types, texts): (Vec<_>, Vec<_>) = items.iter().map(literal_text).unzip();
        let ty = &types[0];
        // rustc looks at constants as they were written: all of them are of one type
        let check = matches!(items[0], Literal::Constant(..)).then(|| quote!(const _: fn() = || { let _ = #array; };));
        return quote! {
            struct #ident;
            #check
            impl ::rillflow::__private::LiteralList for #ident {
                type As = #ty;
                const SQL: &'static [&'static str] = &[#(#texts),*];
            }
        };
    }
    let (ty, sql) = literal_text(literal);
    quote! {
        struct #ident;
        impl ::rillflow::__private::Literal for #ident {
            type As = #ty;
            const SQL: &'static str = #sql;
        }
    }
}

/// What a literal compares as, and its text.
fn literal_text(literal: &Literal) -> (TokenStream, TokenStream) {
    match literal {
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
        Literal::List(items, _) => literal_text(&items[0]),
    }
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
