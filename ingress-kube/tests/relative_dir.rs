//! A directory with a relative name. Alone in its file, since it changes the current directory.
#![allow(clippy::unwrap_used)]
#![cfg(feature = "manifests")]

use std::fs;
use std::path::Path;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use ingress_core::RouteTable;
use ingress_kube::manifests::ManifestDir;
use ingress_kube::{Config, IngressController, Report};

const CLASS: &str =
    "apiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata:\n  name: a\nspec:\n  controller: one\n";

/// The operating system notifies of absolute paths, whatever the directory is called: no file may be there
/// under two names, nor may its deletion go unnoticed until everything is looked at again.
#[test]
fn a_relative_directory_is_followed_like_any_other() {
    let parent = tempfile::tempdir().unwrap();
    fs::create_dir_all(parent.path().join("x/m")).unwrap();
    std::env::set_current_dir(parent.path().join("x")).unwrap();
    for given in ["m", "./m", "../x/m", "m/"] {
        let file = Path::new(given).join("a.yaml");
        fs::write(&file, CLASS).unwrap();
        let (_, writer) = ingress_core::table(RouteTable::default());
        let (sender, reports) = channel::<Report>();
        let handle = ManifestDir::open(given)
            .unwrap()
            .watch(IngressController::new(Config::default(), writer), move |report| {
                sender.send(report.clone()).unwrap();
            })
            .unwrap();
        let started = Instant::now();
        let next = || {
            let report = reports.recv_timeout(Duration::from_secs(5)).unwrap();
            let findings: Vec<_> = report.diagnostics.iter().map(ToString::to_string).collect();
            (report.changed, findings)
        };
        assert_eq!(next(), (vec!["IngressClass a added".to_owned()], vec![]), "{given}");
        fs::write(&file, CLASS.replace("one", "two")).unwrap();
        assert_eq!(next(), (vec!["IngressClass a changed".to_owned()], vec![]), "{given}");
        fs::write(&file, CLASS.replace("one", "[]")).unwrap();
        let (changed, findings) = next();
        let place = format!("error[ING002]: {}:6: IngressClass a spec.controller: ", file.display());
        assert!(changed.is_empty() && findings.len() == 1 && findings[0].starts_with(&place), "{findings:?}");
        fs::write(&file, CLASS).unwrap();
        assert_eq!(next(), (vec!["IngressClass a changed".to_owned()], vec![]), "{given}");
        fs::remove_file(&file).unwrap();
        assert_eq!(next(), (vec!["IngressClass a removed".to_owned()], vec![]), "{given}");
        assert!(started.elapsed() < Duration::from_secs(5), "{given}: {:?}", started.elapsed());
        drop(handle);
    }
}
