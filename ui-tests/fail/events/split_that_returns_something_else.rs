use rillflow::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Opened {}

#[derive(Serialize, Deserialize)]
struct Verified {}

fn registered(old: Opened) -> (Verified, Opened) {
    (Verified {}, old)
}

#[derive(Event)]
#[event(split("registered" => registered -> (Opened, Verified)))]
enum AccountEvent {
    Opened(Opened),
    Verified(Verified),
}

fn main() {}
