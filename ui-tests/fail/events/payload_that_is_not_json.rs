use rillflow::Event;

struct Opened {}

#[derive(Event)]
enum DoorEvent {
    Opened(Opened),
}

fn main() {}
