use rillflow::Document;
use rillflow_ui_tests::Customer;

fn main() {
    let _ = Customer::query().filter(|c| c.address.town.eq("Bern"));
}
