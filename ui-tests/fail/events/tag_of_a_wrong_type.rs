use rillflow::EventTags;

struct Price;

#[derive(EventTags)]
struct Enrolled {
    #[event(tag)]
    course: i64,
    #[event(tag)]
    price: Price,
}

fn main() {}
