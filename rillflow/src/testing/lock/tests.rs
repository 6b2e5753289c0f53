use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use super::{Mode, SchemaLock};

/// A lock file of the test's own, and what the program stores.
struct Lock(PathBuf);

impl Lock {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Self(std::env::temp_dir().join(format!("rillflow-{}-{number}.lock", std::process::id())))
    }

    fn of<E: super::EventSet>(&self) -> SchemaLock {
        SchemaLock::at("", &self.0).events::<E>(vec![])
    }

    /// The text, without its head.
    fn text(&self) -> String {
        let text = std::fs::read_to_string(&self.0).unwrap_or_default();
        text.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// The events of one state of the program.
macro_rules! program {
    ($name:ident { $($item:item)* } $($(#[$attr:meta])* $payload:ident),*) => {
        mod $name {
            use serde::{Deserialize, Serialize};
            $($item)*
            #[derive(crate::Event)]
            pub(super) enum Events { $($(#[$attr])* $payload($payload)),* }
        }
    };
}

program! { first {
    #[derive(Serialize, Deserialize)]
    pub(super) struct Placed { units: i32, line: Line }
    #[derive(Serialize, Deserialize)]
    pub(super) struct Line { sku: String }
    #[derive(Serialize, Deserialize)]
    pub(super) struct Shipped { tracking: String }
} Placed, Shipped }

program! { grown {
    #[derive(Serialize, Deserialize)]
    pub(super) struct Placed { units: i64, line: Line, note: Option<Note> }
    #[derive(Serialize, Deserialize)]
    pub(super) struct Note { text: String }
    #[derive(Serialize, Deserialize)]
    pub(super) struct Line { sku: String }
    #[derive(Serialize, Deserialize)]
    pub(super) struct Shipped { tracking: String }
} Placed, Shipped }

program! { nested {
    #[derive(Serialize, Deserialize)]
    pub(super) struct Placed { units: i32, line: Line }
    #[derive(Serialize, Deserialize)]
    pub(super) struct Line { article: String }
    #[derive(Serialize, Deserialize)]
    pub(super) struct Shipped { tracking: String }
} Placed, Shipped }

program! { second {
    #[derive(Serialize, Deserialize)]
    pub(super) struct Placed { total: i64 }
    #[derive(Serialize, Deserialize)]
    pub(super) struct PlacedV1 { units: i32 }
    fn placed_v1(old: PlacedV1) -> Placed { Placed { total: i64::from(old.units) * 100 } }
    #[derive(Serialize, Deserialize)]
    pub(super) struct Sent { tracking: String }
} #[event(version = 2, upcast(1 => placed_v1))] Placed, #[event(was = "shipped")] Sent }

program! { forgetful {
    #[derive(Serialize, Deserialize)]
    pub(super) struct Placed { total: i64 }
    #[derive(Serialize, Deserialize)]
    pub(super) struct PlacedV1 { amount: i32 }
    fn placed_v1(old: PlacedV1) -> Placed { Placed { total: old.amount.into() } }
} #[event(version = 2, upcast(1 => placed_v1))] Placed }

program! { renamed {
    #[derive(Serialize, Deserialize)]
    pub(super) struct Placed { units: i32, line: Line }
    #[derive(Serialize, Deserialize)]
    pub(super) struct Line { sku: String }
    #[derive(Serialize, Deserialize)]
    pub(super) struct Sent { parcel: String }
} Placed, #[event(was = "shipped")] Sent }

const FIRST: &str = "
[event placed version 1]
line.sku: text
units: i32
= {\"units\":1,\"line\":{\"sku\":\"text\"}}

[event shipped version 1]
tracking: text
= {\"tracking\":\"text\"}";

fn written() -> Lock {
    let lock = Lock::new();
    assert_eq!(lock.of::<first::Events>().check(Mode::Write), Ok(()));
    assert_eq!(lock.text(), FIRST);
    lock
}

fn refused(lock: &Lock, checked: SchemaLock) -> String {
    let message = checked.check(Mode::Check).expect_err("a change");
    let (head, rest) = message.split_once("\n\n").expect("a head");
    assert_eq!(head, format!("what is stored is not as {} has it", lock.0.display()));
    rest.to_owned()
}

#[test]
fn what_is_new_is_added_on_request_only() {
    let lock = Lock::new();
    let refused = refused(&lock, lock.of::<first::Events>());
    assert_eq!(
        refused,
        "  event `placed` version 1 (Placed) is not in the lock\n  Add it: RILLFLOW_LOCK=write cargo test\n\n  \
         event `shipped` version 1 (Shipped) is not in the lock\n  Add it: RILLFLOW_LOCK=write cargo test\n"
    );
    assert!(!lock.0.exists());
    drop(written());
}

#[test]
fn an_unchanged_program_passes_and_writes_nothing_new() {
    let lock = written();
    for mode in [Mode::Check, Mode::Write, Mode::Confirm] {
        assert_eq!(lock.of::<first::Events>().check(mode), Ok(()));
        assert_eq!(lock.text(), FIRST);
    }
}

#[test]
fn a_change_without_a_new_version_names_the_fields_and_the_upcaster() {
    let lock = written();
    assert_eq!(
        refused(&lock, lock.of::<nested::Events>()),
        "  event `placed` version 1 (Placed) changed:
    + line.article: text
    - line.sku: text
  Stored events have the old shape. Raise the version, keep the old payload, and say how one becomes the other:
    #[event(version = 2, upcast(1 => placed_v1))]
    fn placed_v1(old: PlacedV1) -> Placed
  If none was ever stored: RILLFLOW_LOCK=confirm cargo test
"
    );
    assert!(lock.of::<nested::Events>().check(Mode::Write).is_err());
    assert_eq!(lock.text(), FIRST, "writing does not take it");

    assert_eq!(lock.of::<nested::Events>().check(Mode::Confirm), Ok(()));
    assert!(lock.text().contains("line.article: text") && !lock.text().contains("sku"), "{}", lock.text());
}

#[test]
fn a_change_that_reads_all_is_taken_by_writing() {
    let lock = written();
    let refused = refused(&lock, lock.of::<grown::Events>());
    assert_eq!(
        refused,
        "  event `placed` version 1 (Placed) changed:
    + note?: object or null
    + note.text: text
    - units: i32
    + units: i64
  What is stored can still be read.
  Take it into the lock: RILLFLOW_LOCK=write cargo test
"
    );
    assert_eq!(lock.of::<grown::Events>().check(Mode::Write), Ok(()));
    assert_eq!(lock.of::<grown::Events>().check(Mode::Check), Ok(()));
    assert!(lock.text().contains("\n= {\"units\":1,\"line\":{\"sku\":\"text\"}}\n"), "the old sample stays");
    assert!(lock.of::<first::Events>().check(Mode::Write).is_err(), "and back is a change that does not");
}

#[test]
fn a_new_version_and_a_new_name_leave_the_old_ones_in_the_file() {
    let lock = written();
    assert_eq!(lock.of::<second::Events>().check(Mode::Write), Ok(()));
    assert_eq!(
        lock.text(),
        "
[event placed version 1]
line.sku: text
units: i32
= {\"units\":1,\"line\":{\"sku\":\"text\"}}

[event placed version 2]
total: i64
= {\"total\":1}

[event sent version 1]
tracking: text
= {\"tracking\":\"text\"}

[event shipped version 1]
tracking: text
= {\"tracking\":\"text\"}"
    );
    assert_eq!(lock.of::<second::Events>().check(Mode::Check), Ok(()));
}

#[test]
fn every_old_sample_goes_through_the_upcasters() {
    let lock = written();
    assert_eq!(lock.of::<second::Events>().check(Mode::Write), Ok(()));
    let message = refused(&lock, lock.of::<forgetful::Events>());
    assert_eq!(
        message,
        "  event `sent` version 1 is in the lock, and gone from the program
  Stored events of this name cannot be read any more: keep its variant, or write `was = \"sent\"` on the one that took its place
  If nothing is stored: RILLFLOW_LOCK=confirm cargo test

  event `shipped` version 1 is in the lock, and gone from the program
  Stored events of this name cannot be read any more: keep its variant, or write `was = \"shipped\"` on the one that took its place
  If nothing is stored: RILLFLOW_LOCK=confirm cargo test

  event `placed` version 1: a sample cannot be read any more, so what is stored cannot either
    {\"units\":1,\"line\":{\"sku\":\"text\"}}
    cannot read event `placed` version 1: missing field `amount` at line 1 column 33
"
    );
    let message =
        lock.of::<forgetful::Events>().check(Mode::Confirm).expect_err("a confirmation hides no broken chain");
    assert!(message.contains("missing field `amount`") && !message.contains("gone"), "{message}");
}

#[test]
fn a_new_name_is_no_new_shape() {
    let lock = written();
    let message = refused(&lock, lock.of::<renamed::Events>());
    assert!(
        message.starts_with("  event `shipped` version 1 (Sent) changed:\n    + parcel: text\n    - tracking: text\n"),
        "{message}"
    );
    assert!(message.contains("#[event(version = 2, upcast(1 => sent_v1))]"), "{message}");
    assert!(lock.of::<renamed::Events>().check(Mode::Write).is_err());
}

#[test]
fn a_version_that_goes_back_is_a_mistake() {
    let lock = written();
    assert_eq!(lock.of::<second::Events>().check(Mode::Write), Ok(()));
    let message = lock.of::<renamed::Events>().check(Mode::Check).expect_err("version 2 is stored");
    assert!(message.contains("Its version went back to 1: what is stored at version 2 cannot be read"), "{message}");
}

#[test]
fn what_is_no_lock_file_is_said_with_its_line() {
    for (text, line) in [("x: text", 1), ("# head\n[event a]\n", 2), ("[event a version 1]\nno place", 2)] {
        let lock = Lock::new();
        std::fs::write(&lock.0, text).expect("a file");
        let message = lock.of::<first::Events>().check(Mode::Write).expect_err("a mistake");
        assert!(message.starts_with(&format!("{}:{line}: expected ", lock.0.display())), "{message}");
        assert_eq!(std::fs::read_to_string(&lock.0).expect("a file"), text);
    }
}

#[test]
fn one_name_in_two_sets_is_a_mistake() {
    let lock = written();
    let message = refused(&lock, lock.of::<first::Events>().events::<second::Events>(vec![]));
    assert_eq!(
        message,
        "  event `placed` is `Placed` and `Placed`: what is stored under one name is read by both
  Give each a name of its own, and list it once

  event `shipped` is `Shipped` and `Sent`: what is stored under one name is read by both
  Give each a name of its own, and list it once
"
    );
}

/// `Placed` is gone: an order and its line are told by themselves.
mod split {
    use serde::{Deserialize, Serialize};

    #[derive(Serialize, Deserialize)]
    pub(super) struct Ordered {
        units: i32,
    }
    #[derive(Serialize, Deserialize)]
    pub(super) struct Lined {
        sku: String,
    }
    #[derive(Serialize, Deserialize)]
    pub(super) struct Shipped {
        tracking: String,
    }

    #[derive(crate::Event)]
    #[event(split("placed" => placed -> (Ordered, Lined)))]
    pub(super) enum Events {
        Ordered(Ordered),
        Lined(Lined),
        Shipped(Shipped),
    }

    #[derive(Deserialize)]
    struct Placed {
        units: i32,
        line: Lined,
    }

    fn placed(old: Placed) -> (Ordered, Lined) {
        (Ordered { units: old.units }, old.line)
    }
}

#[test]
fn an_event_that_is_split_stays_in_the_lock_while_its_samples_are_read() {
    let lock = written();
    assert_eq!(lock.of::<split::Events>().check(Mode::Write), Ok(()));
    assert!(lock.text().contains("[event placed version 1]") && lock.text().contains("[event lined version 1]"));
    assert_eq!(lock.of::<split::Events>().check(Mode::Check), Ok(()));

    let other = std::fs::read_to_string(&lock.0).expect("a lock").replace(r#""line":{"sku":"text"}"#, r#""line":1"#);
    std::fs::write(&lock.0, other).expect("a lock");
    let refused = refused(&lock, lock.of::<split::Events>());
    assert!(refused.contains("event `placed` version 1"), "{refused}");
}
