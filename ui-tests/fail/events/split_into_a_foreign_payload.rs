use rillflow::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Opened {}

#[derive(Serialize, Deserialize)]
struct Verified {}

#[derive(Serialize, Deserialize)]
struct Other {}

fn registered(_: Opened) -> (Opened, Other) {
    (Opened {}, Other {})
}

#[derive(Event)]
#[event(split("registered" => registered -> (Opened, Other)))]
enum AccountEvent {
    Opened(Opened),
    Verified(Verified),
}

fn main() {}
