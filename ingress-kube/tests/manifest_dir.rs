//! Real directories, edited as editors, people and kubelets do.
#![allow(clippy::unwrap_used)]
#![cfg(all(feature = "manifests", unix))]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use ingress_core::{RequestHead, RequestHost, RequestPath, RouteTable, TableReader};
use ingress_kube::manifests::{ManifestDir, WatchHandle};
use ingress_kube::{Config, IngressController, Report};

/// A directory that is followed. Its own parent, so that it can vanish.
struct Followed {
    parent: tempfile::TempDir,
    reader: TableReader,
    reports: Receiver<Report>,
    _handle: WatchHandle,
}

fn follow(files: &[(&str, &str)]) -> Followed {
    let parent = tempfile::tempdir().unwrap();
    let root = parent.path().join("manifests");
    fs::create_dir(&root).unwrap();
    for (name, text) in files {
        write(&root.join(name), text);
    }
    watch(parent)
}

fn watch(parent: tempfile::TempDir) -> Followed {
    let (reader, writer) = ingress_core::table(RouteTable::default());
    let (sender, reports) = channel();
    let controller = IngressController::new(Config::default(), writer);
    let handle = ManifestDir::open(parent.path().join("manifests"))
        .unwrap()
        .watch(controller, move |report| sender.send(report.clone()).unwrap())
        .unwrap();
    Followed { parent, reader, reports, _handle: handle }
}

impl Followed {
    fn path(&self, name: &str) -> PathBuf {
        self.parent.path().join("manifests").join(name)
    }

    /// Waits for a report of which `wanted` holds.
    fn until(&self, what: &str, wanted: impl Fn(&Report) -> bool) -> Report {
        let deadline = Instant::now() + Duration::from_secs(10);
        let mut last = None;
        while let Ok(report) = self.reports.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            if wanted(&report) {
                return report;
            }
            last = Some(report);
        }
        panic!("no report with {what}; the last one was {last:#?}");
    }

    fn until_changed(&self, text: &str) -> Report {
        self.until(text, |report| report.changed.iter().any(|change| change == text))
    }

    fn serves(&self, host: &str) -> bool {
        let (host, path) = (RequestHost::parse(host).unwrap(), RequestPath::parse("/").unwrap());
        self.reader.with(|table| table.lookup(&RequestHead::new(&host, &path)).unwrap().is_some())
    }
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn ingress(name: &str) -> String {
    format!(
        "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: {name}\nspec:\n  rules:\n  - host: {name}.example\n    http:\n      paths:\n      - path: /\n        pathType: Prefix\n        backend:\n          service:\n            name: web\n            port:\n              number: 80\n"
    )
}

const SERVICE: &str = "apiVersion: v1\nkind: Service\nmetadata:\n  name: web\nspec:\n  clusterIP: 10.0.0.1\n  ports:\n  - port: 80\n";

fn texts(report: &Report) -> Vec<String> {
    report.diagnostics.iter().map(ToString::to_string).collect()
}

#[test]
fn a_directory_that_is_none_is_one_clear_line() {
    let parent = tempfile::tempdir().unwrap();
    let missing = parent.path().join("nowhere");
    let error = ManifestDir::open(&missing).unwrap_err();
    assert_eq!(error.to_string(), format!("manifest directory {} does not exist", missing.display()));
    assert!(error.is_not_found());
    let file = parent.path().join("file");
    fs::write(&file, "").unwrap();
    for path in [file.clone(), file.join("below")] {
        let error = ManifestDir::open(&path).unwrap_err();
        assert_eq!(error.to_string(), format!("manifest directory {} is not a directory", path.display()));
        assert!(error.is_not_a_directory());
    }
}

#[test]
fn the_first_table_is_complete_before_watch_returns() {
    let followed = follow(&[
        ("a.yaml", &ingress("a")),
        ("sub/deep/b.yml", &ingress("b")),
        (
            "s.json",
            "{\"apiVersion\":\"v1\",\"kind\":\"Service\",\"metadata\":{\"name\":\"web\"},\"spec\":{\"clusterIP\":\"10.0.0.1\",\"ports\":[{\"port\":80}]}}",
        ),
        (".hidden.yaml", &ingress("hidden")),
        ("x.txt", "x"),
    ]);
    let report = followed.reports.try_recv().unwrap();
    assert_eq!((report.generation, report.objects.total(), report.rules, report.routes), (1, 3, 2, 2));
    assert_eq!((report.backends, report.endpoints), (1, 1));
    assert_eq!(
        report.changed,
        ["Ingress default/a added", "Ingress default/b added", "Service default/web added"]
    );
    assert_eq!(texts(&report), [""; 0]);
    assert!(
        followed.serves("a.example") && followed.serves("b.example") && !followed.serves("hidden.example")
    );
}

