//! Answers that no endpoint is asked for.

use super::list::Annotation;

pub(super) const ANNOTATIONS: &[Annotation] = &[];
