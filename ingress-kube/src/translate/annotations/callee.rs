//! Whom the gateway asks on its own account, as an annotation says it: a port of a Service of the same namespace, or a URL.
//!
//! `SERVICE:PORT`, `SERVICE:PORT/path?query` and `http(s)://host[:port]/path?query`. A URL leads anywhere, so that it needs
//! leave to be followed, as a Service of type ExternalName does, unless its host is a Service of the same namespace.

use ingress_core::{Callee, CalleeAddress, EndpointAddress, HostName, PathRewrite, Policy, PortRef};
use ingress_core::{Protocol, Template};

use super::named::NamedService;
use super::{Fault, rewrite};
use crate::translate::external_name;
use crate::{Config, Store};

const CLUSTER: [&str; 2] = [".svc", ".svc.cluster.local"];

/// Whom an annotation names, and the path that is asked for there. What cannot be asked closes the paths, for what is asked
/// is who may send requests.
#[derive(Clone, Debug)]
pub(in crate::translate) struct NamedCallee {
    pub(in crate::translate) annotation: &'static str,
    target: Target,
    path: Template,
    /// Whether an address that is no Service's must speak TLS.
    must_be_secure: bool,
    /// Puts the callee into the policy.
    pub(in crate::translate) put: fn(&mut Policy, Callee),
}

/// Who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Target {
    Service(Box<str>, PortRef),
    Url(HostName, u16, Protocol),
}

/// Reads whom an annotation names.
pub(super) fn named(
    annotation: &'static str,
    text: &str,
    put: fn(&mut Policy, Callee),
) -> Result<NamedCallee, Fault> {
    let (target, path) = match split_scheme(text.trim()) {
        Some((protocol, rest)) => url(protocol, rest)?,
        None => {
            let (service, path) = split_path(text.trim());
            let named = service_port(service, SERVICE_HELP);
            let (name, port) = named.map_err(|found| fault(&found.message, "", &found.help))?;
            (Target::Service(name, port), path)
        }
    };
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    match rewrite::path(&path) {
        Ok(PathRewrite::Full(path)) => {
            Ok(NamedCallee { annotation, target, path, must_be_secure: false, put })
        }
        Ok(_) => Err(fault("there is no path", text, SERVICE_HELP)),
        Err(Fault { message, .. }) => Err(fault(&message, "", "write a path such as /check")),
    }
}

/// `SERVICE:PORT` of an annotation.
pub(super) fn named_service(
    annotation: &'static str,
    text: &str,
    help: &str,
    put: fn(&mut Policy, ingress_core::BackendRef),
) -> Result<NamedService, Fault> {
    let (name, port) = service_port(text.trim(), help)?;
    Ok(NamedService { annotation, name, port, put })
}

const SERVICE_HELP: &str =
    "write a Service of this namespace and its port, and perhaps a path, such as auth:80/check";

/// A Service and its port, by number or by name.
pub(super) fn service_port(text: &str, help: &str) -> Result<(Box<str>, PortRef), Fault> {
    let of = |why: &str| Fault::new(format!("{why}: {text:?}"), help);
    let (name, port) = text.split_once(':').ok_or_else(|| of("no port is named"))?;
    if name.contains('/') {
        return Err(of("the Service must be in the same namespace"));
    }
    if !is_label(name, 63) {
        return Err(of("there is no name of a Service before the colon"));
    }
    let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let port = match port.parse::<u16>() {
        Ok(number) if digits && number != 0 => PortRef::Number(number),
        // The name of a port has at most 15 characters, of which one is a letter (RFC 6335 section 5.1).
        _ if !digits && is_label(port, 15) => PortRef::Name(port.into()),
        _ => return Err(of("there is no port after the colon")),
    };
    Ok((name.into(), port))
}

fn is_label(text: &str, most: usize) -> bool {
    let is_edge = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    let all = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    text.len() <= most
        && text.bytes().all(all)
        && is_edge(text.bytes().next())
        && is_edge(text.bytes().last())
}

