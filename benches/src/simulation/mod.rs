//! A discrete-event simulation of one backend, by which algorithms are compared as users see them.
//!
//! It knows no clock but its own and no chance but that of its seed: the same scenario gives the same figures everywhere.

pub mod plot;
mod queue;
mod report;
mod router;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use ingress_core::Ending;

use crate::Random;

pub use queue::Scenario;
pub use report::Report;
pub use router::Router;

use queue::Server;
use report::Outcome;

/// Nanoseconds since the simulation began.
pub type Time = u64;

/// A second.
pub const SECOND: Time = 1_000_000_000;
/// How many times as much work a heavy request is.
const HEAVY: Time = 50;

/// A request on its way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request {
    arrived: Time,
    gateway: usize,
    server: usize,
    /// Nobody waits for it any more.
    over: bool,
}

/// The state of one run.
struct Simulation<'a> {
    scenario: &'a Scenario,
    router: Router,
    servers: Vec<Server>,
    requests: Vec<Request>,
    /// When which server will have answered which request.
    answers: BinaryHeap<Reverse<(Time, usize, usize)>>,
    /// Requests in the order of their deadlines.
    deadlines: VecDeque<usize>,
    random: Random,
    report: Report,
}

/// Runs the scenario to the end of its last request.
pub fn run(scenario: &Scenario, router: Router) -> Report {
    let mut simulation = Simulation {
        scenario,
        router,
        servers: scenario.servers(),
        requests: Vec::new(),
        answers: BinaryHeap::new(),
        deadlines: VecDeque::new(),
        random: Random::new(scenario.seed),
        report: Report::new(scenario),
    };
    let clients = scenario.clients();
    let mut next = 0;
    let mut joined = false;
    loop {
        next += scenario.until_next(&mut simulation.random);
        let arrives = next < scenario.end();
        simulation.pass_until(if arrives { next } else { Time::MAX });
        if !arrives {
            break;
        }
        if !joined && next >= scenario.joins() {
            joined = true;
            simulation.router.set_servers(scenario.endpoints);
        }
        let client = clients.draw(&mut simulation.random);
        simulation.arrive(next, client);
    }
    simulation.router.check_idle();
    simulation.report
}

impl Simulation<'_> {
    /// Answers and deadlines before this time, in order.
    fn pass_until(&mut self, until: Time) {
        loop {
            let answer = self.answers.peek().map_or(Time::MAX, |Reverse((time, ..))| *time);
            let deadline = self.deadlines.front();
            let deadline =
                deadline.map_or(Time::MAX, |&at| self.requests[at].arrived + self.scenario.timeout);
            if answer.min(deadline) >= until {
                return;
            }
            if answer <= deadline {
                let Some(Reverse((now, server, request))) = self.answers.pop() else { return };
                let outcome = self.outcome(server, now);
                self.finish(request, now, outcome);
                self.servers[server].free();
                self.start_waiting(server, now);
            } else if let Some(request) = self.deadlines.pop_front() {
                self.finish(request, deadline, Outcome::TimedOut);
            }
        }
    }

    fn arrive(&mut self, now: Time, client: usize) {
        let gateway = self.random.below(self.router.gateways());
        let second = (now / SECOND) as usize;
        let Some(server) = self.router.choose(gateway, client, &self.servers, now, &mut self.random) else {
            self.report.count(second, Outcome::Failed, 0);
            return;
        };
        self.report.sent(second, server);
        let request = self.requests.len();
        self.requests.push(Request { arrived: now, gateway, server, over: false });
        self.deadlines.push_back(request);
        self.servers[server].enter(request);
        self.start_waiting(server, now);
    }

    /// Lets the server begin what it has a worker for; it leaves out what nobody waits for.
    fn start_waiting(&mut self, server: usize, now: Time) {
        while let Some(request) = self.servers[server].next(|request| self.requests[request].over) {
            let work = if self.random.fraction() < self.scenario.heavy { HEAVY } else { 1 };
            let time = work * self.servers[server].service_time(now, &mut self.random);
            self.answers.push(Reverse((now + time, server, request)));
        }
    }

    /// What an answer is.
    fn outcome(&mut self, server: usize, now: Time) -> Outcome {
        let chance = self.random.fraction();
        if self.servers[server].fails(now) || chance < self.scenario.failures {
            Outcome::Failed
        } else if chance < self.scenario.failures + self.scenario.errors {
            Outcome::Error
        } else {
            Outcome::Answered
        }
    }

    /// Ends a request for its client, if that still waits.
    fn finish(&mut self, at: usize, now: Time, outcome: Outcome) {
        let request = &mut self.requests[at];
        if std::mem::replace(&mut request.over, true) {
            return;
        }
        let request = *request;
        self.servers[request.server].open -= 1;
        let ending = match outcome {
            Outcome::Answered => Ending::Success,
            Outcome::Error => Ending::Error,
            Outcome::Failed | Outcome::TimedOut => Ending::Failure,
        };
        self.router.end(&request, ending, now, &mut self.random);
        let second = (request.arrived / SECOND) as usize;
        self.report.count(second, outcome, now - request.arrived);
    }
}

impl Request {
    pub(crate) fn arrived(&self) -> Time {
        self.arrived
    }

    pub(crate) fn gateway(&self) -> usize {
        self.gateway
    }

    pub(crate) fn server(&self) -> usize {
        self.server
    }
}
