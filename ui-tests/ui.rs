//! What the derives accept, and what they say to what they refuse: one error per mistake, where the mistake is.
//!
//! `TRYBUILD=overwrite cargo test -p rillflow-ui-tests --test ui` writes the messages anew; read them before committing.

#[test]
fn refusals_and_what_passes() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("fail/*/*.rs");
    cases.pass("pass/*.rs");
}