fn split_scheme(text: &str) -> Option<(Protocol, &str)> {
    let (scheme, rest) = text.split_once("://")?;
    let protocol = match &*scheme.to_ascii_lowercase() {
        "http" => Protocol::Http1,
        "https" => Protocol::Https,
        _ => return None,
    };
    Some((protocol, rest))
}

/// What stands before path and query, and these.
fn split_path(text: &str) -> (&str, &str) {
    text.split_at(text.find(['/', '?', '#']).unwrap_or(text.len()))
}

const URL_HELP: &str = "write a URL such as http://auth.example/check, without a user";

fn url(protocol: Protocol, rest: &str) -> Result<(Target, &str), Fault> {
    let (authority, path) = split_path(rest);
    let of = |why: &str| fault(why, authority, URL_HELP);
    if authority.contains('@') {
        // It may be a password, which is not for a finding.
        return Err(fault("the URL has a user", "", URL_HELP));
    }
    let (host, port) = match authority.rsplit_once(':').filter(|(host, _)| !host.ends_with(':')) {
        Some((host, port)) if !port.ends_with(']') => {
            let digits = port.bytes().all(|byte| byte.is_ascii_digit());
            let number = port.parse::<u16>().ok().filter(|number| digits && *number != 0);
            (host, number.ok_or_else(|| of("the port is no port number"))?)
        }
        _ => (authority, if protocol.is_tls() { 443 } else { 80 }),
    };
    let host = host.strip_suffix('.').unwrap_or(host);
    let host = host.parse::<HostName>().map_err(|error| of(&error.to_string()))?;
    Ok((Target::Url(host, port, protocol), path))
}

fn fault(why: &str, text: &str, help: &str) -> Fault {
    let message = if text.is_empty() { why.to_owned() } else { format!("{why}: {text:?}") };
    Fault::new(message, help).closing()
}

// ===== impl NamedCallee =====

impl NamedCallee {
    /// Whom to ask, or what is wrong and what to write instead: the port of a Service of this namespace, or the callee that
    /// is somewhere else.
    pub(in crate::translate) fn find(
        &self,
        namespace: &str,
        store: &Store,
        config: &Config,
    ) -> Result<Found, Fault> {
        let (host, port, protocol) = match &self.target {
            Target::Service(name, port) => return Ok(Found::Service(name.clone(), port.clone())),
            Target::Url(host, port, protocol) => (host, *port, *protocol),
        };
        let closed = |message: String, help: &str| Fault::new(message, help).closing();
        if let Some(name) = own_service(host.as_str(), namespace) {
            if protocol.is_tls() {
                let help = format!(
                    "write {name}:{port} and a path, and backend-protocol https on the Service unless its appProtocol says so"
                );
                return Err(closed(
                    "what a Service of this namespace speaks is said by the Service".into(),
                    &help,
                ));
            }
            return Ok(Found::Service(name.into(), PortRef::Number(port)));
        }
        if !config.allow_external_name {
            let help = "write SERVICE:PORT and a path, such as auth:80/check, or start the gateway with --allow-external-name";
            let message = format!(
                "{host} is no Service of this namespace, and a URL that leads elsewhere is not followed"
            );
            return Err(closed(message, help));
        }
        if self.must_be_secure && !protocol.is_tls() {
            let message = format!("whoever is between here and {host} could answer in its place");
            return Err(closed(message, "write https:// in place of http://"));
        }
        if may_be_of_cluster(host.as_str(), store) {
            let help = "write the whole name of the host, or SERVICE:PORT of a Service of this namespace";
            return Err(closed(format!("{host} may be a Service of another namespace"), help));
        }
        let name = external_name::name(store, host.as_str());
        let name = name.map_err(|(why, _)| {
            closed(format!("{host}: {why}"), "write SERVICE:PORT and a path, such as auth:80/check")
        })?;
        let address = CalleeAddress::Url(EndpointAddress::Name(name, port), protocol);
        Ok(Found::Elsewhere(self.callee(address)))
    }

