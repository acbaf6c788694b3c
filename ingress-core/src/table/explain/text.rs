//! An explanation as text for people.

use std::fmt;

use super::{BackendStep, EndpointStep, Explanation, HostVerdict, Outcome, ReadingStep, RuleStep, Verdict};
use crate::{BackendRef, Code, EndpointState, Protocol};

/// Of rules with other paths at most this many are listed.
const MAX_OTHERS: usize = 12;

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = if self.host.is_empty() { "(no host)" } else { &self.host };
        writeln!(f, "{} {host} {}", self.method, self.path)?;
        if !self.readings.is_empty() {
            writeln!(f, "\nOther ways in which servers read the path:")?;
            self.readings.iter().try_for_each(|reading| reading.fmt(f))?;
        }
        writeln!(f, "\nHosts, the strongest first:")?;
        for step in &self.hosts {
            let host = if &*step.host == "*" { "rules without a host" } else { &step.host };
            writeln!(f, "  {host}: {}", step.verdict)?;
        }
        writeln!(f, "\nRules:")?;
        if self.rules.is_empty() {
            writeln!(f, "  none")?;
        }
        let (mut others, mut hidden) = (0, 0);
        for rule in &self.rules {
            if rule.verdict == Verdict::OtherPath {
                others += 1;
                if others > MAX_OTHERS {
                    hidden += 1;
                    continue;
                }
            }
            rule.fmt(f)?;
        }
        if hidden > 0 {
            writeln!(f, "  and {hidden} more with other paths")?;
        }
        self.outcome.fmt(f)
    }
}

impl fmt::Display for ReadingStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path =
            self.path.as_deref().unwrap_or("one that climbs above '/', or more of them than are tried");
        let leads = if self.agrees { "leads to the same route" } else { "leads elsewhere" };
        writeln!(f, "  {path}: {leads}")
    }
}

impl fmt::Display for HostVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absent => "no rule",
            Self::Asked => "asked",
            Self::Reserved => "no rule, and reserved: rules for wider hosts do not take it",
            Self::OnlyDefault => "only its default backend is asked",
            Self::NotAsked => "not asked, because a stronger host owns the request",
        })
    }
}

impl fmt::Display for RuleStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "  {:10}  {}", self.verdict.word(), self.rule)?;
        let mut separator = " -> ";
        for (backend, weight) in &self.backends {
            write!(f, "{separator}{backend}")?;
            if self.backends.len() > 1 {
                write!(f, " (weight {weight})")?;
            }
            separator = ", ";
        }
        writeln!(f)?;
        if let Some(source) = &self.source {
            writeln!(f, "              from {}", source.located())?;
        }
        match &self.verdict {
            Verdict::Unmet(condition) => writeln!(f, "              needs {condition}"),
            Verdict::Unserved(finding) => {
                writeln!(f, "              {}: {}", finding.code.as_str(), finding.message)?;
                if finding.help.is_empty() {
                    Ok(())
                } else {
                    writeln!(f, "              help: {}", finding.help)
                }
            }
            _ => Ok(()),
        }
    }
}

impl Verdict {
    fn word(&self) -> &'static str {
        match self {
            Self::Takes => "takes it",
            Self::Weaker => "weaker",
            Self::Unmet(_) => "not met",
            Self::OtherPath => "other path",
            Self::Unserved(finding) if finding.code == Code::ShadowedRule => "shadowed",
            Self::Unserved(_) => "refused",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Route(backends) => {
                let several = backends.len() > 1;
                writeln!(f, "\nServed by{}:", if several { " one of these, by weight" } else { "" })?;
                backends.iter().try_for_each(|backend| {
                    let weight =
                        if several { format!(" (weight {})", backend.weight) } else { String::new() };
                    writeln!(f, "  {}{weight}", backend.backend)?;
                    backend.fmt(f)
                })
            }
            Self::NoRoute => writeln!(f, "\nNo rule takes it: 404, or whatever stands behind the layer."),
            Self::Ambiguous => {
                writeln!(f, "\nRefused with 400: the readings of the path lead to different rules.")
            }
        }
    }
}

impl fmt::Display for BackendStep {
    /// Its endpoints.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if matches!(self.backend, BackendRef::Resource(_)) {
            return writeln!(f, "    a service of this process, or 503 where none is registered");
        }
        if !self.endpoints.iter().any(|endpoint| endpoint.eligible) {
            writeln!(f, "    503: no endpoint can be used")?;
        }
        self.endpoints.iter().try_for_each(|endpoint| writeln!(f, "    {}: {endpoint}", endpoint.address))
    }
}

impl fmt::Display for EndpointStep {
    /// Its state and weight, and why it is or is not used.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = match (self.eligible, self.state) {
            (true, EndpointState::Ready) => "",
            (true, _) => ", used because none is ready",
            (false, EndpointState::Terminating) => ", not used while others are ready",
            (false, EndpointState::NotServing) => ", not used",
            (false, _) => ", not used for its weight",
        };
        write!(f, "{}, weight {}", self.state, self.weight)?;
        if self.protocol != Protocol::default() {
            write!(f, ", {}", self.protocol)?;
        }
        f.write_str(why)
    }
}
