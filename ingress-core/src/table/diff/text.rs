//! A difference as text for people.

use std::fmt;

use super::{BackendChange, SampleRequest, Served, TableDiff};
use crate::table::explain::EndpointStep;

impl fmt::Display for TableDiff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return writeln!(f, "Nothing changes for requests.");
        }
        let mut host = None;
        for change in &self.routes {
            if host.replace(&change.host) != Some(&change.host) {
                let name = if &*change.host == "*" { "hosts that no rule names" } else { &change.host };
                writeln!(f, "{name}")?;
            }
            writeln!(f, "  {}: {} -> {}", change.path, change.before, change.after)?;
            sample(f, change.sample.as_ref())?;
        }
        self.backends.iter().try_for_each(|backend| backend.fmt(f))
    }
}

impl fmt::Display for BackendChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "endpoints of {}", self.backend)?;
        let twin = |endpoint: &EndpointStep, others: &'_ [EndpointStep]| {
            others.iter().find(|other| other.address == endpoint.address).cloned()
        };
        for endpoint in &self.removed {
            match twin(endpoint, &self.added) {
                Some(now) => writeln!(f, "  ~ {}: {endpoint} -> {now}", endpoint.address)?,
                None => writeln!(f, "  - {}: {endpoint}", endpoint.address)?,
            }
        }
        for endpoint in self.added.iter().filter(|endpoint| twin(endpoint, &self.removed).is_none()) {
            writeln!(f, "  + {}: {endpoint}", endpoint.address)?;
        }
        sample(f, self.sample.as_ref())
    }
}

fn sample(f: &mut fmt::Formatter<'_>, sample: Option<&SampleRequest>) -> fmt::Result {
    sample.map_or(Ok(()), |sample| writeln!(f, "      {sample}"))
}

impl fmt::Display for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shares = match self {
            Self::Nobody => return f.write_str("nobody (404)"),
            Self::Refused => return f.write_str("refused (400)"),
            Self::Backends(shares) => shares,
        };
        for (number, share) in shares.iter().enumerate() {
            let comma = if number > 0 { ", " } else { "" };
            write!(f, "{comma}{}", share.backend)?;
            if shares.len() > 1 {
                write!(f, " (weight {})", share.weight)?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for SampleRequest {
    /// `GET http://shop.example/cart?a=b  x-env: canary`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} http://{}{}", self.method, self.host, self.path)?;
        if let Some(query) = &self.query {
            write!(f, "?{query}")?;
        }
        self.headers.iter().try_for_each(|(name, value)| write!(f, "  {name}: {value}"))
    }
}
