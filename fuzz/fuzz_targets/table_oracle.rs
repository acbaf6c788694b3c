//! `cargo fuzz run table_oracle`; the body is in the library.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::table_oracle(data));
