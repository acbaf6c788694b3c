//! A host with a handful of rules: a list in order of precedence.

use std::ops::ControlFlow;

use crate::PathMatch;
use crate::table::route::RouteId;
use crate::table::visit::Visitor;

/// The rules of a host with few of them: two blocks of memory, however many rules there are.
#[derive(Debug)]
pub(in crate::table) struct List {
    rules: Box<[Listed]>,
    /// All texts one after another.
    texts: Box<[u8]>,
    /// How many of the rules are exact, and where the text of the last of them ends: prefixes follow.
    exact: (u32, u32),
}

#[derive(Debug)]
struct Listed {
    /// Where its text ends in the list's texts; it begins where the one before it ends.
    end: u32,
    route: RouteId,
}

impl List {
    pub(super) fn build(rules: &[(&PathMatch, RouteId)]) -> Self {
        let (mut listed, mut texts) = (Vec::with_capacity(rules.len()), Vec::new());
        let mut exact = (0, 0);
        for &(path, route) in rules {
            let text = match path {
                PathMatch::Exact(text) => text.as_str(),
                PathMatch::Prefix(text) => text.without_slash(),
                _ => continue,
            };
            texts.extend_from_slice(text.as_bytes());
            listed.push(Listed { end: texts.len() as u32, route });
            if matches!(path, PathMatch::Exact(_)) {
                exact = (listed.len() as u32, texts.len() as u32);
            }
        }
        Self { rules: listed.into(), texts: texts.into(), exact }
    }

    #[inline]
    pub(super) fn exact(&self, path: &[u8]) -> Option<RouteId> {
        let mut start = 0;
        for rule in &self.rules[..self.exact.0 as usize] {
            let end = rule.end as usize;
            if path == &self.texts[start..end] {
                return Some(rule.route);
            }
            start = end;
        }
        None
    }

    #[inline]
    pub(super) fn prefixes(&self, path: &[u8], visitor: &mut impl Visitor) -> ControlFlow<RouteId> {
        let (first, mut start) = (self.exact.0 as usize, self.exact.1 as usize);
        for rule in &self.rules[first..] {
            let end = rule.end as usize;
            // The border is looked at first: it rules out most texts without reading them.
            let border = match path.get(end - start) {
                None => path.len() == end - start,
                Some(&byte) => byte == b'/',
            };
            if border && path.starts_with(&self.texts[start..end]) {
                visitor.candidate(rule.route)?;
            }
            start = end;
        }
        ControlFlow::Continue(())
    }
}
