use rillflow::compiled_query;
use rillflow_ui_tests::Customer;

#[compiled_query]
fn query(email: &str) -> Vec<Customer> {
    Customer::query().filter(|c| c.email == email)
}

fn main() {}
