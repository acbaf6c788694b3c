//! `cargo fuzz run annotations`; the body is in the library.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::annotations(data));
