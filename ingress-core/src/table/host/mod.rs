//! The routes of one host: the only modules that know how paths are searched.
//!
//! Plain paths of up to [`Borders::MAX`] bytes are entries of a block of bytes, in the shape that fits their number:
//! `small` or `large`. What few hosts have is beside it, where an ordinary lookup never looks: templates and
//! expressions (`patterns`), longer paths (`trie`), conditions.

mod block;
mod extra;
mod large;
mod patterns;
mod small;
mod trie;

use std::ops::ControlFlow;
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::explain::HostVerdict;
use super::route::Route;
use super::shard::{Host, Shard};
use super::visit::{Level, Visitor};
use crate::path::{Borders, MarkedPath};
use crate::{Conditions, HostMatch, PathMatch, Policy, Rule, Source};
pub(super) use block::Block;
use block::{CONDITIONAL, DEFAULT, Entries, Entry, LARGE, SPECIAL};
pub(super) use extra::Extra;
use large::Large;
use small::Small;

/// Up to this many plain paths a host has the small shape. `cargo bench -p benches --bench lookup` has both.
const MAX_SMALL: usize = 40;

/// Compiles the routes of one host. `rules` are all of it, in order of precedence, none hidden; `backends` are the
/// numbers of theirs.
pub(super) fn compile(host: &HostMatch, rules: Vec<Rule>, backends: &[u32], hasher: &RandomState) -> Shard {
    let mut entries = Entries::default();
    for rule in firsts(&rules).map(|number| &rules[number]) {
        match &rule.path {
            path if is_long(path) => {}
            PathMatch::Exact(text) => entries.exact.push(Entry { text: text.as_str(), slash: false }),
            PathMatch::Prefix(text) => {
                let slash = text.as_str().ends_with('/');
                entries.prefixes.push(Entry { text: text.without_slash(), slash });
            }
            _ => {}
        }
    }
    let has_default = rules.last().is_some_and(|rule| rule.path == PathMatch::Default);
    let conditional = rules.iter().any(|rule| !rule.conditions.is_empty());
    let special = conditional || entries.len() + usize::from(has_default) != rules.len();
    let large = entries.len() > MAX_SMALL;
    let flag = |is: bool, flag| if is { flag } else { 0 };
    let flags = flag(conditional, CONDITIONAL)
        | flag(special, SPECIAL)
        | flag(has_default, DEFAULT)
        | flag(large, LARGE);
    let shape = if large { Large::shape(&entries) } else { Small::shape(&entries) };
    let mut bytes = block::start(host, flags, shape, &entries, backends);
    if large {
        Large::write(&entries, hasher, &mut bytes)
    } else {
        Small::write(&entries, &mut bytes)
    }
    block::end(&mut bytes);
    Shard::single(bytes, Extra::new(rules, special).map(Arc::new))
}

/// The routes are numbered from 0 in order of precedence.
impl<'t> Host<'t> {
    pub(super) fn level(self) -> Level {
        self.block().level()
    }

