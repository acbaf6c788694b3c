//! `/metrics`, for Prometheus: what is served, and how the watches of a cluster fare. All of it is looked up when it is
//! asked for.

use std::fmt;

use ingress_core::{Severity, TableReader};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use crate::admin::Admin;

/// The content type of what [`text()`] gives.
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// All figures, in the OpenMetrics format.
pub(crate) fn text(admin: &Admin) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("ingress");
    registry.register_collector(Box::new(Figures(admin.clone())));
    let mut out = String::new();
    text::encode(&mut out, &registry)?;
    Ok(out)
}

#[derive(Debug)]
struct Figures(Admin);

impl Collector for Figures {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let Self(admin) = self;
        let single = |encoder: &mut DescriptorEncoder, name, help, value: usize| {
            number(encoder.encode_descriptor(name, help, None, MetricType::Gauge)?, value)
        };
        single(&mut encoder, "ready", "Whether traffic should be sent here", admin.is_ready().into())?;
        table(admin.reader(), |name, help, value| single(&mut encoder, name, help, value))?;
        let snapshot = admin.reader().snapshot();
        let help = "Findings about the configuration that is served";
        let mut family = encoder.encode_descriptor("diagnostics", help, None, MetricType::Gauge)?;
        for (name, severity) in [("error", Severity::Error), ("warning", Severity::Warning)] {
            let count = snapshot.diagnostics().iter().filter(|finding| finding.severity == severity).count();
            number(family.encode_family(&[("severity", name)])?, count)?;
        }
        let Some(health) = admin.watches() else { return Ok(()) };
        let help = "Whether a watch of the cluster does not work now; what was seen before is served";
        let mut family = encoder.encode_descriptor("watch_failing", help, None, MetricType::Gauge)?;
        for watch in &health.watches {
            let labels = [
                ("resource", watch.watched.resource()),
                ("watched_namespace", watch.namespace.as_deref().unwrap_or_default()),
                ("name", watch.name.as_deref().unwrap_or_default()),
            ];
            number(family.encode_family(&labels)?, watch.failing.is_some().into())?;
        }
        if let Some(leading) = health.leading {
            let help = "Whether this process writes status and Events";
            single(&mut encoder, "leader", help, leading.into())?;
        }
        Ok(())
    }
}

fn table(
    reader: &TableReader,
    mut single: impl FnMut(&'static str, &'static str, usize) -> fmt::Result,
) -> fmt::Result {
    let table = reader.snapshot();
    let generation = usize::try_from(table.generation()).unwrap_or(usize::MAX);
    single("config_generation", "The generation of the table that is served", generation)?;
    single("routes", "Routes of the table", table.route_count())?;
    single("backends", "Backends of the table", table.backend_count())?;
    single("endpoints", "Endpoints of the table", table.endpoint_count())
}

fn number(encoder: MetricEncoder<'_>, value: usize) -> fmt::Result {
    ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX)).encode(encoder)
}
