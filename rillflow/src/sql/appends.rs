//! `append_many` with what goes beside events: put in where its comments say.

use sqlx::SqlStr;

use super::{APPEND_MANY, PUBLISH_MESSAGES, Texts};

/// The parameters of `append_many` alone, and those of messages.
pub(super) const OF_APPENDS: usize = 17;
const OF_MESSAGES: usize = 7;

/// What a statement holds beside appends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct With {
    /// Messages, whose parameters follow those of the appends.
    pub(crate) messages: bool,
}

impl With {
    /// How many parameters come before those of a session's documents.
    pub(super) fn parameters(self) -> usize {
        OF_APPENDS + if self.messages { OF_MESSAGES } else { 0 }
    }

    /// Tells the composed texts apart.
    fn key(self) -> usize {
        usize::from(self.messages)
    }
}

/// The statement for appends, each for itself.
pub(crate) fn appends(texts: &Texts, with: With) -> SqlStr {
    if with == With::default() {
        return texts.statement(APPEND_MANY);
    }
    texts.variant(APPEND_MANY, with.key(), || head_and_outcome(with, "").join("\n"))
}

/// The statement in two: up to where the outcome is put together, and that. For the default schema.
pub(super) fn head_and_outcome(with: With, messages_if: &str) -> [String; 2] {
    let mut text = APPEND_MANY.to_owned();
    if with.messages {
        let part = renumber(PUBLISH_MESSAGES, OF_MESSAGES, OF_APPENDS);
        text = text.replace("/* messages */", &format!(", {part}"));
        text = text.replace("/* or there are messages */", messages_if);
    }
    let (head, outcome) = text.split_once("/* outcome */").unwrap_or((&text, ""));
    [head.to_owned(), outcome.to_owned()]
}

/// A part of a statement without its header, and with parameters that follow `first` others.
pub(super) fn renumber(part: &str, parameters: usize, first: usize) -> String {
    let mut text = part.lines().filter(|line| !line.starts_with("--")).collect::<Vec<_>>().join("\n");
    // from the last to the first, so that $1 is not found within $1x
    for parameter in (1..=parameters).rev() {
        text = text.replace(&format!("${parameter}::"), &format!("$#{}::", first + parameter));
    }
    text.replace("$#", "$")
}
