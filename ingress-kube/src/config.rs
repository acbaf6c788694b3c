//! What the embedding program decides.

use std::fmt;
use std::sync::Arc;

use ingress_core::{AmbiguousPaths, HostFallthrough, Locality, ResourceRef};

use crate::{CheckKeys, DefaultBackendService, HostOwnership, LoadCertificate, LoadTrust};

/// The `spec.controller` of IngressClass objects that are ours, unless [`Config::controller_class`] says
/// otherwise.
pub const DEFAULT_CONTROLLER: &str = "ingress-gateway.io/gateway";

/// Which objects are served, and how.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// The one class to serve, by name. The legacy annotation `kubernetes.io/ingress.class` is compared
    /// with it, so without it no annotated Ingress is served.
    pub ingress_class: Option<String>,
    /// `spec.controller` of the IngressClass objects that are ours.
    pub controller_class: String,
    /// Whether to serve Ingresses that name no class where no class is the default.
    pub watch_ingress_without_class: bool,
    /// What addresses a Service's requests go to.
    pub upstream: Upstream,
    /// Where the gateway runs, so that the endpoints of a Service are preferred that are meant for this zone or node:
    /// `hints` of EndpointSlices and `spec.trafficDistribution` of Services (KEP-2433, KEP-3015, KEP-4444).
    pub locality: Locality,
    /// What happens to a request that no path of its host takes.
    pub host_fallthrough: HostFallthrough,
    /// What happens to paths that application servers read in different ways.
    pub ambiguous_paths: AmbiguousPaths,
    /// The resource backends that this process answers itself; any other is a finding.
    pub resources: Vec<ResourceRef>,
    /// The Service that takes what no rule and no default backend of an Ingress takes: the global default
    /// backend. It comes after the default backends of Ingresses without rules or with host-less rules, and
    /// before that of the oldest Ingress with a default backend.
    pub default_backend_service: Option<DefaultBackendService>,
    /// Which namespaces may claim which hosts; without it every namespace may claim every host.
    pub host_ownership: Option<HostOwnership>,
    /// Whether a Service of type ExternalName leads to the DNS name in it. Such a name may lead anywhere, so
    /// whoever may write Services then decides where the gateway connects to.
    pub allow_external_name: bool,
    /// How certificates are made of Secrets; without it `spec.tls` has no effect.
    pub load_certificate: Option<LoadCertificate>,
    /// How authorities for the certificates of endpoints are made of Secrets; without it nobody is trusted where an
    /// Ingress names one.
    pub load_trust: Option<LoadTrust>,
    /// How the keys of tokens in Secrets are checked; without it what is wrong with them is only seen by requests, which are
    /// refused.
    pub check_keys: Option<CheckKeys>,
    /// Namespace and name of the Secret whose certificate is presented to clients that ask for a host without one.
    pub default_certificate: Option<(Arc<str>, Arc<str>)>,
    /// Annotations of the embedding program's own.
    pub custom_annotations: Vec<CustomAnnotation>,
}

/// An annotation of the embedding program's own, which Ingresses may have. Its text becomes a
/// [`Policy::custom`](ingress_core::Policy::custom) of the Ingress's rules, under the annotation's name.
#[derive(Clone)]
pub struct CustomAnnotation {
    name: Box<str>,
    validate: Arc<Validate>,
}

type Validate = dyn Fn(&str) -> Result<(), String> + Send + Sync;

/// What addresses a Service's requests go to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Upstream {
    /// The addresses in the Service's EndpointSlices; its `clusterIP` only where it has no EndpointSlice.
    #[default]
    Endpoints,
    /// The Service's `clusterIP`, so that kube-proxy chooses. A headless Service has none and is routed
    /// to the addresses in its EndpointSlices.
    ClusterIp,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            ingress_class: None,
            controller_class: DEFAULT_CONTROLLER.into(),
            watch_ingress_without_class: false,
            upstream: Upstream::default(),
            locality: Locality::default(),
            host_fallthrough: HostFallthrough::default(),
            ambiguous_paths: AmbiguousPaths::default(),
            resources: Vec::new(),
            default_backend_service: None,
            host_ownership: None,
            allow_external_name: false,
            load_certificate: None,
            load_trust: None,
            check_keys: None,
            default_certificate: None,
            custom_annotations: Vec::new(),
        }
    }
}

impl Config {
    /// Sets the one class to serve.
    #[must_use]
    pub fn ingress_class(mut self, name: impl Into<String>) -> Self {
        self.ingress_class = Some(name.into());
        self
    }