    /// The same, where an address that is no Service's must speak TLS.
    pub(super) fn secure_elsewhere(self) -> Self {
        Self { must_be_secure: true, ..self }
    }

    /// The callee at an address.
    pub(in crate::translate) fn callee(&self, address: CalleeAddress) -> Callee {
        Callee::new(address, self.path.clone())
    }
}

/// Who is asked.
#[derive(Debug)]
pub(in crate::translate) enum Found {
    /// A port of a Service of the namespace.
    Service(Box<str>, PortRef),
    /// Somebody who is in no table.
    Elsewhere(Callee),
}

/// The Service of the namespace whose name in the cluster this is.
fn own_service<'h>(host: &'h str, namespace: &str) -> Option<&'h str> {
    let name = CLUSTER.iter().find_map(|suffix| host.strip_suffix(suffix))?;
    name.strip_suffix(namespace)?.strip_suffix('.').filter(|name| !name.contains('.'))
}

/// Whether the name would be that of a Service of another namespace, now or once it is there, with the search domains of a
/// Pod.
fn may_be_of_cluster(host: &str, store: &Store) -> bool {
    let namespace = host.split_once('.').map(|(_, namespace)| namespace);
    namespace.is_some_and(|namespace| store.services.of_namespace(namespace).next().is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(_: &mut Policy, _: Callee) {}

    fn shown(text: &str) -> Result<String, String> {
        let named = named("external-auth", text, put).map_err(|fault| fault.message)?;
        Ok(format!("{:?} {}", named.target, named.path))
    }

    #[test]
    fn services_and_urls() {
        for (text, want) in [
            ("auth:80", r#"Service("auth", Number(80)) /"#),
            (" auth:http\n", r#"Service("auth", Name("http")) /"#),
            ("auth:80/", r#"Service("auth", Number(80)) /"#),
            ("auth:80/check?from={host}", r#"Service("auth", Number(80)) /check?from={host}"#),
            ("auth:80?x", r#"Service("auth", Number(80)) /?x"#),
            ("http://Auth.example", r#"Url(HostName("auth.example"), 80, Http1) /"#),
            ("HTTPS://auth.example./a", r#"Url(HostName("auth.example"), 443, Https) /a"#),
            ("https://auth.example:8443/a?b", r#"Url(HostName("auth.example"), 8443, Https) /a?b"#),
        ] {
            assert_eq!(shown(text).as_deref(), Ok(want), "{text:?}");
        }
        for text in [
            "",
            "auth",
            "auth:",
            ":80",
            "auth:0",
            "auth:65536",
            "auth:+80",
            "auth:-",
            "other/auth:80",
            "Auth:80",
            "auth:80/a/../b",
            "auth:80/%2e%2e/b",
            "auth:80/a b",
            "auth:80/a#b",
            "auth:80/{",
            "ftp://auth.example/",
            "http://",
            "http:///a",
            "http://user:secret@auth.example/",
            "http://127.0.0.1/",
            "http://[::1]/",
            "http://[::1]:80/",
            "http://auth.example:0/",
            "http://auth.example:+80/",
            "http://auth.example:/",
            "http://a_b c/",
            "http://{host}/",
        ] {
            let fault = named("external-auth", text, put).unwrap_err();
            assert!(!fault.message.contains("secret"), "{fault:?}");
        }
    }

    #[test]
    fn names_in_the_cluster() {
        for (host, want) in [
            ("auth.shop.svc", Some("auth")),
            ("auth.shop.svc.cluster.local", Some("auth")),
            ("auth.other.svc", None),
            ("a.auth.shop.svc", None),
            ("shop.svc", None),
            ("authshop.svc", None),
            ("auth.shop", None),
            ("auth.shop.svc.example", None),
        ] {
            assert_eq!(own_service(host, "shop"), want, "{host}");
        }
    }
}
