//! The offline commands of the gateway as their users see them. What they print is compared with the files in
//! `check/`; `SNAPSHOTS=overwrite cargo test -p examples --test check` writes these anew.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;
use snapbox::Data;
use snapbox::assert::{Assert, DEFAULT_ACTION_ENV};
use support::command;

const FINDINGS: &str = "tests/check/findings";
const WARNING: &str = "tests/check/warning.yaml";

/// Runs the program to its end in the directory of this package: exit status, stdout and stderr.
fn run(arguments: &[&str], stdin: Option<&str>) -> (i32, String, String) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = command(arguments);
    command.current_dir(root);
    if let Some(file) = stdin {
        command.stdin(Stdio::from(File::open(root.join(file)).unwrap()));
    }
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn run_json(arguments: &[&str]) -> Value {
    serde_json::from_str(&run(arguments, None).1).unwrap()
}

fn assert_is_in(file: &str, text: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/check").join(file);
    let expected = Data::read_from(&path, None).raw();
    Assert::new().action_env(DEFAULT_ACTION_ENV).eq(text.to_owned(), expected);
}

#[test]
fn what_is_printed() {
    for (arguments, file) in [
        (&["check", FINDINGS][..], "findings.txt"),
        (&["check", FINDINGS, "--format", "json"], "findings.json"),
        (&["check", WARNING], "warning.txt"),
        (&["check", "shop"], "shop.txt"),
        (&["check", "shop", "--format", "json"], "shop.json"),
        (&["routes", "--manifests", FINDINGS], "findings.routes.txt"),
        (&["routes", "--manifests", "shop"], "shop.routes.txt"),
        (&["routes", "--manifests", "shop", "--format", "json"], "shop.routes.json"),
    ] {
        let (_, text, _) = run(arguments, None);
        assert_is_in(file, &text);
    }
    let explain = ["explain", "--manifests", "shop", "--manifests", "tests/explain"];
    for (arguments, file) in [
        (&["GET", "http://shop.example/api/version"][..], "explain.hit.txt"),
        (&["POST", "/api/cart?x=1", "-H", "Host: shop.example"], "explain.shadowed.txt"),
        (&["GET", "http://shop.example/api/beta"], "explain.refused.txt"),
        (&["GET", "http://nowhere.example/"], "explain.miss.txt"),
        (&["GET", "http://shop.example/office/keys"], "explain.password.txt"),
        (&["GET", "http://shop.example/search"], "explain.maintenance.txt"),
        (&["GET", "http://shop.example/x//../%61pi"], "explain.ambiguous.txt"),
        (&["GET", "/../x", "-H", "Host: shop.example"], "explain.bad.txt"),
        (&["GET", "http://shop.example/api/version", "--format", "json"], "explain.hit.json"),
    ] {
        let (status, text, _) = run(&[&explain, arguments].concat(), None);
        assert_eq!(status, 0);
        assert_is_in(file, &text);
    }
    // The rules are all codes that there are; they change without the form, as does the version.
    for (manifests, file) in [(FINDINGS, "findings.sarif.json"), ("shop", "shop.sarif.json")] {
        let mut log = run_json(&["check", manifests, "--format", "sarif"]);
        let driver = log["runs"][0]["tool"]["driver"].as_object_mut().unwrap();
        driver.remove("rules").unwrap();
        driver["version"] = "[VERSION]".into();
        assert_is_in(file, &format!("{log:#}\n"));
    }
}

/// The shop before and after a release.
#[test]
fn what_changes_for_requests() {
    for (arguments, want, file) in [
        (&["diff", "shop", "tests/diff"][..], 0, "diff.txt"),
        (&["diff", "--exit-code", "shop", "tests/diff", "--format", "json"], 1, "diff.json"),
        (&["diff", "--exit-code", "shop", "shop"], 0, "diff.none.txt"),
    ] {
        let (status, text, _) = run(arguments, None);
        assert_eq!(status, want, "{arguments:?}");
        assert_is_in(file, &text);
    }
}

#[test]
fn the_exit_status_says_whether_there_are_findings() {
    for (arguments, want) in [
        (&["check", "shop"][..], 0),
        (&["check", "shop", "--deny", "warnings"], 0),
        (&["check", FINDINGS], 1),
        (&["check", FINDINGS, "--format", "json"], 1),
        (&["check", FINDINGS, "--format", "sarif"], 1),
        (&["check", WARNING], 0),
        (&["check", "shop", "--host-ownership", "tests/check/none.yaml"], 2),
        (&["check", "shop", "--host-ownership", ""], 2),
        (&["explain", "--manifests", "shop", "GET", "/no/host"], 2),
        (&["explain", "--manifests", "shop", "GET", "http://shop.example/", "-H", "no colon"], 2),
        (&["check", WARNING, "--deny", "warnings"], 1),
        (&["check", "shop", WARNING, "--deny", "warnings"], 1),
        // A broken file is a finding, and one that is not there a wrong argument.
        (&["check", "tests/check/findings/broken.yaml"], 1),
        (&["check", "shop", "nowhere.yaml"], 2),
        (&["check"], 2),
        (&["check", "shop", "--format", "xml"], 2),
        (&["check", "shop", "--deny", "nothing"], 2),
        (&["check", "shop", "--default-backend-service", "errors"], 2),
        (&["routes", "--manifests", FINDINGS], 0),
        (&["routes", "--manifests", "nowhere"], 2),
        (&["routes"], 2),
    ] {
        let (status, _, error) = run(arguments, None);
        assert_eq!(status, want, "{arguments:?}: {error}");
        assert_eq!(error.starts_with("error: "), want == 2, "{arguments:?}: {error}");
    }
    let (_, _, error) = run(&["check", "nowhere.yaml"], None);
    assert_eq!(error, "error: nowhere.yaml does not exist\n");
}