    /// Sets the `spec.controller` of the IngressClass objects that are ours.
    #[must_use]
    pub fn controller_class(mut self, controller: impl Into<String>) -> Self {
        self.controller_class = controller.into();
        self
    }

    /// Sets whether Ingresses that name no class are served where no class is the default.
    #[must_use]
    pub fn watch_ingress_without_class(mut self, watch: bool) -> Self {
        self.watch_ingress_without_class = watch;
        self
    }

    /// Sets what addresses a Service's requests go to.
    #[must_use]
    pub fn upstream(mut self, upstream: Upstream) -> Self {
        self.upstream = upstream;
        self
    }

    /// Sets where the gateway runs.
    #[must_use]
    pub fn locality(mut self, locality: Locality) -> Self {
        self.locality = locality;
        self
    }

    /// Sets what happens to a request that no path of its host takes.
    #[must_use]
    pub fn host_fallthrough(mut self, fallthrough: HostFallthrough) -> Self {
        self.host_fallthrough = fallthrough;
        self
    }

    /// Sets what happens to paths that application servers read in different ways.
    #[must_use]
    pub fn ambiguous_paths(mut self, ambiguous: AmbiguousPaths) -> Self {
        self.ambiguous_paths = ambiguous;
        self
    }

    /// Adds a resource backend that this process answers itself.
    #[must_use]
    pub fn resource(mut self, resource: ResourceRef) -> Self {
        self.resources.push(resource);
        self
    }

    /// Sets the Service that takes what no rule and no default backend of an Ingress takes.
    #[must_use]
    pub fn default_backend_service(mut self, service: DefaultBackendService) -> Self {
        self.default_backend_service = Some(service);
        self
    }

    /// Sets which namespaces may claim which hosts.
    #[must_use]
    pub fn host_ownership(mut self, policy: HostOwnership) -> Self {
        self.host_ownership = Some(policy);
        self
    }

    /// Sets whether a Service of type ExternalName leads to the DNS name in it.
    #[must_use]
    pub fn allow_external_name(mut self, allow: bool) -> Self {
        self.allow_external_name = allow;
        self
    }

    /// Sets how certificates are made of Secrets, so that `spec.tls` has an effect.
    #[must_use]
    pub fn load_certificate(mut self, load: LoadCertificate) -> Self {
        self.load_certificate = Some(load);
        self
    }

    /// Sets how authorities for the certificates of endpoints are made of Secrets.
    #[must_use]
    pub fn load_trust(mut self, load: LoadTrust) -> Self {
        self.load_trust = Some(load);
        self
    }

    /// Sets how the keys of tokens in Secrets are checked.
    #[must_use]
    pub fn check_keys(mut self, check: CheckKeys) -> Self {
        self.check_keys = Some(check);
        self
    }

    /// Sets the Secret whose certificate is presented to clients that ask for a host without one.
    #[must_use]
    pub fn default_certificate(mut self, namespace: impl Into<Arc<str>>, name: impl Into<Arc<str>>) -> Self {
        self.default_certificate = Some((namespace.into(), name.into()));
        self
    }

    /// Adds an annotation of this program's own, by its full name, such as `example.com/api-key`. It is read of Ingresses
    /// alone, neither of Services nor as a parameter of a class. `validate` says what is wrong with a text, if anything is;
    /// that is a finding, and the paths are closed then, since the annotation may be a protection. A name that is this
    /// crate's own is this program's from now on.
    ///
    /// ```
    /// use ingress_kube::Config;
    ///
    /// let config = Config::default().custom_annotation("example.com/team", |text| match text {
    ///     "" => Err("no team is named".into()),
    ///     _ => Ok(()),
    /// });
    /// ```
    #[must_use]
    pub fn custom_annotation(
        mut self,
        name: impl Into<Box<str>>,
        validate: impl Fn(&str) -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        let name = name.into();
        self.custom_annotations.retain(|known| known.name != name);
        self.custom_annotations.push(CustomAnnotation { name, validate: Arc::new(validate) });
        self
    }

    /// The annotation of the embedding program's own that has this name.
    pub(crate) fn custom(&self, name: &str) -> Option<&CustomAnnotation> {
        self.custom_annotations.iter().find(|known| &*known.name == name)
    }
}

// ===== impl CustomAnnotation =====

impl CustomAnnotation {
    /// Its full name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What is wrong with a text, if anything is.
    pub(crate) fn validate(&self, text: &str) -> Result<(), String> {
        (self.validate)(text)
    }
}

impl fmt::Debug for CustomAnnotation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CustomAnnotation").field(&self.name).finish()
    }
}
