//! What is wrong with a value, and what is said in vain.

use super::DOMAIN;

/// What comes of what cannot be read, where it says who may send requests.
pub(super) const CLOSED: &str = "these paths answer 503";

/// What is wrong with a value, and what to write instead.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) message: String,
    pub(crate) help: String,
}

/// What has no effect for want of something else.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Vain {
    pub(crate) name: &'static str,
    pub(crate) why: Box<str>,
    /// The name of what is missing, and what else to say of it.
    pub(crate) write: &'static str,
}

// ===== impl Vain, Fault =====

impl Vain {
    /// What is found about the annotation.
    pub(in crate::translate) fn message(&self) -> String {
        format!("the annotation has no effect: {}", self.why)
    }

    /// What to write.
    pub(in crate::translate) fn help(&self) -> String {
        format!("write {DOMAIN}{}", self.write)
    }
}

impl Fault {
    pub(super) fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { message: message.into(), help: help.into() }
    }

    /// The same, of a value without which nobody may send requests.
    pub(super) fn closing(self) -> Self {
        match self.help.ends_with(CLOSED) {
            true => self,
            false => Self { help: format!("{}; until then {CLOSED}", self.help), ..self },
        }
    }
}
