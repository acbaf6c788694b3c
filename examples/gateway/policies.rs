//! How requests are treated where no object says anything else: a file, and flags that come before it.
//!
//! There is a flag for each annotation that may hold for a whole gateway, by its name, unless another flag has it.

use std::path::PathBuf;
use std::{fmt, fs};

use clap::{Arg, ArgMatches, Command, Error, FromArgMatches, value_parser};
use ingress_core::Policy;
use ingress_kube::{Annotation, Defaults, DefaultsError, ValueKind};

#[derive(Clone, Debug, Default)]
pub(crate) struct PolicyOptions {
    config: Option<PathBuf>,
    affinity_secret: Option<PathBuf>,
    /// Names and values, in the order of the names.
    values: Vec<(&'static str, String)>,
}

fn policies() -> impl Iterator<Item = &'static Annotation> {
    ingress_kube::annotations().iter().filter(|annotation| annotation.scope.has_gateways())
}

/// The flag for an annotation. `--max-connections` is about clients.
fn flag(name: &str) -> &str {
    match name {
        "max-connections" => "endpoint-max-connections",
        name => name,
    }
}

/// A meaning as the beginning of a sentence.
fn sentence(meaning: &str) -> String {
    let mut text = meaning.to_owned();
    text[..1].make_ascii_uppercase();
    text
}

impl PolicyOptions {
    /// The policy of this gateway.
    ///
    /// # Errors
    ///
    /// A flag or a file that cannot be used, in one line that names it.
    pub(crate) fn policy(&self) -> Result<Policy, String> {
        let read = |path: &PathBuf| {
            Defaults::read(path).map_err(|error| format!("--config {}: {error}", path.display()))
        };
        let mut defaults = self.config.as_ref().map(read).transpose()?.unwrap_or_default();
        // An empty text, as templates of Deployments leave it, is none.
        for (name, value) in self.values.iter().filter(|(_, value)| !value.is_empty()) {
            defaults.set(name, value).map_err(|error| named(&error))?;
        }
        defaults.policy().map_err(|error| named(&error))
    }
}

impl PolicyOptions {
    /// The secret with which affinity cookies name endpoints, if one is given.
    ///
    /// # Errors
    ///
    /// A file that cannot be read, or is empty, in one line that names the flag.
    pub(crate) fn affinity_secret(&self) -> Result<Option<Vec<u8>>, String> {
        let Some(path) = self.affinity_secret.as_ref().filter(|path| !path.as_os_str().is_empty()) else {
            return Ok(None);
        };
        let fault = |fault: &dyn fmt::Display| format!("--affinity-secret-file {}: {fault}", path.display());
        let secret = fs::read(path).map_err(|error| fault(&error))?;
        // Editors and `echo` end files with a line feed.
        let secret = secret.trim_ascii_end();
        if secret.is_empty() {
            return Err(fault(&"the file is empty; write some random bytes"));
        }
        Ok(Some(secret.to_vec()))
    }
}

/// The error, beginning with the flag.
fn named(error: &DefaultsError) -> String {
    match error {
        DefaultsError::Value { name, message, help, .. } => format!("--{}: {message}; {help}", flag(name)),
        other => other.to_string(),
    }
}

