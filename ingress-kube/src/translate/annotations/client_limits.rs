//! How much each client may ask for.

use super::list::Annotation;

pub(super) const ANNOTATIONS: &[Annotation] = &[];
