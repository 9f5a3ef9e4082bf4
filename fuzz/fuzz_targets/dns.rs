//! DNS replies in each dialect, and as a TCP stream.
#![no_main]

use femtosnitch_names::dns::{Dialect, MAX_ANSWERS, MAX_QUESTIONS, frames, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for dialect in [Dialect::Unicast, Dialect::Multicast, Dialect::LinkLocal] {
        let whole = parse(bytes, dialect);
        for message in frames(bytes) {
            drop(parse(message, dialect));
        }
        let Ok(reply) = whole else { continue };
        assert!(reply.answers.len() <= MAX_ANSWERS && reply.questions.len() <= MAX_QUESTIONS);
        assert!(reply.pointers.len() <= MAX_ANSWERS);
        let names = reply.answers.iter().map(|answer| &answer.name);
        let names = names.chain(reply.pointers.iter().map(|(_, name)| name));
        for name in names.chain(reply.questions.iter().map(|question| &question.name)) {
            let plain =
                |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.\\".contains(&b);
            assert!(name.as_str().len() <= 1003 && name.as_str().bytes().all(plain));
        }
        // One who asked one question gets answers for one name.
        if dialect == Dialect::Unicast {
            let asked = &reply.questions[0].name;
            assert!(reply.answers.iter().all(|answer| answer.name == *asked));
        }
    }
});
