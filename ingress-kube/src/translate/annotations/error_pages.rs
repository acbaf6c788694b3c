//! What clients see in place of errors.

use super::list::Annotation;

pub(super) const ANNOTATIONS: &[Annotation] = &[];
