//! What a lookup in an ordinary host never reads.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::patterns::Patterns;
use super::trie::Trie;
use super::{firsts, is_long};
use crate::{Conditions, PathMatch, Policy, Rule, Source};

/// What is kept beside a host's bytes.
#[derive(Debug)]
pub(in crate::table) struct Extra {
    /// By route; empty where no rule has one.
    pub(super) sources: Box<[Option<Source>]>,
    /// By route; empty where no rule has one.
    pub(super) policies: Box<[Option<Arc<Policy>>]>,
    pub(super) special: Option<Box<Special>>,
}

/// What a host has whose routes are not all plain paths of their own: templates, expressions, long paths, or
/// several routes for a path that differ in conditions.
#[derive(Debug)]
pub(super) struct Special {
    /// By route.
    pub(super) paths: Box<[PathMatch]>,
    /// By route; most have none.
    pub(super) conditions: Box<[Option<Box<Conditions>>]>,
    /// By route: no further one takes the same paths.
    pub(super) last: Box<[bool]>,
    /// By entry of the block: the first route for that path.
    pub(super) firsts: Box<[u32]>,
    patterns: Option<Box<Patterns>>,
    /// Plain paths that are no entries.
    pub(super) long: Option<Box<Trie>>,
    pub(super) default: Option<u32>,
}

// ===== impl Extra, Special =====

impl Extra {
    /// `None` when the rules have nothing of it.
    pub(super) fn new(rules: Vec<Rule>, special: bool) -> Option<Self> {
        let has_sources = rules.iter().any(|rule| rule.source.is_some());
        let has_policies = rules.iter().any(|rule| rule.policy.is_some());
        if !has_sources && !has_policies && !special {
            return None;
        }
        let mut rules = rules;
        let sources = rules.iter_mut().filter(|_| has_sources).map(|rule| rule.source.take()).collect();
        let policies = rules.iter_mut().filter(|_| has_policies).map(|rule| rule.policy.take()).collect();
        Some(Self { sources, policies, special: special.then(|| Box::new(Special::new(rules))) })
    }
}

impl Special {
    fn new(rules: Vec<Rule>) -> Self {
        let ordered: Vec<_> = firsts(&rules).map(|number| (&rules[number].path, number as u32)).collect();
        let is_entry =
            |path: &PathMatch| matches!(path, PathMatch::Exact(_) | PathMatch::Prefix(_)) && !is_long(path);
        let long: Vec<_> = ordered.iter().filter(|(path, _)| is_long(path)).copied().collect();
        let patterns = Patterns::build(&ordered);
        let firsts = ordered.iter().filter(|(path, _)| is_entry(path)).map(|&(_, number)| number).collect();
        let default =
            ordered.iter().find(|(path, _)| **path == PathMatch::Default).map(|&(_, number)| number);
        let mut last = vec![true; rules.len()];
        (1..rules.len())
            .for_each(|next| last[next - 1] = !rules[next - 1].path.takes_same(&rules[next].path));
        let long = (!long.is_empty()).then(|| Box::new(Trie::build(&long)));
        let conditions = |conditions: Conditions| (!conditions.is_empty()).then(|| Box::new(conditions));
        let (paths, conditions): (Vec<_>, Vec<_>) =
            rules.into_iter().map(|rule| (rule.path, conditions(rule.conditions))).unzip();
        Self {
            paths: paths.into(),
            conditions: conditions.into(),
            last: last.into(),
            firsts,
            patterns,
            long,
            default,
        }
    }

    /// Templates and expressions, and then the long prefixes, which are stronger than all entries.
    pub(super) fn visit<R>(
        &self,
        path: &str,
        visit: &mut impl FnMut(u32) -> ControlFlow<R>,
    ) -> ControlFlow<R> {
        if let Some(patterns) = &self.patterns {
            patterns.visit(path, visit)?;
        }
        self.long.as_ref().map_or(ControlFlow::Continue(()), |long| long.prefixes(path, visit))
    }
}
