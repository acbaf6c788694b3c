//! Any objects to a table: nothing panics, order makes no difference, an explanation says what a lookup does, and
//! where the objects are plain a lookup says what the naive oracle says.

mod choose;
mod json;
mod make;
mod plain;
mod request;
mod treatment;

use std::collections::BTreeMap;

use arbitrary::{Arbitrary, Result, Unstructured};
use ingress_core::{
    AmbiguousPath, AmbiguousPaths, Choice, Draw, HostFallthrough, Outcome, RequestHead, RequestPath,
    ResourceRef, RouteMatch, RouteTable, Rule, Verdict,
};
use ingress_kube::{Config, Object, ObjectKey, Origin, Store, Upstream, translate};

use crate::oracle::{self, OracleRule, Request};
use choose::{choose, list, option};

/// Objects, rules that no Ingress can say, and requests.
///
/// Every choice takes a byte, so seeds can be cut and joined: how the objects are made (as typed values, or as
/// the text of a JSON or YAML file), the configuration, the objects, the rules, the requests.
#[derive(Debug)]
pub struct Objects {
    config: Config,
    serve_classless: bool,
    fallthrough: bool,
    /// The configuration is one that the oracle knows.
    plain: bool,
    objects: Vec<(Object, Option<Origin>)>,
    rules: Vec<(Rule, Option<OracleRule>)>,
    /// Each with whether the oracle can read it.
    requests: Vec<(Request, bool)>,
}

/// What the oracle said about the requests of a case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// How many of them it could read.
    pub plain: usize,
    /// How many of these some rule takes.
    pub taken: usize,
}

impl<'a> Arbitrary<'a> for Objects {
    fn arbitrary(data: &mut Unstructured<'a>) -> Result<Self> {
        let form = data.int_in_range(0..=5u8)?;
        let (fallthrough, serve_classless, more) =
            (choose(data, &[false, true])?, choose(data, &[false, true])?, data.int_in_range(0..=3u8)? == 3);
        let mut config = treatment::config().watch_ingress_without_class(serve_classless);
        if fallthrough {
            config = config.host_fallthrough(HostFallthrough::Always);
        }
        if more {
            config = further(data, config)?;
        }
        let objects = match form {
            0..=3 => list(data, 10, make::object)?.into_iter().map(|object| (object, None)).collect(),
            _ => json::objects(data, form == 5)?,
        };
        let mut rules = list(data, 4, request::rule)?;
        for (number, (rule, _)) in rules.iter_mut().enumerate() {
            *rule = rule.clone().with_source(request::source(number));
        }
        let requests = list(data, 10, request::request)?;
        Ok(Self { config, serve_classless, fallthrough, plain: !more, objects, rules, requests })
    }
}

/// What the oracle knows nothing of.
fn further(data: &mut Unstructured<'_>, mut config: Config) -> Result<Config> {
    let ambiguous = [AmbiguousPaths::Compare, AmbiguousPaths::Reject, AmbiguousPaths::Trust];
    config = config.ambiguous_paths(choose(data, &ambiguous)?);
    config = config.upstream(choose(data, &[Upstream::Endpoints, Upstream::ClusterIp])?);
    if let Some(name) = option(data, |data| choose(data, &["ours", "theirs"]))? {
        config = config.ingress_class(name);
    }
    if let Some(name) = choose(data, &[None, Some("default/a"), Some("b/c:http"), Some("default/b:81")])? {
        config = config.default_backend_service(name.parse().expect("a Service of the list above"));
    }
    if choose(data, &[false, true])? {
        let (namespace, name) = ("default".into(), "a".into());
        let resource = ResourceRef { namespace, api_group: "".into(), kind: "Bucket".into(), name };
        config = config.resource(resource);
    }
    Ok(config)
}

