//! Certificates of clients.

use super::list::Annotation;

pub(super) const ANNOTATIONS: &[Annotation] = &[];
