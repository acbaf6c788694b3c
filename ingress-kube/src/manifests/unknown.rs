//! Fields that no object of the kind has, and what they cost.
//!
//! The API server drops them or refuses the object; here they must not widen what an object takes: an
//! Ingress rule whose `host` is misspelt would take every host.

use super::strict::Unknown;
use crate::Kind;
use crate::translate::hints;

/// What an unknown field costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cost {
    Nothing,
    /// The rule with this index.
    Rule(usize),
    Object,
}

impl Cost {
    pub(super) fn rule(self) -> Option<usize> {
        match self {
            Self::Rule(index) => Some(index),
            Self::Nothing | Self::Object => None,
        }
    }
}

impl Unknown {
    /// The path of the field.
    pub(super) fn path(&self) -> String {
        let name = &self.name;
        match &*self.parent {
            "" => name.clone(),
            parent if name.contains(['.', '/']) => format!("{parent}[{name}]"),
            parent => format!("{parent}.{name}"),
        }
    }

    /// Only an Ingress loses anything: of the other kinds each field that matters is missed by itself.
    pub(super) fn cost(&self, kind: Kind) -> Cost {
        if kind != Kind::Ingress {
            return Cost::Nothing;
        }
        if let Some(rest) = self.parent.strip_prefix("spec.rules[") {
            let index = rest.split(']').next().and_then(|index| index.parse().ok());
            return index.map_or(Cost::Object, Cost::Rule);
        }
        // It may be meant to say who is to serve the Ingress.
        let name = self.name.to_ascii_lowercase();
        let decides = name.contains("class") || name == "annotations" || self.similar().is_some();
        if matches!(&*self.parent, "" | "spec") && decides { Cost::Object } else { Cost::Nothing }
    }

    pub(super) fn message(&self, cost: Cost) -> String {
        let name = &self.name;
        match cost {
            Cost::Nothing => format!("unknown field {name}, which has no effect"),
            Cost::Rule(_) => format!("unknown field {name}, so its rule is not served"),
            Cost::Object => format!("unknown field {name}, so the object is not served"),
        }
    }

    /// What to write instead.
    pub(super) fn help(&self) -> String {
        let known = |field| self.known.contains(&field);
        match &*self.name {
            // Fields of networking.k8s.io/v1beta1.
            "serviceName" if known("service") => "write service.name".into(),
            "servicePort" if known("service") => "write service.port.number or service.port.name".into(),
            "backend" if known("defaultBackend") => "write defaultBackend".into(),
            _ => match (self.similar(), hints::list(self.known.iter())) {
                (Some(similar), _) => format!("write {similar}"),
                (None, Some(list)) => format!("leave it out; the fields here are {list}"),
                (None, None) => "leave it out".into(),
            },
        }
    }

    fn similar(&self) -> Option<&'static str> {
        let same = self.known.iter().find(|known| known.eq_ignore_ascii_case(&self.name));
        same.copied().or_else(|| hints::similar(&self.name, self.known.iter().copied()))
    }
}
