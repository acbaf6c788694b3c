//! Scripts of other sites.

use super::list::Annotation;

pub(super) const ANNOTATIONS: &[Annotation] = &[];
