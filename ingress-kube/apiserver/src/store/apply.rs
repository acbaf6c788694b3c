//! Server-side apply.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};

use super::Store;
use super::object::{normalise, now};
use super::write::{Part, Write, replaced};
use crate::failure::Failure;
use crate::fields::{self, Owner, Path};
use crate::kind::Kind;

/// What an apply led to.
#[derive(Debug)]
pub(crate) struct Applied {
    pub(crate) object: Arc<Value>,
    /// Whether the object is new.
    pub(crate) created: bool,
}

impl Store {
    /// PATCH with `application/apply-patch+yaml`: the fields of `config` are set and owned by the manager, and
    /// those that only it owned before and leaves out now are removed.
    pub(crate) fn server_side_apply(
        &mut self,
        write: Write<'_>,
        config: Value,
        force: bool,
    ) -> Result<Applied, Failure> {
        write.check_body(&config)?;
        for field in ["apiVersion", "kind"] {
            if !config[field].is_string() {
                return Err(Failure::bad_request(format!("{field} must be set in an apply patch")));
            }
        }
        if config["metadata"]["managedFields"].as_array().is_some_and(|entries| !entries.is_empty()) {
            return Err(Failure::bad_request("metadata.managedFields must be nil"));
        }
        match self.get(write.kind, &write.key).cloned() {
            None if write.part == Part::Status => Err(write.not_found()),
            None => Ok(Applied { object: self.apply_new(write, config)?, created: true }),
            Some(old) => {
                write.check_preconditions(&old, &config["metadata"])?;
                Ok(Applied { object: self.apply_to(write, old, config, force)?, created: false })
            }
        }
    }

    fn apply_new(&mut self, write: Write<'_>, config: Value) -> Result<Arc<Value>, Failure> {
        if config["metadata"]["resourceVersion"].as_str().is_some_and(|version| !version.is_empty()) {
            return Err(Failure::stale(write.kind, &write.key.1));
        }
        let mut by = Owner::new(write.kind, write.manager, "Apply", write.part, now());
        let mut wanted = config.clone();
        normalise(write.kind, &mut wanted);
        by.fields = fields::leaves(write.kind, &wanted, write.part).into_keys().collect();
        let mut object = self.new_object(&write, config, None);
        fields::set_owners(&mut object, &[by]);
        Ok(self.put(write.kind, write.key, object))
    }

    fn apply_to(
        &mut self,
        write: Write<'_>,
        old: Arc<Value>,
        mut config: Value,
        force: bool,
    ) -> Result<Arc<Value>, Failure> {
        normalise(write.kind, &mut config);
        let wanted = fields::leaves(write.kind, &config, write.part);
        let by = Owner::new(write.kind, write.manager, "Apply", write.part, now());
        let (own, mut others): (Vec<_>, Vec<_>) =
            fields::owners(&old).into_iter().partition(|owner| owner.is(&by));
        let before = own.into_iter().next();
        let changed = changed(&old, &wanted);
        let conflicts = conflicts(&others, &changed);
        if !conflicts.is_empty() && !force {
            return Err(conflict(write.kind, &write.key.1, &conflicts));
        }
        others.iter_mut().for_each(|owner| owner.fields.retain(|path| !changed.contains(path)));

        let mut new = (*old).clone();
        for path in before.iter().flat_map(|owner| &owner.fields) {
            let shared = others.iter().any(|owner| owner.fields.contains(path));
            if !wanted.contains_key(path) && !shared {
                fields::unset(&mut new, path);
            }
        }
        wanted.iter().for_each(|(path, value)| fields::set(&mut new, path, value));
        let mut new = replaced(&write, &old, new);

        let own: BTreeSet<Path> = wanted.into_keys().collect();
        let owned_before = before.as_ref().map(|owner| &owner.fields);
        if new == *old && owned_before.map_or(own.is_empty(), |fields| *fields == own) {
            return Ok(old);
        }
        others.push(Owner { fields: own, ..by });
        fields::set_owners(&mut new, &others);
        Ok(self.put_next(write, &old, new))
    }
}

/// Which of the wanted fields have another value now.
fn changed(old: &Value, wanted: &BTreeMap<Path, &Value>) -> BTreeSet<Path> {
    let differs = |path: &Path, value: &Value| match fields::at(old, path) {
        Some(there) => there != value && !(fields::is_empty_object(value) && there.is_object()),
        None => true,
    };
    wanted.iter().filter(|(path, value)| differs(path, value)).map(|(path, _)| path.clone()).collect()
}

/// Each field that another manager owns, with a name for that manager.
fn conflicts(others: &[Owner], changed: &BTreeSet<Path>) -> Vec<(String, String)> {
    let mut conflicts = Vec::new();
    for owner in others {
        let subresource = owner.subresource.as_ref().map(|name| format!(" with subresource \"{name}\""));
        let who = format!(
            "conflict with \"{}\"{} using {}",
            owner.manager,
            subresource.unwrap_or_default(),
            owner.api_version
        );
        let taken = owner.fields.intersection(changed);
        conflicts.extend(taken.map(|path| (who.clone(), format!(".{}", path.join(".")))));
    }
    conflicts
}

fn conflict(kind: &Kind, name: &str, conflicts: &[(String, String)]) -> Failure {
    let count = conflicts.len();
    let list: Vec<String> = conflicts.iter().map(|(who, field)| format!("{who}: {field}")).collect();
    let plural = if count == 1 { "" } else { "s" };
    let message = format!("Apply failed with {count} conflict{plural}: {}", list.join(", "));
    let mut failure = Failure::new(409, "Conflict", message).about(kind, name);
    let causes = conflicts
        .iter()
        .map(|(who, field)| json!({"reason": "FieldManagerConflict", "message": who, "field": field}));
    failure.details["causes"] = causes.collect();
    failure
}
