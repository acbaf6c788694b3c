//! TLS that is not ended here.

use super::list::Annotation;

pub(super) const ANNOTATIONS: &[Annotation] = &[];
