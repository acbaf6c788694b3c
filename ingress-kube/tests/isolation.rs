//! One more object, sound or broken, changes nothing for the requests that it does not concern.
//!
//! What an object concerns is said here by what is written in it, apart from the translation:
//!
//! - an IngressClass: every request, if an Ingress names it, or names no class at all; otherwise none;
//! - a Service or EndpointSlice: the requests whose route points at that Service, and of these only the endpoints;
//! - an Ingress: see [`Claims::concern`]. Rules that are broken claim nothing.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

mod generate;

use std::collections::BTreeMap;

use ingress_core::{
    BackendRef, HostMatch, PathMatch, PortRef, RequestHead, RequestHost, RequestPath, RouteTable, Source,
    Turn,
};
use ingress_kube::{Object, Store, translate};
use k8s_openapi::api::networking::v1::{HTTPIngressPath, Ingress};
use proptest::collection::vec;
use proptest::prelude::*;

const REQUEST_HOSTS: [&str; 5] = ["", "a.x", "b.x", "c.x", "elsewhere"];
const OTHER_PATHS: [&str; 3] = ["/c", "/a/c", "/a/b/"];

/// What a request is answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Answer {
    Ambiguous,
    NoRoute,
    Route(Taken),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Taken {
    /// Namespace, name and field; nothing for the global default backend.
    source: Option<(String, String, String)>,
    is_default: bool,
    backend: BackendRef,
    endpoints: Vec<String>,
}

/// How an Ingress concerns a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Concern {
    No,
    /// A path of it takes the path, or its default backend may serve.
    May,
    /// Its host is stronger than every host that took the request.
    TakesHost,
}

/// What the sound rules of an Ingress say.
struct Claims {
    paths: Vec<(String, String, bool)>,
    default: bool,
    /// The sound hosts of its rules, which its default backend is for, too.
    hosts: Vec<String>,
}

fn table(objects: &BTreeMap<ingress_kube::ObjectKey, Object>, config: u8) -> RouteTable {
    let mut store = Store::default();
    for object in objects.values() {
        store.apply(object.clone(), None);
    }
    translate(&store, &generate::config(config)).build().0
}

fn answer(table: &RouteTable, host: &str, path: &str) -> Answer {
    let (host, path) = (RequestHost::parse(host).unwrap(), RequestPath::parse(path).unwrap());
    let found = match table.lookup(&RequestHead::new(&host, &path)) {
        Err(_) => return Answer::Ambiguous,
        Ok(None) => return Answer::NoRoute,
        Ok(Some(found)) => found,
    };
    let source = found.route.source().map(|source| {
        (source.object.namespace.to_string(), source.object.name.to_string(), source.field.to_string())
    });
    let backend = found.backend(|_| Turn::Ticket(0)).unwrap();
    let endpoints = backend.endpoints().as_slice().iter().map(|endpoint| endpoint.address().to_string());
    Answer::Route(Taken {
        source,
        is_default: found.route.path() == PathMatch::Default,
        backend: backend.reference().clone(),
        endpoints: endpoints.collect(),
    })
}

// ===== impl Answer =====

impl Answer {
    fn is_default_or_none(&self) -> bool {
        matches!(self, Self::NoRoute | Self::Route(Taken { is_default: true, .. }))
    }

    fn points_at(&self, namespace: &str, name: &str) -> bool {
        let Self::Route(Taken { backend: BackendRef::Service(service), .. }) = self else { return false };
        (&*service.namespace, &*service.name) == (namespace, name)
    }

    fn is_of(&self, object: &Object) -> bool {
        let Self::Route(Taken { source: Some((namespace, name, _)), .. }) = self else { return false };
        let key = object.key();
        (&**namespace, &**name) == (&*key.namespace, &*key.name)
    }

    /// The same route, whatever its endpoints.
    fn without_endpoints(mut self) -> Self {
        if let Self::Route(taken) = &mut self {
            taken.endpoints.clear();
            // The global default backend has the Service's first port, whichever that is.
            if let (None, BackendRef::Service(service)) = (&taken.source, &mut taken.backend) {
                service.port = PortRef::Number(0);
            }
        }
        self
    }
}

// ===== impl Claims =====

impl Claims {
    fn of(ingress: &Ingress) -> Self {
        let spec = ingress.spec.as_ref().unwrap();
        let (mut paths, mut hosts) = (Vec::new(), Vec::new());
        for rule in spec.rules.iter().flatten() {
            let host = rule.host.clone().unwrap_or_default();
            if generate::BROKEN_HOSTS.contains(&&*host) {
                continue;
            }
            let sound = rule.http.iter().flat_map(|http| &http.paths).filter_map(sound_path);
            paths.extend(sound.map(|(path, exact)| (host.clone(), path, exact)));
            hosts.push(host);
        }
        Self { paths, default: spec.default_backend.is_some(), hosts }
    }

