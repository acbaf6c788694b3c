//! What a document says it is.

use super::fault::Fault;
use crate::Kind;
use crate::translate::hints;

/// The part of an object that says what it is.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(super) struct Header {
    #[serde(rename = "apiVersion")]
    pub(super) api_version: Option<String>,
    pub(super) kind: Option<String>,
    pub(super) metadata: Option<HeaderMetadata>,
}

#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(super) struct HeaderMetadata {
    pub(super) namespace: Option<String>,
    pub(super) name: Option<String>,
}

// ===== impl Header =====

impl Header {
    /// Whether it is a list of objects.
    pub(super) fn is_list(&self) -> bool {
        self.kind.as_deref() == Some("List") && self.api_version.as_deref() == Some("v1")
            || self.listed().is_some()
    }

    /// The kind of the items of a typed list, such as IngressList; they need not say it themselves.
    pub(super) fn listed(&self) -> Option<Kind> {
        let kind = find(self.kind.as_deref()?.strip_suffix("List")?)?;
        (self.api_version.as_deref() == Some(api_version(kind))).then_some(kind)
    }

    /// Takes over what a typed list says of its items.
    pub(super) fn complete(&mut self, kind: Kind) {
        if self.kind.is_none() && self.api_version.is_none() {
            self.kind = Some(kind.as_str().into());
            self.api_version = Some(api_version(kind).into());
        }
    }

    /// The type to read the object as; nothing for one that no table is made from.
    pub(super) fn wanted(&self) -> Result<Option<Kind>, Fault> {
        let Some(kind) = self.kind.as_deref().filter(|kind| !kind.is_empty()) else {
            return Err(Fault::new(
                "kind",
                "the object has no kind",
                "write kind and apiVersion, such as kind: Ingress",
            ));
        };
        let Some(wanted) = find(kind) else { return self.unknown_kind(kind) };
        let expected = api_version(wanted);
        let found = self.api_version.as_deref().unwrap_or_default();
        if found == expected {
            return Ok(Some(wanted));
        }
        let group = |version: &str| version.rsplit_once('/').map(|(group, _)| group.to_owned());
        let message = match found {
            "" => format!("{kind} has no apiVersion"),
            _ if group(found) == group(expected) || found == "extensions/v1beta1" => {
                format!("apiVersion {found} of {kind} is not read")
            }
            // The same kind of another group is another thing, such as the Service of Knative.
            _ => return Ok(None),
        };
        Err(Fault::new(
            "apiVersion",
            message,
            format!("write apiVersion: {expected}, and the fields as that version has them"),
        ))
    }

    /// Most kinds are not ours. One that nobody knows would vanish without a word.
    fn unknown_kind(&self, kind: &str) -> Result<Option<Kind>, Fault> {
        let networking = self.api_version.as_deref() == Some("networking.k8s.io/v1");
        let foreign = ["NetworkPolicy", "IPAddress", "ServiceCIDR"].contains(&kind) || kind.ends_with("List");
        let of_version = |known: &&Kind| self.api_version.as_deref() == Some(api_version(**known));
        let similar = hints::similar(kind, KINDS.iter().filter(of_version).map(|known| known.as_str()));
        let meant = |known: &&Kind| {
            known.as_str().eq_ignore_ascii_case(kind) || similar == Some(known.as_str()) && !foreign
        };
        let help = match KINDS.iter().find(meant) {
            Some(known) => format!("write kind: {known}"),
            None if networking && !foreign => "write kind: Ingress or kind: IngressClass".into(),
            None => return Ok(None),
        };
        Err(Fault::new("kind", format!("there is no kind {kind:?}"), help))
    }
}

const KINDS: [Kind; 6] =
    [Kind::Ingress, Kind::IngressClass, Kind::Service, Kind::EndpointSlice, Kind::ConfigMap, Kind::Secret];

fn find(kind: &str) -> Option<Kind> {
    KINDS.into_iter().find(|known| known.as_str() == kind)
}

/// The one API version of a kind that is read.
fn api_version(kind: Kind) -> &'static str {
    match kind {
        Kind::Ingress | Kind::IngressClass => "networking.k8s.io/v1",
        Kind::Service | Kind::ConfigMap | Kind::Secret => "v1",
        Kind::EndpointSlice => "discovery.k8s.io/v1",
    }
}

/// Reads kind, version and name off the lines of a document in the usual style. Works for broken
/// documents too. What is not written plainly is left out.
pub(super) fn guess_header(text: &str) -> Header {
    let mut header = Header::default();
    let mut metadata = HeaderMetadata::default();
    let mut inside = false;
    let mut depth = None;
    for line in text.lines() {
        let indent = line.len() - line.trim_start_matches(' ').len();
        let Some((key, value)) = line[indent..].split_once(':') else { continue };
        if key.starts_with('#') {
            continue;
        }
        if indent == 0 {
            inside = key == "metadata";
            match key {
                "apiVersion" => header.api_version = plain(value),
                "kind" => header.kind = plain(value),
                _ => {}
            }
        } else if inside && *depth.get_or_insert(indent) == indent {
            match key {
                "name" => metadata.name = plain(value),
                "namespace" => metadata.namespace = plain(value),
                _ => {}
            }
        }
    }
    header.metadata = Some(metadata);
    header
}

/// A value in which YAML has nothing to say, without its quotes and the comment behind it.
fn plain(value: &str) -> Option<String> {
    if !value.starts_with([' ', '\t']) {
        return None;
    }
    let value = value.split(" #").next().unwrap_or_default().trim();
    let bare =
        ['"', '\''].iter().find_map(|&quote| value.strip_prefix(quote)?.strip_suffix(quote)).unwrap_or(value);
    let simple = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '/');
    (!bare.is_empty() && bare.chars().all(simple)).then(|| bare.to_owned())
}
