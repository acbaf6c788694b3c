//! Any history of events leads to the table that the present objects alone lead to.
//!
//! `PROPTEST_CASES=10000 cargo test -p ingress-kube --test histories -- --nocapture` is the long run.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

mod generate;

use std::cell::RefCell;
use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, HashSet};
use std::hash::{Hash, Hasher};

use ingress_core::{RouteTable, TableReader};
use ingress_kube::{Change, Config, IngressController, Object, ObjectKey, Store, translate};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestRunner;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest};

/// The objects that there should be.
#[derive(Clone, Debug)]
struct Model {
    config: u8,
    objects: BTreeMap<ObjectKey, Object>,
}

#[derive(Clone, Debug)]
struct Step {
    event: Event,
    /// Decides on an order of the objects.
    order: u64,
}

/// What a watch says.
#[derive(Clone, Debug)]
enum Event {
    Apply(Object),
    /// The same once more.
    Repeat(Object),
    Delete(ObjectKey),
    /// The whole set, perhaps with several versions of one object, the last of which counts.
    Relist(Vec<Object>),
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
        (0..4u8, vec(generate::object(), 0..12))
            .prop_map(|(config, objects)| {
                let objects = objects.into_iter().map(|object| (object.key(), object)).collect();
                Self { config, objects }
            })
            .boxed()
    }

    fn transitions(state: &Self) -> BoxedStrategy<Step> {
        let mut events = vec![
            (8, generate::object().prop_map(Event::Apply).boxed()),
            (1, vec(generate::object(), 0..10).prop_map(Event::Relist).boxed()),
            (1, generate::object().prop_map(|object| Event::Delete(object.key())).boxed()),
        ];
        if !state.objects.is_empty() {
            let objects: Vec<_> = state.objects.values().cloned().collect();
            events.push((2, select(objects.clone()).prop_map(|object| Event::Delete(object.key())).boxed()));
            events.push((1, select(objects.clone()).prop_map(Event::Repeat).boxed()));
            events.push((1, Just(objects).prop_shuffle().prop_map(Event::Relist).boxed()));
        }
        (proptest::strategy::Union::new_weighted(events), any::<u64>())
            .prop_map(|(event, order)| Step { event, order })
            .boxed()
    }

    fn apply(mut state: Self, step: &Step) -> Self {
        match &step.event {
            Event::Apply(object) | Event::Repeat(object) => {
                state.objects.insert(object.key(), object.clone());
            }
            Event::Delete(key) => {
                state.objects.remove(key);
            }
            Event::Relist(objects) => {
                state.objects = objects.iter().map(|object| (object.key(), object.clone())).collect();
            }
        }
        state
    }

    fn preconditions(state: &Self, step: &Step) -> bool {
        match &step.event {
            // Shrinking may have taken the first one away.
            Event::Repeat(object) => state.objects.get(&object.key()) == Some(object),
            _ => true,
        }
    }
}

// ===== impl StateMachineTest =====

impl StateMachineTest for Served {
    type SystemUnderTest = Self;
    type Reference = Model;

    fn init_test(model: &Model) -> Self {
        let (reader, writer) = ingress_core::table(RouteTable::default());
        let mut controller = IngressController::new(generate::config(model.config), writer);
        controller.replace(model.objects.values().map(|object| (object.clone(), None)));
        Self { controller, reader }
    }

    fn apply(mut served: Self, model: &Model, step: Step) -> Self {
        match step.event {
            Event::Apply(object) => {
                served.controller.apply(object, None);
            }
            Event::Repeat(object) => assert_eq!(served.controller.apply(object, None), Change::Unchanged),
            Event::Delete(key) => {
                served.controller.delete(&key);
            }
            Event::Relist(objects) => {
                served.controller.replace(objects.into_iter().map(|object| (object, None)));
            }
        }
        served.controller.publish();
        served.check(model, step.order);
        served
    }
}

impl Served {
    fn check(&self, model: &Model, order: u64) {
        let config = generate::config(model.config);
        let mut shuffled: Vec<_> = model.objects.values().collect();
        shuffled.sort_by_key(|object| hash(&(order, object.key())));
        let sorted = table(model.objects.values(), &config);
        let shuffled = table(shuffled.into_iter(), &config);
        let incremental = translate(self.controller.store(), &config).build().0;
        assert!(self.reader.with(|published| *published == sorted), "published");
        assert!(incremental == sorted && shuffled == sorted, "tables");
        let text = dump(&sorted);
        assert_eq!(dump(&incremental), text);
        assert_eq!(dump(&shuffled), text);
        FIGURES.with_borrow_mut(|figures| {
            figures.events += 1;
            figures.tables.insert(hash(&text));
        });
    }
}

fn table<'o>(objects: impl Iterator<Item = &'o Object>, config: &Config) -> RouteTable {
    let mut store = Store::default();
    for object in objects {
        store.apply(object.clone(), None);
    }
    translate(&store, config).build().0
}

fn dump(table: &RouteTable) -> String {
    serde_json::to_string(&table.dump()).unwrap()
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
        println!("{} histories, {events} events, {} different tables", config.cases, tables.len());
        // Histories that all lead to the same few tables show nothing.
        assert!(tables.len() >= config.cases as usize, "{} different tables", tables.len());
    });
}
