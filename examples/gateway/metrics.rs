//! `/metrics`, for Prometheus: what is served, how endpoints fare, and how the watches of a cluster do. All of it is looked
//! up when it is asked for.

use std::fmt;

use ingress_core::{EndpointSet, RouteTable, Severity, TableReader};
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
        endpoints(&mut encoder, &snapshot)?;
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

/// Of the endpoints that requests may go to, how many get some. Each is counted once.
#[derive(Clone, Copy, Debug, Default)]
struct States {
    usable: usize,
    ejected: usize,
    unhealthy: usize,
}

impl States {
    fn of(set: &EndpointSet) -> Self {
        let mut states = Self::default();
        let count = set.as_slice().len() + set.elsewhere().len();
        for vitals in (0..count).filter_map(|place| set.vitals(place)) {
            if vitals.is_unhealthy() {
                states.unhealthy += 1;
            } else if vitals.is_ejected() {
                states.ejected += 1;
            } else {
                states.usable += 1;
            }
        }
        states
    }
}

/// How endpoints fare: of all backends together, and of each that has one which is left out.
fn endpoints(encoder: &mut DescriptorEncoder<'_>, table: &RouteTable) -> fmt::Result {
    let mut all = States::default();
    let mut backends = Vec::new();
    for backend in table.backends() {
        let states = States::of(backend.endpoints());
        all.ejected += states.ejected;
        all.unhealthy += states.unhealthy;
        if states.ejected + states.unhealthy > 0 {
            backends.push((backend.reference().to_string(), states));
        }
    }
    let help = "Endpoints that are left out because requests to them fail";
    number(encoder.encode_descriptor("endpoints_ejected", help, None, MetricType::Gauge)?, all.ejected)?;
    let help = "Endpoints that are left out because health checks of them fail";
    number(encoder.encode_descriptor("endpoints_unhealthy", help, None, MetricType::Gauge)?, all.unhealthy)?;
    let help = "Endpoints of a backend that has ejected or unhealthy ones, by state";
    let mut family = encoder.encode_descriptor("backend_endpoints", help, None, MetricType::Gauge)?;
    for (backend, States { usable, ejected, unhealthy }) in &backends {
        for (state, count) in [("usable", usable), ("ejected", ejected), ("unhealthy", unhealthy)] {
            let labels = [("backend", backend.as_str()), ("state", state)];
            number(family.encode_family(&labels)?, *count)?;
        }
    }
    Ok(())
}

fn number(encoder: MetricEncoder<'_>, value: usize) -> fmt::Result {
    ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX)).encode(encoder)
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::time::Duration;

    use ingress_core::{BackendRef, Ending, Endpoint, Moment, PathMatch, Rule};

    use super::*;

    #[test]
    fn endpoints_that_are_left_out_are_counted_by_backend() {
        let mut rules = RouteTable::builder();
        for (name, count) in [("well", 2), ("ill", 4)] {
            let backend: BackendRef = format!("shop/{name}:80").parse().unwrap();
            let path = PathMatch::prefix(&format!("/{name}")).unwrap();
            rules.rule(Rule::new("".parse().unwrap(), path, backend.clone()));
            let endpoint = |port| Endpoint::new(SocketAddr::from(([10, 0, 0, 1], port)));
            rules.endpoints(backend, (1..=count).map(endpoint));
        }
        let (reader, _writer) = ingress_core::table(rules.build().0);
        let admin = Admin::new(reader.clone());
        let figures = || {
            let text = text(&admin).unwrap();
            let lines =
                text.lines().filter(|line| line.starts_with("ingress_") && line.contains("endpoints"));
            lines.map(str::to_owned).collect::<Vec<_>>()
        };
        let none = ["ingress_endpoints 6", "ingress_endpoints_ejected 0", "ingress_endpoints_unhealthy 0"];
        assert_eq!(figures(), none);

        let table = reader.snapshot();
        let ill = table.backends().next().unwrap().endpoints();
        for second in 1..=5 {
            let now = Moment::after(Duration::from_secs(second));
            ill.note(0, Ending::Failure, None, (now, now), 0);
            ill.note(1, Ending::Failure, None, (now, now), 0);
        }
        // One is both.
        ill.vitals(1).unwrap().set_unhealthy(true);
        ill.vitals(2).unwrap().set_unhealthy(true);
        let some = [
            "ingress_endpoints 6",
            "ingress_endpoints_ejected 1",
            "ingress_endpoints_unhealthy 2",
            r#"ingress_backend_endpoints{backend="shop/ill:80",state="usable"} 1"#,
            r#"ingress_backend_endpoints{backend="shop/ill:80",state="ejected"} 1"#,
            r#"ingress_backend_endpoints{backend="shop/ill:80",state="unhealthy"} 2"#,
        ];
        assert_eq!(figures(), some);
    }
}
