//! Values in a query: what is written into the text, and what becomes a parameter.

use proc_macro2::Span;
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Expr, Lit, Path, UnOp};

use super::quoted;

/// A value beside a field.
pub(crate) enum Value {
    /// An argument of the function, by its place in the signature.
    Argument(usize, Span),
    /// A literal or an enum's constant, by its place in [`Scope::literals`].
    Literal(usize, Span),
    /// An argument that is an `Option`, where it is known to be there.
    Present(usize, Span),
    /// A list of literals, by its place in [`Scope::literals`].
    List(usize, Span),
    /// Another field.
    Field(Box<Expr>),
    /// Anything else, by its place in [`Scope::computed`].
    Computed(usize, Span),
}

impl Value {
    /// Where it stands.
    pub(crate) fn span(&self) -> Span {
        match self {
            Self::Field(field) => field.span(),
            Self::Argument(_, span)
            | Self::Present(_, span)
            | Self::Literal(_, span)
            | Self::List(_, span)
            | Self::Computed(_, span) => *span,
        }
    }
}

/// What a literal is.
pub(crate) enum Literal {
    Text(String),
    Integer(i64),
    Float(String),
    Bool(bool),
    /// `Status::Active`: the type, and the whole path.
    Constant(Path, Path),
    /// `[Status::Active, Status::OnHold]`, and the array as it was written.
    List(Vec<Self>, Box<Expr>),
}

/// A list of literals of one kind; none for any other expression.
pub(crate) fn list(expr: &Expr) -> syn::Result<Option<Literal>> {
    let Expr::Array(array) = expr else { return Ok(None) };
    let items = array.elems.iter().map(|item| literal(bare(item))).collect::<syn::Result<Option<Vec<_>>>>()?;
    let of_one_kind = |items: &Vec<Literal>| {
        items
            .first()
            .is_some_and(|first| items.iter().all(|item| std::mem::discriminant(item) == std::mem::discriminant(first)))
    };
    Ok(items.filter(of_one_kind).map(|items| Literal::List(items, Box::new(expr.clone()))))
}

/// A literal, with its sign, or a path such as `Status::Active`; none for any other expression.
pub(crate) fn literal(expr: &Expr) -> syn::Result<Option<Literal>> {
    Ok(match expr {
        Expr::Lit(lit) => match &lit.lit {
            Lit::Str(text) => Some(Literal::Text(text_literal(&text.value(), expr.span())?)),
            Lit::Int(number) => Some(Literal::Integer(number.base10_parse()?)),
            Lit::Float(number) => Some(Literal::Float(number.base10_digits().to_owned())),
            Lit::Bool(bool) => Some(Literal::Bool(bool.value)),
            _ => None,
        },
        Expr::Unary(unary) if matches!(unary.op, UnOp::Neg(_)) => match bare(&unary.expr) {
            Expr::Lit(lit) => match &lit.lit {
                Lit::Int(number) => Some(Literal::Integer(
                    format!("-{}", number.base10_digits())
                        .parse()
                        .map_err(|_| syn::Error::new(expr.span(), "this number does not fit an `i64`"))?,
                )),
                Lit::Float(number) => Some(Literal::Float(format!("-{}", number.base10_digits()))),
                _ => None,
            },
            _ => None,
        },
        Expr::Path(path) => constant(&path.path),
        _ => None,
    })
}

fn text_literal(text: &str, span: Span) -> syn::Result<String> {
    if text.contains('\0') {
        return Err(syn::Error::new(span, "PostgreSQL cannot store the NUL character"));
    }
    Ok(quoted(text))
}

/// `Status::Active`: a variant is written in camel case, where a constant is in capitals. One letter is a variant.
fn constant(path: &Path) -> Option<Literal> {
    let variant = path.segments.last()?.ident.unraw().to_string();
    let is_variant =
        variant.starts_with(char::is_uppercase) && (variant.len() == 1 || variant.contains(char::is_lowercase));
    if path.segments.len() < 2 || !is_variant {
        return None;
    }
    Some(Literal::Constant(without_last(path), path.clone()))
}

/// The path up to its last segment: the type of `Type::item`.
pub(crate) fn without_last(path: &Path) -> Path {
    let mut parent = path.clone();
    parent.segments.pop();
    parent.segments.pop_punct();
    parent
}

/// Without the parentheses around it.
pub(crate) fn bare(expr: &Expr) -> &Expr {
    match expr {
        Expr::Paren(paren) => bare(&paren.expr),
        Expr::Group(group) => bare(&group.expr),
        other => other,
    }
}
