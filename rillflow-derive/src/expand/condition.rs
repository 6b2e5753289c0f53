//! Conditions as calls of const functions, which operators and closures cannot be.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};

use super::operands::Values;
use crate::model::condition::Condition;
use crate::model::literal::Value;

/// A condition as an expression that const evaluation can make.
pub(crate) fn condition(condition: &Condition, values: &Values<'_>) -> TokenStream {
    match condition {
        Condition::All(members) => balanced("and", members, values),
        Condition::Either(members) => balanced("or", members, values),
        Condition::Not(inner, span) => {
            let inner = self::condition(inner, values);
            quote_spanned! {*span=> ::rillflow::__private::not(#inner) }
        }
        Condition::Test(field, method, arguments) => {
            let arguments = arguments.iter().map(|value| values.value(value));
            quote!(#field.#method(#(#arguments),*))
        }
        Condition::Any(list, method, variable, inner) => {
            let inner = self::condition(inner, values);
            let span = method.span();
            let elements = quote_spanned! {span=> ::rillflow::__private::elements(__list) };
            let any = quote_spanned! {span=> ::rillflow::__private::any };
            quote! {{
                let __list = #list;
                let #variable = #elements;
                #any(__list, #inner)
            }}
        }
        Condition::Given(argument, span, inner) => {
            let value = values.value(&Value::Argument(*argument, *span));
            let inner = self::condition(inner, values);
            quote!(::rillflow::__private::given(&#value, #inner))
        }
        Condition::Field(field) => quote!(#field),
    }
}

/// A balanced tree, so that the depth of types and of const evaluation is the logarithm of the chain's length.
fn balanced(function: &str, members: &[(Condition, Span)], values: &Values<'_>) -> TokenStream {
    match members {
        [(only, _)] => condition(only, values),
        _ => {
            let (left, right) = members.split_at(members.len() / 2);
            let span = right[0].1;
            let function_ident = Ident::new(function, span);
            let (left, right) = (balanced(function, left, values), balanced(function, right, values));
            quote_spanned! {span=> ::rillflow::__private::#function_ident(#left, #right) }
        }
    }
}
