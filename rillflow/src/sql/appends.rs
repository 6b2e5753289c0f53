//! `append_many` with what goes beside events: put in where its comments say.

use super::{APPEND_MANY, PUBLISH_MESSAGES, TAGS_REQUIRED, TAGS_WRITTEN, Text, Texts};

/// The parameters of `append_many` alone, and those of messages.
pub(super) const OF_APPENDS: usize = 17;
const OF_MESSAGES: usize = 7;

/// What a statement holds beside appends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct With {
    /// Tags, whose parameters follow those of the appends.
    pub(crate) tags: Tags,
    /// Messages, whose parameters follow those.
    pub(crate) messages: bool,
}

/// How an append concerns tags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tags {
    /// Not at all.
    #[default]
    None,
    /// Its events carry some.
    Written,
    /// It rests on a query over them.
    Required,
}

impl Tags {
    /// The part of the statement, and how many parameters it has.
    fn part(self) -> (&'static str, usize) {
        match self {
            Self::None => ("", 0),
            Self::Written => (TAGS_WRITTEN, 2),
            Self::Required => (TAGS_REQUIRED, 6),
        }
    }
}

impl With {
    /// How many parameters come before those of a session's documents.
    pub(super) fn parameters(self) -> usize {
        OF_APPENDS + self.tags.part().1 + if self.messages { OF_MESSAGES } else { 0 }
    }

    /// Tells the composed texts apart.
    fn key(self) -> usize {
        usize::from(self.messages) + 2 * self.tags as usize
    }
}

/// The statement for appends, each for itself.
pub(crate) fn appends(texts: &Texts, with: With) -> Text {
    if with == With::default() {
        return texts.statement(APPEND_MANY);
    }
    texts.variant(APPEND_MANY, with.key(), || head_and_outcome(with, "").join("\n"))
}

/// The statement in two: up to where the outcome is put together, and that. For the default schema.
pub(super) fn head_and_outcome(with: With, messages_if: &str) -> [String; 2] {
    let mut text = APPEND_MANY.to_owned();
    let (part, parameters) = with.tags.part();
    if parameters > 0 {
        let part = renumber(part, parameters, OF_APPENDS);
        text = text.replace("/* tagged */", &format!(", {part}")).replace("/* after tagged */", ", tagged");
        text = text.replace("/* , $tags */", &format!(", ${}::text[]", OF_APPENDS + 1));
        text = text.replace("/* , tags */", ", tags").replace("/* , tags::text[] */", ", tags::text[]");
    }
    if with.messages {
        let part = renumber(PUBLISH_MESSAGES, OF_MESSAGES, OF_APPENDS + parameters);
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