    /// `before` is what the request was answered with, `owner` the strength of the strongest host that any
    /// rule had for it.
    fn concern(&self, host: &str, path: &str, before: &Answer, owner: u8) -> Concern {
        let claimed = self.paths.iter().map(|(claimed, ..)| claimed);
        let hosts = claimed.chain(self.hosts.iter().filter(|_| self.default));
        let stronger = hosts.filter_map(|claimed| strength(claimed, host)).any(|strength| strength < owner);
        let is_ambiguous = RequestPath::parse(path).unwrap().is_ambiguous();
        let takes = |(claimed, text, exact): &(String, String, bool)| {
            let same_host = strength(claimed, host) == Some(owner);
            same_host && (is_ambiguous || if *exact { text == path } else { is_prefix(text, path) })
        };
        let by_default = self.default && (is_ambiguous || before.is_default_or_none());
        match (stronger, by_default || self.paths.iter().any(takes)) {
            (true, _) => Concern::TakesHost,
            (false, true) => Concern::May,
            (false, false) => Concern::No,
        }
    }
}

/// A path that an Ingress may have, and whether it is an exact one.
fn sound_path(path: &HTTPIngressPath) -> Option<(String, bool)> {
    let text = path.path.as_deref().unwrap_or_default();
    let strict = text.starts_with('/') && !["//", "%2F", "?"].iter().any(|part| text.contains(part));
    match &*path.path_type {
        "Exact" if strict => Some((text.into(), true)),
        "Prefix" if strict => Some((text.into(), false)),
        "ImplementationSpecific" if text.is_empty() => Some(("/".into(), false)),
        "ImplementationSpecific" if text.starts_with('/') => Some((text.into(), false)),
        _ => None,
    }
}

fn is_prefix(rule: &str, path: &str) -> bool {
    let mut path = path.split('/');
    rule.strip_suffix('/').unwrap_or(rule).split('/').all(|element| path.next() == Some(element))
}

/// How strongly a rule's host takes a request's: 0 is the strongest.
fn strength(rule: &str, host: &str) -> Option<u8> {
    match rule.strip_prefix("*.") {
        _ if rule.is_empty() => Some(2),
        Some(suffix) => host.split_once('.').is_some_and(|(_, rest)| rest == suffix).then_some(1),
        None => (rule == host).then_some(0),
    }
}

/// The strongest host in the table for a request's; 3 where there is none.
fn owner(table: &RouteTable, host: &str) -> u8 {
    let text = |host: &HostMatch| if *host == HostMatch::Any { String::new() } else { host.to_string() };
    table.routes().filter_map(|found| strength(&text(&found.route.host()), host)).min().unwrap_or(3)
}

fn is_of(source: Option<&Source>, object: &Object) -> bool {
    let key = object.key();
    source.is_some_and(|source| {
        (&*source.object.namespace, &*source.object.name) == (&*key.namespace, &*key.name)
    })
}

/// Whether the class may decide about the Ingress.
fn decides(class: &str, object: &Object) -> bool {
    let Object::Ingress(ingress) = object else { return false };
    let annotated = ingress.metadata.annotations.as_ref().is_some_and(|annotations| !annotations.is_empty());
    let field = ingress.spec.as_ref().and_then(|spec| spec.ingress_class_name.as_deref());
    !annotated && field.is_none_or(|field| field == class)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: generate::cases(1000), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn one_more_object_leaves_the_others_alone(
        config in 0..4u8,
        objects in vec(generate::object(), 0..16),
        added in generate::object(),
    ) {
        // An object with the same key would be replaced.
        let mut objects: BTreeMap<_, _> = objects.into_iter().map(|object| (object.key(), object)).collect();
        objects.remove(&added.key());
        let before = table(&objects, config);
        let decided = objects.values().any(|object| decides(&added.key().name, object));
        objects.insert(added.key(), added.clone());
        let after = table(&objects, config);
        // An Ingress that is not served, or whose rules are all broken or hidden.
        let added_is_idle = !after.routes().any(|found| is_of(found.route.source(), &added));
        for host in REQUEST_HOSTS {
            for path in generate::PATHS.into_iter().chain(OTHER_PATHS) {
                let (was, is) = (answer(&before, host, path), answer(&after, host, path));
                let key = added.key();
                match &added {
                    Object::IngressClass(_) => prop_assert!(decided || was == is, "{} {}: {:?} {:?}", host, path, was, is),
                    Object::Service(_) | Object::EndpointSlice(_) => {
                        let labels = added.metadata().labels.as_ref();
                        let label = labels.and_then(|labels| labels.get("kubernetes.io/service-name"));
                        let name = label.map_or(&*key.name, String::as_str);
                        prop_assert!(was == is || was.points_at(&key.namespace, name), "{} {}: {:?} {:?}", host, path, was, is);
                        prop_assert_eq!(was.without_endpoints(), is.without_endpoints(), "{} {}", host, path);
                    }
                    Object::Ingress(_) if added_is_idle => prop_assert_eq!(was, is, "{} {}", host, path),
                    Object::Ingress(ingress) => {
                        let concern = Claims::of(ingress).concern(host, path, &was, owner(&before, host));
                        let is_ambiguous = is == Answer::Ambiguous;
                        let allowed = was == is || match concern {
                            Concern::No => false,
                            Concern::May if was.is_default_or_none() => {
                                is.is_of(&added) || is_ambiguous || is.is_default_or_none()
                            }
                            Concern::May => is.is_of(&added) || is_ambiguous,
                            // Where no path of the stronger host fits, what was served before is not.
                            Concern::TakesHost => is.is_of(&added) || is_ambiguous || is.is_default_or_none(),
                        };
                        prop_assert!(allowed, "{:?} {} {}: {:?} {:?}", concern, host, path, was, is);
                    }
                    other => prop_assert!(false, "{other:?}"),
                }
            }
        }
    }
}