impl clap::Args for PolicyOptions {
    fn augment_args(command: Command) -> Command {
        let config = Arg::new("config")
            .long("config")
            .env("INGRESS_CONFIG")
            .value_name("FILE")
            .value_parser(value_parser!(PathBuf))
            .help(
                "YAML file with settings that no flag has; examples/gateway.schema.json says which there are",
            );
        let secret = Arg::new("affinity-secret-file")
            .long("affinity-secret-file")
            .env("INGRESS_AFFINITY_SECRET_FILE")
            .value_name("FILE")
            .value_parser(value_parser!(PathBuf))
            .help(
                "File with a secret by which affinity cookies name endpoints, so that nobody else can make one or learn \
                 an address from it; all replicas need the same",
            );
        let heading = "Where no Ingress, class or Service says anything else";
        let flags = policies().map(|Annotation { name, meaning, value, .. }| {
            let value = match value {
                ValueKind::Duration => "TIME",
                ValueKind::Size => "BYTES",
                ValueKind::Count | ValueKind::Decimal => "N",
                ValueKind::Percent => "PERCENT",
                ValueKind::Switch => "BOOL",
                _ => "VALUE",
            };
            let flag = flag(name);
            let env = format!("INGRESS_{}", flag.to_uppercase().replace('-', "_"));
            Arg::new(flag).long(flag).env(env).value_name(value).help(sentence(meaning))
        });
        command.arg(config).arg(secret).next_help_heading(heading).args(flags).next_help_heading(None::<&str>)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for PolicyOptions {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let value = |known: &'static Annotation| {
            matches.get_one::<String>(flag(known.name)).map(|value| (known.name, value.clone()))
        };
        Ok(Self {
            config: matches.get_one("config").cloned(),
            affinity_secret: matches.get_one("affinity-secret-file").cloned(),
            values: policies().filter_map(value).collect(),
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::{Value, json};

    use super::*;

    /// The form of the file, as editors and checks read it.
    fn schema() -> Value {
        let property = |annotation: &Annotation| {
            let kinds = match annotation.value {
                ValueKind::Size | ValueKind::Count | ValueKind::Percent => json!(["string", "integer"]),
                ValueKind::Decimal => json!(["string", "number"]),
                ValueKind::Switch => json!(["string", "boolean"]),
                _ => json!("string"),
            };
            let description = sentence(annotation.meaning);
            (annotation.name.to_owned(), json!({ "type": kinds, "description": description }))
        };
        json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": "Settings of the gateway, for --config",
            "type": "object",
            "additionalProperties": false,
            "properties": {
                "policy": {
                    "description": "How requests are treated where no Ingress, class or Service says anything else",
                    "type": "object",
                    "additionalProperties": false,
                    "properties": policies().map(property).collect::<serde_json::Map<_, _>>(),
                },
            },
        })
    }

    /// `BLESS=1` writes it anew.
    #[test]
    fn the_schema_is_published() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("gateway.schema.json");
        let text = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
        if std::env::var_os("BLESS").is_some() {
            fs::write(&path, &text).unwrap();
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), text, "run this test with BLESS=1");
    }

    #[test]
    fn flags_come_before_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("gateway.yaml");
        fs::write(&path, "policy: {retries: 1, retry-on: reset, max-body-size: 10}\n").unwrap();
        let values = vec![("retries", "3".into())];
        let mut options = PolicyOptions { config: Some(path), values, ..PolicyOptions::default() };
        options.values.push(("idle-timeout", String::new()));
        let policy = options.policy().unwrap();
        assert_eq!((policy.retries.unwrap().attempts, policy.max_body_size), (3, Some(10)));
        assert!(policy.idle_timeout.is_none());
        options.values[0].1 = "many".into();
        assert!(options.policy().unwrap_err().starts_with("--retries: the number of retries cannot be used"));
        options.values[0] = ("max-connections", "many".into());
        let error = options.policy().unwrap_err();
        assert!(error.starts_with("--endpoint-max-connections: the number cannot be used"), "{error}");
        options.config = Some("/nonexistent".into());
        assert!(options.policy().unwrap_err().starts_with("--config /nonexistent: the file cannot be read"));
    }

    #[test]
    fn the_secret_of_a_file_counts_without_its_last_line_feed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        let read = |text: &str| {
            fs::write(&path, text).unwrap();
            PolicyOptions { affinity_secret: Some(path.clone()), ..PolicyOptions::default() }
                .affinity_secret()
        };
        assert_eq!(read("abc\n"), Ok(Some(b"abc".to_vec())));
        assert!(read("\n").unwrap_err().contains("the file is empty"));
        assert_eq!(PolicyOptions::default().affinity_secret(), Ok(None));
    }
}
