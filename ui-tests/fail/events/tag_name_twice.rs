use rillflow::EventTags;

#[derive(EventTags)]
struct Enrolled {
    #[event(tag)]
    student: i64,
    #[event(tag = "student")]
    friend: i64,
}

fn main() {}
