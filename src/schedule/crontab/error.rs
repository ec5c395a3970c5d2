//! What is wrong with five fields, where, and what to write instead.

use std::ops::Range;

/// Why a text is no schedule of a crontab.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct BadExpression {
    /// A sentence about the wrong part.
    pub text: String,
    /// What to write instead.
    pub hint: String,
    /// The wrong part, in bytes of the text that was read. It begins and ends between characters.
    pub span: Range<usize>,
}

impl BadExpression {
    pub(super) fn new(span: Range<usize>, text: impl Into<String>, hint: impl Into<String>) -> Self {
        BadExpression { text: text.into(), hint: hint.into(), span }
    }
}
