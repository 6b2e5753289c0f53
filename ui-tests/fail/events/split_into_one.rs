use rillflow::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Opened {}

#[derive(Serialize, Deserialize)]
struct Verified {}

fn registered(old: Opened) -> (Opened,) {
    (old,)
}

#[derive(Event)]
#[event(split("registered" => registered -> (Opened)))]
enum AccountEvent {
    Opened(Opened),
    Verified(Verified),
}

fn main() {}