#[test]
fn a_dash_is_the_standard_input() {
    let (status, text, _) = run(&["check", "-"], Some(WARNING));
    let (_, of_file, _) = run(&["check", WARNING], None);
    assert_eq!((status, text.replace("<stdin>", WARNING)), (0, of_file));
    let (_, routes, _) = run(&["routes", "--manifests", "-"], Some(WARNING));
    assert!(routes.contains("<stdin>:2 Ingress default/warned"), "{routes}");
}

#[test]
fn what_is_checked_is_what_runs() {
    let (_, text, _) = run(&["check", FINDINGS, "--controller-class", "example.com/other"], None);
    assert!(text.contains("of other controllers left out"), "{text}");
    let (_, text, _) = run(&["check", "shop", "--ingress-class", "another"], None);
    assert!(text.contains("0 routes") && text.contains("note: no Ingress is served"), "{text}");
    let (_, text, _) = run(&["check", WARNING, "--default-backend-service", "default/nobody"], None);
    assert!(text.contains("default/nobody"), "{text}");
    let empty = tempfile::tempdir().unwrap();
    let (status, text, _) = run(&["check", empty.path().to_str().unwrap()], None);
    assert!(status == 0 && text.starts_with("note: there is no Ingress"), "{text}");
}

#[test]
fn nothing_in_a_manifest_reaches_the_terminal_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let text = "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: \"a\\e[31mb\"\nspec:\n  \
                rules:\n    - host: \"\\e[2J\"\n    - {host: a.example, http: {paths: [{path: /, pathType: Exact, \
                backend: {service: {name: x, port: {number: 80}}}}]}}\n";
    support::manifests::write_text(directory.path(), "a.yaml", text);
    let path = directory.path().to_str().unwrap();
    for arguments in [&["check", path][..], &["routes", "--manifests", path]] {
        let (_, text, _) = run(arguments, None);
        assert!(text.contains("Ingress default/a\u{241b}[31mb"), "{text}");
        assert!(!text.contains('\u{1b}'), "{text}");
    }
}

// ===== SARIF 2.1.0, what the specification requires =====

#[test]
fn the_sarif_log_is_one() {
    let log = run_json(&["check", FINDINGS, "--format", "sarif"]);
    assert_eq!(log["version"], "2.1.0");
    let [run] = &log["runs"].as_array().unwrap()[..] else { panic!("one run") };
    let driver = &run["tool"]["driver"];
    assert_eq!((&driver["name"], &driver["version"]), (&"gateway".into(), &env!("CARGO_PKG_VERSION").into()));
    let rules = driver["rules"].as_array().unwrap();
    for (number, rule) in (1..).zip(rules) {
        assert_eq!(rule["id"], format!("ING{number:03}"), "{rule}");
        assert!(rule["shortDescription"]["text"].as_str().unwrap().ends_with('.'), "{rule}");
        assert!(["error", "warning"].contains(&rule["defaultConfiguration"]["level"].as_str().unwrap()));
    }
    let results = run["results"].as_array().unwrap();
    let (mut regions, mut related) = (0, 0);
    for result in results {
        assert!(!result["message"]["text"].as_str().unwrap().is_empty(), "{result}");
        assert!(["error", "warning"].contains(&result["level"].as_str().unwrap()), "{result}");
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(rules[index]["id"], result["ruleId"], "{result}");
        regions += result["locations"].as_array().unwrap().iter().map(assert_location).sum::<usize>();
        for location in result["relatedLocations"].as_array().into_iter().flatten() {
            assert!(location["message"]["text"].is_string(), "{location}");
            related += assert_location(location);
        }
    }
    let text = run_json(&["check", FINDINGS, "--format", "json"]);
    assert_eq!(results.len(), text["diagnostics"].as_array().unwrap().len());
    assert!(regions >= 20 && related >= 3, "{regions} {related}");
}

/// Looks at what a location says, and in the file for what is marked there. Counts regions.
fn assert_location(location: &Value) -> usize {
    for name in location["logicalLocations"].as_array().into_iter().flatten() {
        assert!(!name["fullyQualifiedName"].as_str().unwrap().is_empty(), "{location}");
        assert!(["object", "property"].contains(&name["kind"].as_str().unwrap()), "{location}");
    }
    let place = &location["physicalLocation"];
    let artifact = &place["artifactLocation"];
    let uri = artifact["uri"].as_str().unwrap();
    assert!(artifact["uriBaseId"] == "%SRCROOT%" && !uri.starts_with('/'), "{location}");
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(uri)).unwrap();
    let number = |name: &str| usize::try_from(place["region"][name].as_u64().unwrap()).unwrap();
    let line: Vec<_> = text.lines().nth(number("startLine") - 1).unwrap().chars().collect();
    let marked: String = line[number("startColumn") - 1..number("endColumn") - 1].iter().collect();
    assert_eq!(place["region"]["snippet"]["text"], marked, "{location}");
    1
}
