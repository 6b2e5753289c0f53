use rillflow::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Opened {}

#[derive(Event)]
enum DoorEvent {
    #[event(rename = "opened", version = 1)]
    Opened(Opened),
}

fn main() {}
