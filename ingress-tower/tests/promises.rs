//! Every test that `PROMISES.md` names exists.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

use std::path::Path;

#[test]
fn every_promise_has_its_tests() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(here.join("PROMISES.md")).unwrap();
    let rows = text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| promise"));
    let mut count = 0;
    for row in rows {
        let named: Vec<_> =
            row.split('`').skip(1).step_by(2).filter_map(|name| name.split_once("::")).collect();
        assert!(!named.is_empty(), "no test is named: {row}");
        for (file, test) in named {
            let file = match file.split_once(' ') {
                Some(("gateway", file)) => format!("../examples/tests/{file}.rs"),
                Some((_, file)) => format!("../ingress-kube/tests/{file}.rs"),
                None if file.starts_with("src/") => format!("{file}.rs"),
                None => format!("tests/{file}.rs"),
            };
            let source =
                std::fs::read_to_string(here.join(&file)).unwrap_or_else(|_| panic!("{file}: {row}"));
            assert!(source.contains(&format!("fn {test}(")), "{file} has no {test}");
            count += 1;
        }
    }
    assert!(count > 60, "{count}");
}
