use rillflow::{Query, compiled_query};
use rillflow_ui_tests::{Contact, Customer};

#[compiled_query]
fn query(email: &str) -> impl Query<Vec<Contact>> {
    Customer::query()
        .filter(|c| c.email == email)
        .select(|c| Contact { email: c.email, city: c.score })
}

fn main() {}
