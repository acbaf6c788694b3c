//! `cargo fuzz run objects`; the body is in the library.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::objects(data));