#[test]
fn files_are_edited_renamed_over_added_and_deleted() {
    let followed = follow(&[("a.yaml", &ingress("a")), ("s.yaml", SERVICE)]);
    write(&followed.path("a.yaml"), &ingress("a").replace("/\n", "/new\n"));
    followed.until_changed("Ingress default/a changed");

    write(&followed.path("a.yaml.tmp"), &ingress("b"));
    fs::rename(followed.path("a.yaml.tmp"), followed.path("a.yaml")).unwrap();
    followed.until_changed("Ingress default/a removed");
    assert!(followed.serves("b.example") && !followed.serves("a.example"));

    write(&followed.path("new/below/c.yaml"), &ingress("c"));
    followed.until_changed("Ingress default/c added");
    write(&followed.path("new/below/d.yaml"), &ingress("d"));
    followed.until_changed("Ingress default/d added");

    fs::remove_file(followed.path("a.yaml")).unwrap();
    followed.until_changed("Ingress default/b removed");
    fs::remove_dir_all(followed.path("new")).unwrap();
    followed.until("nothing but the Service", |report| report.objects.total() == 1);
}

/// Editors empty a file before they write it, or move it away; what serves must not blink.
#[test]
fn a_file_that_is_empty_for_a_moment_takes_nothing_away() {
    let followed = follow(&[("a.yaml", &ingress("a")), ("s.yaml", SERVICE)]);
    for round in 0..20 {
        let path = followed.path("a.yaml");
        match round % 3 {
            0 => drop(fs::File::create(&path).unwrap()),
            1 => fs::rename(&path, followed.path("a.yaml~")).unwrap(),
            _ => fs::write(&path, &ingress("a")[..80]).unwrap(),
        }
        fs::write(&path, ingress("a").replace("/\n", &format!("/{round}\n"))).unwrap();
        let report = followed.until("the edit", |report| !report.changed.is_empty() && report.generation > 1);
        assert_eq!(report.changed, ["Ingress default/a changed"], "round {round}");
    }
    while let Ok(report) = followed.reports.try_recv() {
        assert!(!report.changed.iter().any(|change| change.ends_with("removed")), "{report:?}");
    }
}

#[test]
fn a_broken_file_keeps_what_it_held() {
    let both = format!("{}---\n{SERVICE}", ingress("a"));
    let followed = follow(&[("a.yaml", &both), ("b.yaml", &ingress("b"))]);

    // One document is faulty, the other one is served as it is now.
    write(&followed.path("a.yaml"), &both.replace("rules:", "rules: x").replace("10.0.0.1", "10.0.0.2"));
    let report = followed.until("a finding", |report| !report.diagnostics.is_empty());
    let text = texts(&report).remove(0);
    assert!(text.contains("a.yaml:") && text.contains("Ingress default/a"), "{text}");
    assert_eq!(report.changed, ["Service default/web changed"]);
    assert!(followed.serves("a.example"));

    // Nothing in the file can be read.
    fs::write(followed.path("a.yaml"), [0xff, 0xfe, 0x00]).unwrap();
    let report = followed.until("no text", |report| texts(report).iter().any(|text| text.contains("UTF-8")));
    assert_eq!((report.objects.total(), report.endpoints), (3, 1));

    // An edit beside it is served all the same, and a repair ends it.
    write(&followed.path("c.yaml"), &ingress("c"));
    followed.until_changed("Ingress default/c added");
    write(&followed.path("a.yaml"), SERVICE);
    let report = followed.until_changed("Ingress default/a removed");
    assert_eq!(texts(&report), [""; 0]);
}

