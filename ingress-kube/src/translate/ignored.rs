//! Fields of Services that other implementations act on and this one does not: said, once for each.
//!
//! Without effect by their nature, and therefore without a word: labels, `status`, `selector`, `targetPort` and
//! `publishNotReadyAddresses` (the control plane has put them into the EndpointSlices), node ports, load balancers and
//! the traffic policy for them, hints and topology in EndpointSlices (written by the control plane, to be
//! ignored by whoever does not know its zone: KEP-2433), and names of `appProtocol` that are not Kubernetes' own or
//! IANA's (`core/v1`).

use ingress_core::Code;
use k8s_openapi::api::core::v1::Service;

use super::Output;
use crate::Upstream;
use crate::store::Stored;

/// Reports what a Service that a rule points at says in vain. Where requests go
/// through the `clusterIP`, kube-proxy acts on the fields about the choice of an endpoint.
pub(super) fn report(service: &Stored<Service>, upstream: Upstream, out: &mut Output) {
    let Some(spec) = &service.object.spec else { return };
    let mut find = |field: String, message: String, help: &str| {
        out.find(Code::IgnoredField, &service.source, field, message, help);
    };
    let chosen_here = upstream == Upstream::Endpoints;
    let set = |field: &Option<String>, plain: &str| {
        field.clone().filter(|value| chosen_here && !value.is_empty() && value != plain)
    };
    if set(&spec.session_affinity, "None").is_some() {
        let message = "the field has no effect: requests of one client go to all endpoints in turn".into();
        find(
            "spec.sessionAffinity".into(),
            message,
            "write None, or keep sessions where all endpoints see them",
        );
    }
    let near = [
        ("spec.trafficDistribution", set(&spec.traffic_distribution, "")),
        ("spec.internalTrafficPolicy", set(&spec.internal_traffic_policy, "Cluster")),
    ];
    for (field, value) in near {
        let Some(value) = value else { continue };
        let message =
            format!("the field has no effect: {value} needs zones or nodes, which are not told apart");
        find(field.into(), message, "leave it out, or let kube-proxy choose: --upstream cluster-ip");
    }
}
