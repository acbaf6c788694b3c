//! Signed tokens.

use super::list::Annotation;

pub(super) const ANNOTATIONS: &[Annotation] = &[];
