pub(crate) fn aggregate(item: proc_macro2::TokenStream) -> proc_macro2::TokenStream {
    drop(item);
    proc_macro2::TokenStream::new()
}
