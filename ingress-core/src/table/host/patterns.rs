//! Paths of one host that are not plain text: templates, found by matchit, and regular expressions.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use crate::{PathMatch, PathTemplate, Pattern};

/// The templates and expressions of one host, each in order of precedence.
#[derive(Debug, Default)]
pub(super) struct Patterns {
    /// From a path to the strongest template's place in `templates`, apart for templates without a rest and for
    /// each length before one: to matchit `/a/{x}` and `/a/{*rest}` stand in each other's way.
    routers: Box<[matchit::Router<usize>]>,
    templates: Box<[(PathTemplate, u32)]>,
    regexes: Box<[(Pattern, u32)]>,
}

impl Patterns {
    /// `None` when the host has neither.
    pub(super) fn build(rules: &[(&PathMatch, u32)]) -> Option<Box<Self>> {
        let (mut templates, mut regexes) = (Vec::new(), Vec::new());
        for &(path, route) in rules {
            match path {
                PathMatch::Template(template) => templates.push((template.clone(), route)),
                PathMatch::Regex(pattern) => regexes.push((pattern.clone(), route)),
                _ => {}
            }
        }
        if templates.is_empty() && regexes.is_empty() {
            return None;
        }
        let mut routers = BTreeMap::<_, matchit::Router<usize>>::new();
        for (place, (template, _)) in templates.iter().enumerate() {
            let added = routers.entry(template.rest_at()).or_default().insert(template.numbered(), place);
            added.expect("each shape comes once and is a route of matchit");
        }
        let routers = routers.into_values().collect();
        Some(Box::new(Self { routers, templates: templates.into(), regexes: regexes.into() }))
    }

    pub(super) fn visit<R>(
        &self,
        path: &str,
        visit: &mut impl FnMut(u32) -> ControlFlow<R>,
    ) -> ControlFlow<R> {
        let found = self.routers.iter().filter_map(|router| router.at(path).ok());
        if let Some(place) = found.map(|found| *found.value).min() {
            let (strongest, weaker) = self.templates[place..].split_first().expect("a place of the list");
            visit(strongest.1)?;
            weaker
                .iter()
                .filter(|(template, _)| template.takes(path))
                .try_for_each(|(_, route)| visit(*route))?;
        }
        self.regexes
            .iter()
            .filter(|(pattern, _)| pattern.is_match(path.as_bytes()))
            .try_for_each(|(_, route)| visit(*route))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    fn template() -> impl Strategy<Value = PathMatch> {
        let element = select(vec!["a", "b", "ab", "{x}", ""]);
        (prop::collection::vec(element, 1..5), select(vec!["", "/{*rest}"])).prop_map(|(elements, rest)| {
            let mut number = 0;
            let mut name = |element: &str| {
                number += 1;
                element.replace("{x}", &format!("{{x{number}}}"))
            };
            let text: String = elements.iter().map(|element| format!("/{}", name(element))).collect();
            PathMatch::template(&(text + rest)).unwrap()
        })
    }

    proptest! {
        /// The strongest template that takes a path is the one matchit finds, and the others follow in order.
        #[test]
        fn matchit_finds_the_strongest(
            mut paths in prop::collection::vec(template(), 1..12),
            elements in prop::collection::vec(select(vec!["a", "b", "ab", "c", ""]), 1..6),
        ) {
            paths.sort();
            paths.dedup_by(|a, b| a.takes_same(b));
            let rules: Vec<_> = paths.iter().zip(0..).collect();
            let path: String = elements.iter().map(|element| format!("/{element}")).collect();
            let takes = |pattern: &PathMatch| matches!(pattern, PathMatch::Template(t) if t.takes(&path));
            let want: Vec<u32> = (0..).zip(&paths).filter(|(_, path)| takes(path)).map(|(i, _)| i).collect();
            let mut all = Vec::new();
            let _ = Patterns::build(&rules).unwrap().visit(&path, &mut |route| {
                all.push(route);
                ControlFlow::<()>::Continue(())
            });
            prop_assert_eq!(all, want, "{} in {:?}", path, paths);
        }
    }
}
