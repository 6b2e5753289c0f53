use rillflow::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct OpenedV1 {}
#[derive(Serialize, Deserialize)]
struct OpenedV2 {}
#[derive(Serialize, Deserialize)]
struct Opened {}

fn opened_v1(_: OpenedV1) -> OpenedV2 {
    OpenedV2 {}
}
fn opened_v2(_: OpenedV2) -> OpenedV2 {
    OpenedV2 {}
}

#[derive(Event)]
enum DoorEvent {
    #[event(version = 3, upcast(1 => opened_v1, 2 => opened_v2))]
    Opened(Opened),
}

fn main() {}
