//! Copies of requests.

use super::list::Annotation;

pub(super) const ANNOTATIONS: &[Annotation] = &[];
