//! Answers that are compressed.

use super::list::Annotation;

pub(super) const ANNOTATIONS: &[Annotation] = &[];