/// A misspelt field must neither widen what an object takes nor bring back what it was before.
#[test]
fn an_unknown_field_brings_no_older_version_back() {
    let both = format!("{}---\n{SERVICE}", ingress("a"));
    let followed = follow(&[("a.yaml", &both)]);
    assert!(followed.serves("a.example"));

    write(&followed.path("a.yaml"), &both.replace("- host:", "- hosts:"));
    let report = followed.until("a finding", |report| !report.diagnostics.is_empty());
    assert_eq!((report.changed, report.routes), (vec!["Ingress default/a changed".to_owned()], 0));
    assert!(!followed.serves("a.example") && !followed.serves("other.example"));

    // It may be meant for another controller; what else is wrong in the file changes nothing about that.
    write(&followed.path("a.yaml"), &both);
    followed.until("no finding", |report| report.diagnostics.is_empty());
    let foreign = both.replace("spec:\n  rules:", "spec:\n  ingressClassname: nginx\n  rules:");
    write(&followed.path("a.yaml"), &foreign.replace("port: 80", "port: eighty"));
    let report = followed.until_changed("Ingress default/a removed");
    assert_eq!((report.objects.total(), report.diagnostics.len()), (1, 2), "{:?}", texts(&report));
    assert!(!followed.serves("a.example"));

    // What is gone from a file that has an unknown field is gone.
    write(&followed.path("a.yaml"), &ingress("a").replace("spec:", "spec:\n  foo: bar"));
    let report = followed.until_changed("Service default/web removed");
    assert!(followed.serves("a.example"), "{:?}", texts(&report));
}

/// A finding of a long Ingress is worth little with the line of its first key alone.
#[test]
fn findings_name_the_line_of_their_field() {
    let faulty = ingress("a").replace("pathType: Prefix", "pathType: Prefx");
    let list = format!(
        "apiVersion: v1\nkind: List\nitems:\n- {}",
        faulty.replace("name: a", "name: b").trim_end().replace('\n', "\n  ")
    );
    let flow = "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: f}\nspec:\n  rules: [{host: f.example, http: {paths: [{path: f, pathType: Exact, backend: {}}]}}]\n";
    let followed = follow(&[
        ("a.yaml", &format!("# first\n---\n{SERVICE}---\n{faulty}")),
        ("b.yaml", &list),
        ("f.yaml", flow),
    ]);
    let lines = |report: &Report| {
        let line = |text: String| text.split(": ").nth(1).unwrap().rsplit('/').next().unwrap().to_owned();
        texts(report).into_iter().map(line).collect::<Vec<_>>()
    };
    let report = followed.reports.try_recv().unwrap();
    assert_eq!(lines(&report), ["a.yaml:22", "b.yaml:14", "f.yaml:5", "f.yaml:5"], "{:?}", texts(&report));
    // The lines are those of the present text.
    write(&followed.path("a.yaml"), &format!("{SERVICE}---\n{}", faulty.replace("spec:", "\n# x\nspec:")));
    let report = followed.until("the edit", |report| report.generation > 1);
    assert_eq!(lines(&report), ["a.yaml:22", "b.yaml:14", "f.yaml:5", "f.yaml:5"], "{:?}", texts(&report));
    write(&followed.path("a.yaml"), &format!("{SERVICE}---\n{}", faulty.replace("Prefx", "Prefixx")));
    let report = followed.until("the edit", |report| report.generation > 2);
    assert_eq!(lines(&report), ["a.yaml:20", "b.yaml:14", "f.yaml:5", "f.yaml:5"], "{:?}", texts(&report));
}

#[test]
fn a_volume_mount_swaps_all_files_at_once() {
    let parent = tempfile::tempdir().unwrap();
    let root = parent.path().join("manifests");
    let version = |name: &str, ingresses: &[&str]| {
        for ingress_name in ingresses {
            write(&root.join(name).join(format!("{ingress_name}.yaml")), &ingress(ingress_name));
        }
        write(&root.join(name).join("s.yaml"), SERVICE);
        symlink(name, root.join("..data_tmp")).unwrap();
        fs::rename(root.join("..data_tmp"), root.join("..data")).unwrap();
    };
    version("..2026_1", &["a"]);
    for name in ["a.yaml", "s.yaml"] {
        symlink(format!("..data/{name}"), root.join(name)).unwrap();
    }
    let followed = watch(parent);
    assert_eq!(followed.reports.try_recv().unwrap().objects.total(), 2);

    version("..2026_2", &["a", "b"]);
    symlink("..data/b.yaml", root.join("b.yaml")).unwrap();
    fs::remove_dir_all(root.join("..2026_1")).unwrap();
    followed.until_changed("Ingress default/b added");

    write(&root.join("..2026_3/a.yaml"), &ingress("a").replace("/\n", "/3\n"));
    version("..2026_3", &[]);
    fs::remove_file(root.join("b.yaml")).unwrap();
    followed.until_changed("Ingress default/b removed");
    followed.reader.with(|table| assert!(table.routes().any(|found| found.route.path().as_str() == "/3")));
}

