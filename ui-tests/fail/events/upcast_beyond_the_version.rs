use rillflow::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Opened {}

fn opened_v1(old: Opened) -> Opened {
    old
}

#[derive(Event)]
enum DoorEvent {
    #[event(upcast(1 => opened_v1))]
    Opened(Opened),
}

fn main() {}
