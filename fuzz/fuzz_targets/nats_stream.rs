#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| kozo_fuzz_bodies::nats_stream(bytes));