impl Objects {
    /// Checks everything, and says what the oracle was asked.
    pub fn check(&self) -> Asked {
        // Of several objects with one key the last is kept.
        let last: BTreeMap<ObjectKey, _> =
            self.objects.iter().map(|(object, origin)| (object.key(), (object, origin))).collect();
        let table = self.table(self.objects.iter().map(|(object, origin)| (object, origin)), false);
        let reversed = self.table(last.values().rev().copied(), true);
        assert!(table == reversed, "the order makes a difference: {self:?}");
        let dump = |table: &RouteTable| {
            k8s_openapi::serde_json::to_string(&table.dump()).expect("a dump is a JSON value")
        };
        assert_eq!(dump(&table), dump(&reversed));
        for finding in table.diagnostics() {
            assert!(!finding.to_string().is_empty());
        }
        let rules = self.oracle_rules(&last);
        let mut asked = Asked::default();
        for (request, plain) in &self.requests {
            request::with_head(request, |head, path| {
                let found = table.lookup(head);
                check_explanation(&table, head, path, found);
                let Some((rules, places)) = rules.as_ref().filter(|_| *plain) else { return };
                let want = oracle::find_request(rules, self.fallthrough, request);
                let want = want.map(|number| places[number].as_str());
                let found = found.expect("no path of the list is ambiguous").map(place);
                assert_eq!(found.as_deref(), want, "{request:?} in {rules:?}");
                asked.plain += 1;
                asked.taken += usize::from(want.is_some());
            });
        }
        asked
    }

    fn table<'o>(
        &self,
        objects: impl Iterator<Item = (&'o Object, &'o Option<Origin>)>,
        reversed: bool,
    ) -> RouteTable {
        let mut store = Store::default();
        for (object, origin) in objects {
            store.apply(object.clone(), origin.clone());
        }
        let mut builder = translate(&store, &self.config);
        let mut rules: Vec<_> = self.rules.iter().map(|(rule, _)| rule.clone()).collect();
        if reversed {
            rules.reverse();
        }
        for rule in rules {
            builder.rule(rule);
        }
        builder.build().0
    }

    /// The oracle's rules and their places, if all is plain.
    fn oracle_rules(
        &self,
        last: &BTreeMap<ObjectKey, (&Object, &Option<Origin>)>,
    ) -> Option<(Vec<OracleRule>, Vec<String>)> {
        let withheld =
            |origin: &Option<Origin>| origin.as_ref().is_some_and(|origin| !origin.withheld_rules.is_empty());
        if !self.plain || last.values().any(|(_, origin)| withheld(origin)) {
            return None;
        }
        let extra =
            self.rules.iter().enumerate().map(|(number, (_, rule))| {
                Some((rule.clone()?, format!("/ {}", request::source(number).field)))
            });
        let extra: Option<Vec<_>> = extra.collect();
        let objects: Vec<_> = last.values().map(|(object, _)| *object).collect();
        Some(extra?.into_iter().chain(plain::rules(&objects, self.serve_classless)?).unzip())
    }
}

fn place(found: RouteMatch<'_>) -> String {
    let source = found.route.source().expect("every rule has a source");
    format!("{}/{} {}", source.object.namespace, source.object.name, source.field)
}

/// The explanation says what the lookup says.
fn check_explanation(
    table: &RouteTable,
    head: &RequestHead<'_>,
    path: &RequestPath<'_>,
    found: std::result::Result<Option<RouteMatch<'_>>, AmbiguousPath>,
) {
    let explanation = table.explain(head);
    assert!(!explanation.to_string().is_empty());
    match (&explanation.outcome, found) {
        (Outcome::NoRoute, Ok(None)) | (Outcome::Ambiguous, Err(AmbiguousPath)) => {}
        (Outcome::Route(steps), Ok(Some(found))) => {
            let want: Vec<_> =
                found.backends().map(|(backend, weight)| (backend.reference(), weight)).collect();
            let got: Vec<_> = steps.iter().map(|step| (&step.backend, step.weight)).collect();
            assert_eq!(got, want);
            let taking = explanation.rules.iter().filter(|rule| rule.verdict == Verdict::Takes);
            let taking: Vec<_> = taking.map(|rule| rule.source.as_ref()).collect();
            assert_eq!(taking, [found.route.source()]);
            let usable = |(backend, _): (&std::sync::Arc<ingress_core::Backend>, u32)| {
                backend.endpoints().choose(&Choice::new(Draw::at(u64::MAX), None)).is_ok()
            };
            let eligible = steps.iter().map(|step| step.endpoints.iter().any(|endpoint| endpoint.eligible));
            assert!(found.backends().map(usable).eq(eligible), "{explanation:?}");
            let _ = found.captures(path);
        }
        (outcome, found) => panic!("explained as {outcome:?}, but {found:?}"),
    }
}

/// Any objects, rules and requests from bytes.
pub fn objects(data: &[u8]) {
    if let Ok(case) = Objects::arbitrary(&mut Unstructured::new(data)) {
        case.check();
    }
}
