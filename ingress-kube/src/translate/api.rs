//! What differs between the Kubernetes versions that `k8s-openapi` can be built for.

use k8s_openapi::api::discovery::v1::{Endpoint, EndpointSlice};

/// `endpoints` of a slice: optional since 1.37, a plain list before.
pub(super) fn endpoints(slice: &EndpointSlice) -> &[Endpoint] {
    k8s_openapi::k8s_if_ge_1_37! {
        slice.endpoints.as_deref().unwrap_or_default()
    }
    k8s_openapi::k8s_if_le_1_36! {
        &slice.endpoints
    }
}
