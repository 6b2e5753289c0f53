use rillflow::{Query, compiled_query};
use rillflow_ui_tests::Customer;

#[compiled_query]
fn query(email: Option<String>) -> impl Query<Vec<Customer>> {
    Customer::query().filter(|c| c.handle == "a").filter_if(email.filter(|it| it != ""), |c, email| c.email == email)
}

fn main() {}
