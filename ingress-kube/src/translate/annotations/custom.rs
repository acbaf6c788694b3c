//! Annotations of the embedding program's own.

use std::sync::Arc;

use ingress_core::{Code, ObjectRef};

use super::{Fault, Settings};
use crate::CustomAnnotation;
use crate::translate::Output;

impl Settings<'_> {
    /// Takes over what is said of a policy of the embedding program. What it cannot read closes the paths: nobody knows
    /// whether it is a protection.
    pub(super) fn set_custom(
        &mut self,
        custom: &CustomAnnotation,
        text: &str,
        object: &Arc<ObjectRef>,
        out: &mut Output,
    ) {
        let name = custom.name();
        match custom.validate(text) {
            Ok(()) => self.treatment.policy.custom.set(name, text),
            Err(why) => {
                self.treatment.policy.access.closed = true;
                let field = format!("metadata.annotations[{}]", name.escape_debug());
                let Fault { message, help } = Fault::new(why, format!("write what {name} can be")).closing();
                out.find(Code::InvalidAnnotation, object, field, message, help);
            }
        }
    }
}
