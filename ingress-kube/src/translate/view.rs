//! One Ingress alone.

use std::num::NonZero;
use std::panic::resume_unwind;
use std::thread;

use ingress_core::HostMatch;
use k8s_openapi::api::networking::v1::Ingress;

use super::class::{Classes, Owner};
use super::key::Key;
use super::parameters::Parameters;
use super::{Output, ingress};
use crate::store::Stored;
use crate::{Config, Store};

/// What the rules of an Ingress depend on besides itself: neither other Ingresses nor Services.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) store: &'a Store,
    pub(super) config: &'a Config,
    pub(super) classes: Classes<'a>,
    pub(super) parameters: &'a Parameters,
}

/// Who serves an Ingress, and what it says.
pub(super) type Translated = (Owner, Output);

/// From so many Ingresses on, threads cost less than they save.
const MANY: usize = 512;

impl<'a> View<'a> {
    /// What each of these Ingresses says, in their order; nothing for one that is not there. Many are shared out to
    /// all cores.
    pub(super) fn translate_all(self, keys: &[Key]) -> Vec<Option<Translated>> {
        let translate = move |keys: &[Key]| keys.iter().map(|key| self.translate(key, None)).collect();
        let cores = match keys.len() {
            ..MANY => 1,
            _ => thread::available_parallelism().map_or(1, NonZero::get),
        };
        let mut parts = keys.chunks(keys.len().div_ceil(cores).max(1));
        let first = parts.next().unwrap_or_default();
        thread::scope(|scope| {
            let start = |part| (part, thread::Builder::new().spawn_scoped(scope, move || translate(part)));
            let others: Vec<_> = parts.map(start).collect();
            let mut all: Vec<_> = translate(first);
            for (part, other) in others {
                // Without a thread the work is done here.
                let done = other.map(|handle| handle.join().unwrap_or_else(|panic| resume_unwind(panic)));
                all.extend(done.unwrap_or_else(|_| translate(part)));
            }
            all
        })
    }

    /// What an Ingress says; of a single host only, if one is given.
    pub(super) fn translate(self, key: &Key, only: Option<&HostMatch>) -> Option<Translated> {
        let stored = self.store.ingresses.get(&key.namespace, &key.name)?;
        let mut out = Output::default();
        let owner = self.classes.owner(stored, &mut out);
        if owner == Owner::Us {
            self.read(stored, only, &mut out);
        }
        out.uses.sort();
        Some((owner, out))
    }

    fn read(self, stored: &'a Stored<Ingress>, only: Option<&HostMatch>, out: &mut Output) {
        let settings = self.parameters.of(&self.classes, stored).read(stored, out);
        ingress::translate(stored, &settings, self.config, only, out);
    }
}
