//! What the log says of each published table.

use ingress_core::{Diagnostic, Diagnostics, Severity};
use ingress_kube::Report;

/// More changes than this are counted instead of named.
const NAMED_CHANGES: usize = 10;

/// Logs tables; each finding once, until it is gone and comes back.
#[derive(Debug, Default)]
pub(crate) struct Reporter {
    known: Diagnostics,
    of_a_cluster: bool,
    /// What was said of the table as a whole.
    said: Option<&'static str>,
}

impl Reporter {
    /// For tables that are not made of files.
    pub(crate) fn of_a_cluster() -> Self {
        Self { of_a_cluster: true, ..Self::default() }
    }

    /// Logs a published table in one line, and before it the findings that the table before did not have.
    pub(crate) fn report(&mut self, report: &Report) {
        report.diagnostics.since(&self.known).for_each(log_finding);
        self.known = report.diagnostics.clone();
        let said = nothing_served(report, self.of_a_cluster);
        if let Some(text) = said.filter(|_| said != self.said) {
            tracing::warn!("{text}");
        }
        self.said = said;
        tracing::info!(
            generation = report.generation,
            changed = changes(&report.changed),
            objects = report.objects.total(),
            foreign = report.foreign,
            rules = report.rules,
            routes = report.routes,
            backends = report.backends,
            endpoints = report.endpoints,
            diagnostics = report.diagnostics.len(),
            took_ms = report.took.map(|took| took.as_micros() as f64 / 1000.0),
            "table published"
        );
    }
}

/// The log has the severity as its level and the code as a field, so the message begins behind them.
fn log_finding(finding: &Diagnostic) {
    let (code, text) = (finding.code.as_str(), finding.to_string());
    let message = text.split_once(": ").map_or(&*text, |(_, message)| message);
    match finding.severity {
        Severity::Error => tracing::error!(code, "{message}"),
        Severity::Warning => tracing::warn!(code, "{message}"),
    }
}

/// Why a gateway without a fault answers 404 to everything.
pub(crate) fn nothing_served(report: &Report, of_a_cluster: bool) -> Option<&'static str> {
    if report.objects.ingresses == 0 && of_a_cluster {
        Some("there is no Ingress in the namespaces that are watched")
    } else if report.objects.total() == 0 {
        Some("the directory holds no manifest of an Ingress or a Service; read are *.yaml, *.yml and *.json")
    } else if report.routes == 0 && report.foreign > 0 {
        Some(
            "no Ingress is served, and there are some of other controllers' classes; --controller-class names the \
             spec.controller to serve, --ingress-class the class",
        )
    } else {
        None
    }
}

fn changes(changed: &[String]) -> String {
    match changed {
        [] => "nothing".into(),
        few if few.len() <= NAMED_CHANGES => few.join(", "),
        many => format!("{} and {} more", many[..NAMED_CHANGES].join(", "), many.len() - NAMED_CHANGES),
    }
}
