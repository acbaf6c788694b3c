//! Requests that go to a new version of a Service.

use super::list::Annotation;

pub(super) const ANNOTATIONS: &[Annotation] = &[];
