//! Fields of Services that other implementations act on and this one does not: said, once for each.
//!
//! Without effect by their nature, and therefore without a word: labels, `status`, `selector`, `targetPort` and
//! `publishNotReadyAddresses` (the control plane has put them into the EndpointSlices), node ports, load balancers and
//! the traffic policy for them, the annotation `service.kubernetes.io/topology-mode` (the control plane makes hints of
//! it, which `locality` reads), and names of `appProtocol` that are not Kubernetes' own or IANA's (`core/v1`).

use ingress_core::Code;
use k8s_openapi::api::core::v1::Service;

use super::locality::Distribution;
use super::{Output, annotations};
use crate::Upstream;
use crate::store::Stored;

/// Reports what a Service that a rule points at says in vain. Where requests go
/// through the `clusterIP`, kube-proxy acts on the fields about the choice of an endpoint.
pub(super) fn report(service: &Stored<Service>, upstream: Upstream, out: &mut Output) {
    let Some(spec) = &service.object.spec else { return };
    if upstream != Upstream::Endpoints {
        return;
    }
    let mut find = |field: &str, message: &str, help: &str| {
        let message = format!("the field has no effect: {message}");
        out.find(Code::IgnoredField, &service.source, field, message, help);
    };
    let is_set = |field: &Option<String>, plain: &str| {
        field.as_ref().is_some_and(|value| !value.is_empty() && value != plain)
    };
    // Who has said here what is to happen may leave the field to kube-proxy.
    let has_affinity = annotations::has(&service.object.metadata, "affinity");
    if is_set(&spec.session_affinity, "None") && !has_affinity {
        let message = "requests of one client go to all endpoints in turn";
        let help = "write the annotation ingress.gateway/affinity: source-address, or None";
        find("spec.sessionAffinity", message, help);
    }
    if let Err(text) = Distribution::of(&service.object) {
        let message = format!("there is no traffic distribution {text:?}");
        find("spec.trafficDistribution", &message, "write PreferSameZone or PreferSameNode");
    }
    if is_set(&spec.internal_traffic_policy, "Cluster") {
        let message = "requests go to the endpoints of all nodes";
        let help =
            "write spec.trafficDistribution: PreferSameNode, or let kube-proxy choose: --upstream cluster-ip";
        find("spec.internalTrafficPolicy", message, help);
    }
}
