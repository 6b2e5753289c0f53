use rillflow::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct OpenedV1 {}
#[derive(Serialize, Deserialize)]
struct Opened {}

fn opened_v1(_: OpenedV1) -> Opened {
    Opened {}
}

#[derive(Event)]
enum DoorEvent {
    #[event(version = 2, upcast(1 => json opened_v1))]
    Opened(Opened),
}

fn main() {}
