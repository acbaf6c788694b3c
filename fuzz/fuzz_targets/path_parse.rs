//! `cargo fuzz run path_parse`; the body is in the library.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::path_parse(data));
