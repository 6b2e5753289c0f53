use rillflow::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Opened {}

#[derive(Serialize, Deserialize)]
struct Verified {}

fn registered(old: Opened) -> (Opened, Verified) {
    (old, Verified {})
}

#[derive(Event)]
#[event(split("opened" => registered -> (Opened, Verified)))]
enum AccountEvent {
    Opened(Opened),
    Verified(Verified),
}

fn main() {}
