//! A connection's first bytes: the same whether they come at once or one at a time.
#![no_main]

use femtosnitch_names::tls::{Hello, MAX_ALPN, State};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let whole = Hello::new().push(bytes);
    let mut hello = Hello::new();
    let mut state = State::More;
    for byte in bytes {
        state = hello.push(std::slice::from_ref(byte));
    }
    assert_eq!(state, whole);
    if let Some(found) = hello.so_far() {
        assert!(found.alpn.len() <= MAX_ALPN);
        assert!(found.server_name.is_none_or(|name| name.as_str().len() <= 253));
    }
});
