//! Any history of events leads to what the present objects alone lead to: the table, the findings and the counts of
//! the report. Between two tables there are one event or several.
//!
//! `PROPTEST_CASES=10000 cargo test -p ingress-kube --test histories -- --nocapture` is the long run.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

mod generate;

use std::cell::RefCell;
use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, HashSet};
use std::fmt::Debug;
use std::hash::{Hash, Hasher};

use generate::rich::{self, Placed};
use ingress_core::{RouteTable, TableReader};
use ingress_kube::{Change, IngressController, ObjectKey, Report, translate};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestRunner;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest};

/// The objects that there should be.
#[derive(Clone, Debug)]
struct Model {
    config: u8,
    objects: BTreeMap<ObjectKey, Placed>,
}

#[derive(Clone, Debug)]
struct Step {
    event: Event,
    /// Whether a table is published after it.
    publish: bool,
    /// Decides on an order of the objects.
    order: u64,
}

/// What a watch says.
#[derive(Clone, Debug)]
enum Event {
    Apply(Placed),
    /// The same once more.
    Repeat(Placed),
    Delete(ObjectKey),
    /// The whole set, perhaps with several versions of one object, the last of which counts.
    Relist(Vec<Placed>),
}

/// What a controller made of it.
struct Served {
    controller: IngressController,
    reader: TableReader,
}

#[derive(Default)]
struct Figures {
    events: u64,
    tables: HashSet<u64>,
}

thread_local! {
    static FIGURES: RefCell<Figures> = RefCell::default();
}

// ===== impl ReferenceStateMachine =====

impl ReferenceStateMachine for Model {
    type State = Self;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Self> {
        (0..rich::CONFIGS, vec(rich::placed(), 0..16))
            .prop_map(|(config, objects)| Self { config, objects: by_key(objects) })
            .boxed()
    }

    fn transitions(state: &Self) -> BoxedStrategy<Step> {
        let delete = |placed: Placed| Event::Delete(placed.object.key());
        let mut events = vec![
            (8, rich::placed().prop_map(Event::Apply).boxed()),
            (1, vec(rich::placed(), 0..10).prop_map(Event::Relist).boxed()),
            (1, rich::placed().prop_map(delete).boxed()),
        ];
        if !state.objects.is_empty() {
            let objects: Vec<_> = state.objects.values().cloned().collect();
            let more = (Just(objects.clone()), vec(rich::placed(), 20..50))
                .prop_map(|(objects, more)| [objects, more].concat());
            events.push((2, select(objects.clone()).prop_map(delete).boxed()));
            events.push((1, select(objects.clone()).prop_map(Event::Repeat).boxed()));
            events.push((1, Just(objects).prop_shuffle().prop_map(Event::Relist).boxed()));
            events.push((1, more.prop_map(Event::Relist).boxed()));
        }
        (proptest::strategy::Union::new_weighted(events), prop::bool::weighted(0.7), any::<u64>())
            .prop_map(|(event, publish, order)| Step { event, publish, order })
            .boxed()
    }

    fn apply(mut state: Self, step: &Step) -> Self {
        match &step.event {
            Event::Apply(placed) | Event::Repeat(placed) => {
                state.objects.insert(placed.object.key(), placed.clone());
            }
            Event::Delete(key) => {
                state.objects.remove(key);
            }
            Event::Relist(objects) => state.objects = by_key(objects.clone()),
        }
        state
    }

    fn preconditions(state: &Self, step: &Step) -> bool {
        match &step.event {
            // Shrinking may have taken the first one away.
            Event::Repeat(placed) => {
                let known = state.objects.get(&placed.object.key());
                known.is_some_and(|known| (&known.object, &known.origin) == (&placed.object, &placed.origin))
            }
            _ => true,
        }
    }
}

// ===== impl StateMachineTest =====

impl StateMachineTest for Served {
    type SystemUnderTest = Self;
    type Reference = Model;

    fn init_test(model: &Model) -> Self {
        let (reader, controller) = controller(model.config, model.objects.values());
        Self { controller, reader }
    }

    fn apply(mut served: Self, model: &Model, step: Step) -> Self {
        match step.event {
            Event::Apply(Placed { object, origin }) => {
                served.controller.apply(object, origin);
            }
            Event::Repeat(Placed { object, origin }) => {
                assert_eq!(served.controller.apply(object, origin), Change::Unchanged);
            }
            Event::Delete(key) => {
                served.controller.delete(&key);
            }
            Event::Relist(objects) => {
                served.controller.replace(objects.into_iter().map(|placed| (placed.object, placed.origin)));
            }
        }
        if step.publish {
            served.check(model, step.order);
        }
        served
    }
}

impl Served {
    fn check(&mut self, model: &Model, order: u64) {
        let report = self.controller.publish();
        let (reader, mut fresh) = controller(model.config, model.objects.values());
        let want = fresh.publish();
        assert_eq!(report.diagnostics, want.diagnostics);
        assert_eq!(counts(&report), counts(&want));
        let (table, want) = (self.reader.snapshot(), reader.snapshot());
        assert!(*table == *want, "published");
        let text = dump(&want);
        assert_eq!(dump(&table), text);

        let config = rich::config(model.config);
        let mut shuffled: Vec<_> = model.objects.values().collect();
        shuffled.sort_by_key(|placed| hash(&(order, placed.object.key())));
        let (_, shuffled) = controller(model.config, shuffled.into_iter());
        for store in [self.controller.store(), shuffled.store()] {
            let (table, diagnostics) = translate(store, &config).build();
            assert!(table == *want, "translated");
            assert_eq!(dump(&table), text);
            assert_eq!(diagnostics, report.diagnostics);
        }
        FIGURES.with_borrow_mut(|figures| {
            figures.events += 1;
            figures.tables.insert(hash(&text));
        });
    }
}

fn controller<'o>(config: u8, objects: impl Iterator<Item = &'o Placed>) -> (TableReader, IngressController) {
    let (reader, writer) = ingress_core::table(RouteTable::default());
    let mut controller = IngressController::new(rich::config(config), writer);
    controller.replace(objects.map(|placed| (placed.object.clone(), placed.origin.clone())));
    (reader, controller)
}

fn by_key(objects: Vec<Placed>) -> BTreeMap<ObjectKey, Placed> {
    objects.into_iter().map(|placed| (placed.object.key(), placed)).collect()
}

fn counts(report: &Report) -> impl PartialEq + Debug {
    let Report { objects, foreign, unserved, rules, routes, backends, endpoints, .. } = report;
    (*objects, [*foreign, *unserved, *rules, *routes, *backends, *endpoints])
}

fn dump(table: &RouteTable) -> String {
    let mut dump = serde_json::to_value(table.dump()).unwrap();
    if let Some(dump) = dump.as_object_mut() {
        dump.remove("generation");
    }
    dump.to_string()
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[test]
fn history_makes_no_difference() {
    let config = ProptestConfig {
        cases: generate::cases(300),
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let mut runner = TestRunner::new(config.clone());
    let histories = Model::sequential_strategy(1..20);
    let run = runner.run(&histories, |(model, steps, seen)| {
        Served::test_sequential(config.clone(), model, steps, seen);
        Ok(())
    });
    run.unwrap_or_else(|error| panic!("{error}"));
    FIGURES.with_borrow(|figures| {
        let Figures { events, tables } = figures;
        println!("{} histories, {events} tables, {} different tables", config.cases, tables.len());
        // Histories that all lead to the same few tables show nothing.
        assert!(tables.len() >= config.cases as usize, "{} different tables", tables.len());
    });
}
