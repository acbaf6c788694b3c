//! Names and passwords.

use super::list::Annotation;

pub(super) const ANNOTATIONS: &[Annotation] = &[];
