//! Rules that stand in each other's way, and what is said about them.

use std::collections::HashMap;

use super::unserved::UnservedRule;
use crate::{Code, Conditions, Diagnostic, HostMatch, PathMatch, Rule};

/// Takes the rules out that a stronger one hides (ruling R10): same paths, same conditions.
/// `rules` are those of a host in order of precedence, and stay so.
#[allow(clippy::mutable_key_type, reason = "a pattern is compared and hashed by its text")]
pub(super) fn take_shadowed(rules: &mut Vec<Rule>) -> Vec<UnservedRule> {
    if rules.windows(2).all(|pair| !pair[0].path.takes_same(&pair[1].path)) {
        return Vec::new();
    }
    let mut shadowed = Vec::new();
    let mut kept: Vec<Rule> = Vec::with_capacity(rules.len());
    // Those kept that take the same paths: where they begin, and where each set of conditions is.
    let mut group = 0;
    let mut seen: HashMap<Conditions, usize> = HashMap::new();
    for rule in rules.drain(..) {
        if !kept.get(group).is_some_and(|first| first.path.takes_same(&rule.path)) {
            group = kept.len();
            seen.clear();
        }
        // Without conditions it would be the last of its group; nearly all rules are.
        let winner = if rule.conditions.is_empty() {
            kept[group..].last().filter(|last| last.conditions.is_empty())
        } else {
            seen.get(&rule.conditions).map(|&at| &kept[at])
        };
        match winner {
            Some(winner) if *winner == rule => {}
            Some(winner) => {
                let finding = shadowed_by(&rule, winner);
                shadowed.push(UnservedRule { host: Some(rule.host), path: Some(rule.path), finding });
            }
            None => {
                if !rule.conditions.is_empty() {
                    seen.insert(rule.conditions.clone(), kept.len());
                }
                kept.push(rule);
            }
        }
    }
    *rules = kept;
    shadowed
}

fn shadowed_by(loser: &Rule, winner: &Rule) -> Diagnostic {
    let host = match &loser.host {
        HostMatch::Any => "rules without a host".into(),
        host => format!("host \"{host}\""),
    };
    let by = winner.source.as_ref().map_or_else(|| "a rule without a source".into(), ToString::to_string);
    let only = match &loser.conditions {
        none if none.is_empty() => String::new(),
        conditions => format!(" with {conditions}"),
    };
    let what = match loser.path {
        PathMatch::Default => {
            format!("another default backend for {host}{only} comes first: {by}")
        }
        _ => format!("for {host}, path {}{only} is already taken by {by}", loser.path),
    };
    let help = "the older object wins, then the first by namespace and name; remove one of the two";
    Diagnostic::new(Code::ShadowedRule, loser.source.clone(), what, help).with_related(winner.source.clone())
}

/// What may surprise the authors of rules that are served.
pub(super) fn lint(rules: &[Rule], diagnostics: &mut Vec<Diagnostic>) {
    report_overlaps(rules, diagnostics);
    diagnostics.extend(rules.iter().filter(|rule| rule.path.is_unreachable()).map(unreachable_path));
}

/// Ruling R5: a request that spells its path like this one is refused.
fn unreachable_path(rule: &Rule) -> Diagnostic {
    let message =
        format!("no request reaches {}, because servers read such a path in different ways", rule.path);
    let help =
        "write the path without '//', '%2F', '%5C', '\\' and ';', or a shorter Prefix that ends before it";
    Diagnostic::new(Code::AmbiguousRulePath, rule.source.clone(), message, help)
}

/// Ruling R2: `/foo/` takes all that `/foo` takes, where it has no conditions.
fn report_overlaps(rules: &[Rule], diagnostics: &mut Vec<Diagnostic>) {
    let prefixes = rules.iter().filter(|rule| matches!(rule.path, PathMatch::Prefix(_)));
    for with_slash in prefixes.filter(|rule| rule.conditions.is_empty()) {
        let text = with_slash.path.as_str().strip_suffix('/').filter(|text| !text.is_empty());
        let Some((text, path)) =
            text.and_then(|text| Some((text, PathMatch::implementation_specific(text).ok()?)))
        else {
            continue;
        };
        let start = rules.partition_point(|rule| rule.path < path);
        for hidden in rules[start..].iter().take_while(|rule| rule.path == path) {
            let message = format!(
                "Prefix {text} takes nothing, because Prefix {text}/ of the same host takes all of its paths"
            );
            let help = "a trailing slash makes no other prefix; keep one of the two";
            let finding = Diagnostic::new(Code::OverlappingPrefix, hidden.source.clone(), message, help);
            diagnostics.push(finding.with_related(with_slash.source.clone()));
        }
    }
}