#[test]
fn a_directory_that_vanishes_is_no_empty_configuration() {
    let followed = follow(&[("a.yaml", &ingress("a")), ("s.yaml", SERVICE)]);
    let (root, aside) = (followed.parent.path().join("manifests"), followed.parent.path().join("aside"));
    fs::rename(&root, &aside).unwrap();
    let report = followed.until("a finding", |report| !report.diagnostics.is_empty());
    assert!(texts(&report)[0].contains("the directory cannot be read"), "{:?}", texts(&report));
    assert_eq!(report.objects.total(), 2);
    assert!(followed.serves("a.example"));

    // An empty one in its place is somebody who is not through yet.
    fs::create_dir(&root).unwrap();
    followed.until("an empty directory", |report| {
        texts(report).iter().any(|text| text.contains("without any manifest"))
    });
    assert!(followed.serves("a.example"));
    write(&root.join("b.yaml"), &ingress("b"));
    write(&root.join("s.yaml"), SERVICE);
    let report =
        followed.until("b alone", |report| report.changed.iter().any(|c| c == "Ingress default/a removed"));
    assert_eq!(texts(&report), [""; 0]);
    assert!(followed.serves("b.example"));

    // It is followed again.
    write(&root.join("c.yaml"), &ingress("c"));
    followed.until_changed("Ingress default/c added");
}

#[test]
fn of_two_equal_objects_the_first_file_counts() {
    let followed = follow(&[("a.yaml", &ingress("a")), ("b.yaml", &ingress("a")), ("s.yaml", SERVICE)]);
    let report = followed.reports.try_recv().unwrap();
    let text = texts(&report).remove(0);
    let (a, b) = (followed.path("a.yaml"), followed.path("b.yaml"));
    assert_eq!(
        text,
        format!(
            "warning[ING012]: {}:1: Ingress default/a: the object is already in {}:1, which counts; \
             remove one of the two, or give it another name or namespace",
            b.display(),
            a.display()
        )
    );
    // A move to another file is neither a removal nor a duplicate.
    fs::remove_file(&b).unwrap();
    followed.until("no finding", |report| report.diagnostics.is_empty());
    fs::rename(&a, followed.path("z.yaml")).unwrap();
    let report = followed.until_changed("Ingress default/a moved");
    assert_eq!(texts(&report), [""; 0]);
}

#[test]
fn what_leads_in_circles_or_never_ends_is_no_trap() {
    let parent = tempfile::tempdir().unwrap();
    let root = parent.path().join("manifests");
    write(&root.join("sub/a.yaml"), &ingress("a"));
    symlink(&root, root.join("sub/up")).unwrap();
    symlink("loop", root.join("loop")).unwrap();
    symlink("/dev/zero", root.join("zero.yaml")).unwrap();
    symlink("nowhere", root.join("nothing.yaml")).unwrap();
    fs::create_dir(root.join("directory.yaml")).unwrap();
    let followed = watch(parent);
    let report = followed.reports.try_recv().unwrap();
    assert_eq!(report.objects.total(), 1);
    let found = texts(&report).join("\n");
    assert!(found.contains("zero.yaml: the file cannot be read: it is no regular file"), "{found}");
    assert!(found.contains("nothing.yaml: the file cannot be read"), "{found}");
    assert!(!found.contains("what it held before"), "{found}");
}

#[test]
fn dropping_the_handle_ends_the_thread() {
    let followed = follow(&[("a.yaml", &ingress("a"))]);
    let Followed { parent, reports, _handle, .. } = followed;
    drop(_handle);
    write(&parent.path().join("manifests/b.yaml"), &ingress("b"));
    assert_eq!(reports.iter().count(), 1);
}
