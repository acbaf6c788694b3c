//! What the log says of each published table.

use std::collections::HashSet;

use ingress_core::{Diagnostic, Severity};
use ingress_kube::Report;

/// More changes than this are counted instead of named.
const NAMED_CHANGES: usize = 10;

/// Logs tables; each finding once, until it is gone and comes back.
#[derive(Debug, Default)]
pub(crate) struct Reporter {
    known: HashSet<String>,
}

impl Reporter {
    /// Logs a published table in one line, and before it the findings that the table before did not have.
    pub(crate) fn report(&mut self, report: &Report) {
        let findings: Vec<_> =
            report.diagnostics.iter().map(|finding| (finding, finding.to_string())).collect();
        for (finding, text) in &findings {
            if !self.known.contains(text) {
                log_finding(finding, text);
            }
        }
        self.known = findings.into_iter().map(|(_, text)| text).collect();
        tracing::info!(
            generation = report.generation,
            changed = changes(&report.changed),
            objects = report.objects.total(),
            not_ours = report.not_ours,
            rules = report.rules,
            routes = report.routes,
            backends = report.backends,
            endpoints = report.endpoints,
            diagnostics = report.diagnostics.len(),
            took = ?report.took,
            "table published"
        );
        if report.routes == 0 && report.not_ours > 0 {
            tracing::warn!(
                not_ours = report.not_ours,
                "no Ingress is served: all belong to the classes of other controllers; --controller-class names the \
                 spec.controller to serve, --ingress-class the class"
            );
        }
    }
}

fn log_finding(finding: &Diagnostic, text: &str) {
    let code = finding.code.as_str();
    match finding.severity {
        Severity::Error => tracing::error!(code, "{text}"),
        Severity::Warning => tracing::warn!(code, "{text}"),
    }
}

fn changes(changed: &[String]) -> String {
    match changed {
        [] => "nothing".into(),
        few if few.len() <= NAMED_CHANGES => few.join(", "),
        many => format!("{} and {} more", many[..NAMED_CHANGES].join(", "), many.len() - NAMED_CHANGES),
    }
}
