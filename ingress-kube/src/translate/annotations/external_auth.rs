//! A service that says who may pass.

use super::list::Annotation;

pub(super) const ANNOTATIONS: &[Annotation] = &[];
