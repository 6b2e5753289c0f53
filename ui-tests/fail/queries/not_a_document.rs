use rillflow::{Query, compiled_query};
use rillflow_ui_tests::Contact;

#[compiled_query]
fn query(email: &str) -> impl Query<Vec<Contact>> {
    Contact::query().filter(|c| c.email == email)
}

fn main() {}
