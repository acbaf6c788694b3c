//! Objects that no type allows: JSON values with any part replaced, and what the parser of manifests makes of
//! them.

use arbitrary::{Result, Unstructured};
use ingress_kube::manifests::{Manifest, parse_manifests};
use ingress_kube::{Object, Origin};
use k8s_openapi::serde_json::{Map, Value, to_value};

use super::choose::{choose, list, text};
use super::make;

/// Fields that mean something somewhere.
const FIELDS: [&str; 16] = [
    "apiVersion",
    "kind",
    "metadata",
    "name",
    "namespace",
    "annotations",
    "spec",
    "rules",
    "host",
    "http",
    "paths",
    "path",
    "pathType",
    "backend",
    "items",
    "endpoints",
];
const TEXTS: [&str; 8] =
    ["", "/", "Ingress", "List", "v1", "networking.k8s.io/v1", "2024-01-01T00:00:00Z", "true"];

/// What a file with a few such values holds; `true` for YAML.
pub(super) fn objects(data: &mut Unstructured<'_>, yaml: bool) -> Result<Vec<(Object, Option<Origin>)>> {
    let values = list(data, 5, |data| {
        let mut value = typed(&make::object(data)?);
        for _ in 0..data.int_in_range(0..=3u8)? {
            change(data, &mut value, 0)?;
        }
        Ok(value)
    })?;
    let (file, between) = if yaml { ("fuzz.yaml", "\n---\n") } else { ("fuzz.json", "\n") };
    let texts: Vec<_> = values.iter().map(Value::to_string).collect();
    let (manifests, findings) = parse_manifests(&texts.join(between), file);
    assert!(findings.iter().all(|finding| !finding.to_string().contains('\n')));
    let parts = |Manifest { object, origin, .. }| (object, Some(origin));
    Ok(manifests.into_iter().map(parts).collect())
}

fn typed(object: &Object) -> Value {
    let value = match object {
        Object::Ingress(object) => to_value(object),
        Object::IngressClass(object) => to_value(object),
        Object::Service(object) => to_value(object),
        Object::EndpointSlice(object) => to_value(object),
        Object::Secret(object) => to_value(object),
        Object::ConfigMap(object) => to_value(object),
        _ => unreachable!("no other kind is made"),
    };
    value.expect("an object is a JSON value")
}

/// Replaces, removes or adds one part.
fn change(data: &mut Unstructured<'_>, value: &mut Value, depth: u8) -> Result<()> {
    let stop = depth > 12 || data.int_in_range(0..=5u8)? == 5;
    match value {
        Value::Array(items) if !items.is_empty() && !stop => {
            let at = data.int_in_range(0..=items.len() - 1)?;
            match data.int_in_range(0..=7u8)? {
                7 => drop(items.remove(at)),
                6 => items.push(items[at].clone()),
                _ => change(data, &mut items[at], depth + 1)?,
            }
        }
        Value::Object(fields) if !fields.is_empty() && !stop => {
            let at = data.int_in_range(0..=fields.len() - 1)?;
            let name = fields.keys().nth(at).cloned().unwrap_or_default();
            match data.int_in_range(0..=7u8)? {
                7 => drop(fields.remove(&name)),
                6 => drop(fields.insert(text(data, &FIELDS)?, any_value(data, 0)?)),
                _ => change(data, &mut fields[&name], depth + 1)?,
            }
        }
        _ => *value = any_value(data, 0)?,
    }
    Ok(())
}

fn any_value(data: &mut Unstructured<'_>, depth: u8) -> Result<Value> {
    let kinds = if depth > 4 { 4 } else { 6 };
    Ok(match data.int_in_range(0..=kinds)? {
        0 => Value::Null,
        1 => choose(data, &[true, false])?.into(),
        2 => data.arbitrary::<i64>()?.into(),
        3 => Value::from(f64::from(data.arbitrary::<i16>()?) / 8.0),
        4 => text(data, &TEXTS)?.into(),
        5 => list(data, 3, |data| any_value(data, depth + 1))?.into(),
        _ => {
            let fields = list(data, 3, |data| Ok((text(data, &FIELDS)?, any_value(data, depth + 1)?)))?;
            Value::Object(fields.into_iter().collect::<Map<_, _>>())
        }
    })
}