    pub(super) fn name(self) -> &'t [u8] {
        self.block().name().as_bytes()
    }

    pub(super) fn host(self) -> HostMatch {
        self.block().host()
    }

    pub(super) fn len(self) -> u32 {
        self.block().routes()
    }

    #[inline]
    pub(super) fn is_empty(self) -> bool {
        self.block().routes() == 0
    }

    /// The routes, the strongest first.
    pub(super) fn routes(self) -> impl ExactSizeIterator<Item = Route<'t>> {
        (0..self.len()).map(move |number| Route::new(self, number))
    }

    #[inline]
    fn is_conditional(self) -> bool {
        self.block().flags() & CONDITIONAL != 0
    }

    /// The number of what serves a route.
    #[inline]
    pub(super) fn backend(self, route: u32) -> u32 {
        self.block().backend(route)
    }

    /// A path that is more than a text.
    pub(super) fn special_path(self, route: u32) -> Option<&'t PathMatch> {
        self.extra()?.special.as_ref().map(|special| &special.paths[route as usize])
    }

    pub(super) fn path(self, route: u32) -> PathMatch {
        if let Some(path) = self.special_path(route) {
            return path.clone();
        }
        let block = self.block();
        if route >= block.exact() + block.prefixes() {
            return PathMatch::Default;
        }
        let large = block.flags() & LARGE != 0;
        let entry = if large { Large::new(block).entry(route) } else { Small::new(block).entry(route) };
        if route < block.exact() {
            PathMatch::known_exact(entry.text)
        } else {
            PathMatch::known_prefix(entry.text, entry.slash)
        }
    }

    pub(super) fn conditions(self, route: u32) -> &'t Conditions {
        const NONE: &Conditions = &Conditions::NONE;
        let special = self.extra().and_then(|extra| extra.special.as_ref());
        special.and_then(|special| special.conditions[route as usize].as_deref()).unwrap_or(NONE)
    }

    pub(super) fn source(self, route: u32) -> Option<&'t Source> {
        self.extra()?.sources.get(route as usize)?.as_ref()
    }

    #[inline]
    pub(super) fn policy(self, route: u32) -> Option<&'t Arc<Policy>> {
        self.extra()?.policies.get(route as usize)?.as_ref()
    }

    /// Whether no further route of the host takes the same paths.
    pub(super) fn is_last(self, route: u32) -> bool {
        let special = self.extra().and_then(|extra| extra.special.as_ref());
        special.is_none_or(|special| special.last[route as usize])
    }

    /// Exact paths, then templates and expressions, then prefixes, then the default backend.
    #[inline(always)]
    pub(super) fn visit<V: Visitor<'t>>(
        self,
        path: MarkedPath<'_>,
        hasher: &RandomState,
        visitor: &mut V,
    ) -> ControlFlow<Route<'t>> {
        if self.block().flags() & SPECIAL != 0 {
            return self.visit_special(path, hasher, visitor);
        }
        // Conditions are special.
        let mut visit = |number| visitor.candidate(Route::new(self, number), false);
        self.visit_entries(path, hasher, |entry| entry, |_| ControlFlow::Continue(()), &mut visit)?;
        self.visit_default(visitor)
    }

    fn visit_special<V: Visitor<'t>>(
        self,
        path: MarkedPath<'_>,
        hasher: &RandomState,
        visitor: &mut V,
    ) -> ControlFlow<Route<'t>> {
        let Some(special) = self.extra().and_then(|extra| extra.special.as_ref()) else {
            return ControlFlow::Continue(());
        };
        let conditional = self.is_conditional();
        let mut visit = |number| visitor.candidate(Route::new(self, number), conditional);
        if let Some(exact) = special.long.as_ref().and_then(|long| long.exact(path.text)) {
            visit(exact)?;
        }
        let first = |entry: u32| special.firsts[entry as usize];
        self.visit_entries(path, hasher, first, |visit| special.visit(path.text, visit), &mut visit)?;
        self.visit_default(visitor)
    }

    /// `number` is the first route of an entry; `between` comes after the Exact entry and before the prefixes.
    #[inline(always)]
    fn visit_entries<R, F: FnMut(u32) -> ControlFlow<R>>(
        self,
        path: MarkedPath<'_>,
        hasher: &RandomState,
        number: impl Fn(u32) -> u32,
        between: impl FnOnce(&mut F) -> ControlFlow<R>,
        visit: &mut F,
    ) -> ControlFlow<R> {
        let block = self.block();
        if block.flags() & LARGE == 0 {
            let small = Small::new(block);
            if let Some(exact) = small.exact(path) {
                visit(number(exact))?;
            }
            between(visit)?;
            small.prefixes(path, |entry| visit(number(entry)))
        } else {
            let large = Large::new(block);
            if let Some(exact) = large.exact(path, hasher) {
                visit(number(exact))?;
            }
            between(visit)?;
            large.prefixes(path, hasher, |entry| visit(number(entry)))
        }
    }

    #[inline]
    pub(super) fn visit_default<V: Visitor<'t>>(self, visitor: &mut V) -> ControlFlow<Route<'t>> {
        match self.default() {
            Some(number) => visitor.candidate(Route::new(self, number), self.is_conditional()),
            None => ControlFlow::Continue(()),
        }
    }

    /// The first route for paths that no other takes.
    #[inline]
    fn default(self) -> Option<u32> {
        let block = self.block();
        if block.flags() & DEFAULT == 0 {
            return None;
        }
        let special = self.extra().and_then(|extra| extra.special.as_ref());
        match special {
            Some(special) if block.flags() & SPECIAL != 0 => special.default,
            _ => Some(block.routes() - 1),
        }
    }

    #[inline]
    pub(super) fn verdict(routes: Option<Self>) -> HostVerdict {
        match routes {
            None => HostVerdict::Absent,
            Some(routes) if routes.is_empty() => HostVerdict::Reserved,
            Some(_) => HostVerdict::Asked,
        }
    }
}

/// The numbers of the first rule for each path; those that follow one differ in conditions.
fn firsts(rules: &[Rule]) -> impl Iterator<Item = usize> {
    (0..rules.len()).filter(|&number| number == 0 || !rules[number - 1].path.takes_same(&rules[number].path))
}

/// Whether a plain path has no bit in [`Borders`].
fn is_long(path: &PathMatch) -> bool {
    match path {
        PathMatch::Exact(text) => text.as_str().len() > Borders::MAX,
        PathMatch::Prefix(text) => text.without_slash().len() > Borders::MAX,
        _ => false,
    }
}
