//! Fields of requests and answers.

use super::list::Annotation;

pub(super) const ANNOTATIONS: &[Annotation] = &[];
