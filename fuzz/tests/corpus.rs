//! Every target over its seeds, on any compiler, and over what is easily made of them.

use std::path::Path;

use arbitrary::{Arbitrary, Unstructured};

/// The seeds of a target, by file name.
fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    let entries = std::fs::read_dir(folder).expect("a folder of seeds");
    let mut seeds: Vec<_> = entries
        .map(|entry| entry.expect("a seed").path())
        .map(|file| {
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            (name, std::fs::read(file).expect("a readable seed"))
        })
        .collect();
    seeds.sort();
    assert!(seeds.len() >= 5, "only {} seeds", seeds.len());
    seeds
}

fn run(target: &str, body: fn(&[u8])) {
    for (name, seed) in seeds(target) {
        println!("{target}/{name}");
        body(&seed);
        // What a fuzzer tries first: shorter texts, and texts with one odd byte.
        let step = seed.len() / 40 + 1;
        for at in (0..seed.len()).step_by(step) {
            body(&seed[..at]);
            body(&seed[at..]);
            for byte in [0, b'/', b'%', b'.', b':', b'-', b'\n', b' ', b'{', 0xff] {
                let mut changed = seed.clone();
                changed[at] = byte;
                body(&changed);
            }
        }
    }
}

#[test]
fn host_parse() {
    run("host_parse", fuzz::host_parse);
}

#[test]
fn path_parse() {
    run("path_parse", fuzz::path_parse);
}

#[test]
fn manifest() {
    run("manifest", fuzz::manifest);
}

#[test]
fn table_oracle() {
    run("table_oracle", fuzz::table_oracle);
    // A seed that no longer decodes to requests which rules take shows nothing.
    for (name, seed) in seeds("table_oracle") {
        let case = fuzz::Case::arbitrary(&mut Unstructured::new(&seed)).expect("any bytes are a case");
        assert!(case.taken() > 0, "{name}: {case:?}");
    }
}

#[test]
fn objects() {
    let mut all = fuzz::Asked::default();
    for (name, seed) in seeds("objects") {
        println!("objects/{name}");
        let case = fuzz::Objects::arbitrary(&mut Unstructured::new(&seed)).expect("any bytes are a case");
        let asked = case.check();
        all.plain += asked.plain;
        all.taken += asked.taken;
        // There are too many of them to change each at every place.
        fuzz::objects(&seed[..seed.len() / 2]);
        fuzz::objects(&seed[seed.len() / 3..]);
    }
    // Seeds of which the oracle can read nothing show little.
    assert!(all.taken > 20 && all.plain > all.taken + 10, "{all:?}");
}

#[test]
fn annotations() {
    let seeds = seeds("annotations");
    assert!(seeds.len() >= 30, "only {} seeds", seeds.len());
    for (number, (name, seed)) in seeds.iter().enumerate() {
        println!("annotations/{name}");
        fuzz::annotations(seed);
        fuzz::annotations(&[&seed[..seed.len() / 2], &seeds[(number + 7) % seeds.len()].1].concat());
        // There are too many of them to change each at every place.
        for at in (0..seed.len()).step_by(seed.len() / 4 + 1) {
            fuzz::annotations(&seed[..at]);
            for byte in [0, b'/', b'@', b':', b'\n', b' ', b'{', b'0'] {
                let mut changed = seed.clone();
                changed[at] = byte;
                fuzz::annotations(&changed);
            }
        }
    }
}
