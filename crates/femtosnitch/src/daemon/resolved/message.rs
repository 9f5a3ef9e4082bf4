//! What systemd-resolved's monitor says: varlink messages of `io.systemd.Resolve.Monitor`.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::Deserialize;

/// Addresses of one answer that are looked at.
const ADDRESSES: usize = 256;
/// Names in a chain of CNAMEs: resolved itself follows no more than 16.
const CHAIN: usize = 16;

/// Types of records: RFC 1035 §3.2.2, RFC 3596.
const A: u16 = 1;
const CNAME: u16 = 5;
const AAAA: u16 = 28;

/// What a message means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// It was asked for this name, and answered with these addresses.
    Answer { name: Vec<u8>, addresses: Vec<IpAddr> },
    /// Something without addresses.
    Nothing,
    /// It does not want to tell us, and says why.
    Refused(String),
}

#[derive(Deserialize)]
struct Message {
    error: Option<String>,
    parameters: Option<Parameters>,
}

#[derive(Deserialize)]
struct Parameters {
    #[serde(default)]
    state: Option<String>,
    #[serde(default)]
    question: Option<Vec<Key>>,
    #[serde(default)]
    answer: Option<Vec<Answer>>,
}

#[derive(Deserialize)]
struct Key {
    name: String,
    #[serde(rename = "type")]
    kind: u16,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    rr: Option<Record>,
}

#[derive(Deserialize)]
struct Record {
    key: Key,
    /// Of a CNAME: where it leads.
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    address: Option<Vec<u8>>,
}

/// `None` if this is no such message.
pub(super) fn parse(text: &[u8]) -> Option<Told> {
    let message: Message = serde_json::from_slice(text).ok()?;
    if let Some(error) = message.error {
        return Some(Told::Refused(error));
    }
    let parameters = message.parameters?;
    let question = parameters.question.unwrap_or_default();
    let Some(asked) = question.first().map(|key| lower(&key.name)) else {
        return Some(Told::Nothing);
    };
    if parameters.state.is_some_and(|state| state != "success") {
        return Some(Told::Nothing);
    }
    let answer = parameters.answer.unwrap_or_default();
    let records: Vec<&Record> = answer.iter().filter_map(|answer| answer.rr.as_ref()).collect();
    let mut names = HashSet::from([asked.clone()]);
    // They need not come in order.
    for _ in 0..CHAIN {
        let before = names.len();
        let is_of = |record: &&&Record| {
            record.key.kind == CNAME && names.contains(&lower(&record.key.name))
        };
        let next: Vec<String> = records
            .iter()
            .filter(is_of)
            .filter_map(|record| record.name.as_deref().map(lower))
            .collect();
        names.extend(next);
        if names.len() == before {
            break;
        }
    }
    let addresses: Vec<IpAddr> = records
        .iter()
        .filter(|record| names.contains(&lower(&record.key.name)))
        .filter_map(|record| address(record))
        .take(ADDRESSES)
        .collect();
    if addresses.is_empty() {
        return Some(Told::Nothing);
    }
    Some(Told::Answer { name: asked.into_bytes(), addresses })
}

/// Names are told as they were written, with or without a dot at their end.
fn lower(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

fn address(record: &Record) -> Option<IpAddr> {
    let bytes = record.address.as_deref()?;
    match record.key.kind {
        A => Some(Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?).into()),
        AAAA => Some(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?).into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn addresses(text: &str) -> Vec<String> {
        match parse(text.as_bytes()) {
            Some(Told::Answer { addresses, .. }) => {
                addresses.iter().map(IpAddr::to_string).collect()
            }
            other => panic!("{other:?}"),
        }
    }

    const ANSWER: &str = r#"{"parameters":{"state":"success","question":[
        {"class":1,"type":1,"name":"WWW.example"},{"class":1,"type":28,"name":"www.example"}],
        "answer":[
        {"rr":{"key":{"class":1,"type":1,"name":"edge.example"},"address":[192,0,2,7]},"raw":"","ifindex":2},
        {"rr":{"key":{"class":1,"type":5,"name":"cdn.example"},"name":"edge.example"}},
        {"rr":{"key":{"class":1,"type":5,"name":"www.example"},"name":"cdn.example"}},
        {"rr":{"key":{"class":1,"type":28,"name":"edge.example"},
         "address":[32,1,13,184,0,0,0,0,0,0,0,0,0,0,0,7]}},
        {"rr":{"key":{"class":1,"type":1,"name":"other.example"},"address":[192,0,2,9]}},
        {"rr":{"key":{"class":1,"type":1,"name":"edge.example"},"address":[192,0,2]}},
        {"rr":null,"raw":"AA"}]},"continues":true}"#;

    #[test]
    fn addresses_at_the_end_of_a_chain_are_those_of_the_name_asked_for() {
        assert_eq!(addresses(ANSWER), ["192.0.2.7", "2001:db8::7"]);
        let Some(Told::Answer { name, .. }) = parse(ANSWER.as_bytes()) else { panic!("no answer") };
        assert_eq!(name, b"www.example");
    }

    #[test]
    fn what_tells_of_no_address_is_no_answer() {
        for text in [
            r#"{"parameters":{"ready":true},"continues":true}"#,
            r#"{"parameters":{"state":"rcode-failure","rcode":3,"question":
                [{"class":1,"type":1,"name":"no.example"}]},"continues":true}"#,
            r#"{"parameters":{"state":"success","question":[],"answer":[]}}"#,
            r#"{"parameters":{"state":"success","question":null,"answer":null}}"#,
        ] {
            assert_eq!(parse(text.as_bytes()), Some(Told::Nothing), "{text}");
        }
        let refused = r#"{"error":"io.systemd.InteractiveAuthenticationRequired"}"#;
        assert!(matches!(parse(refused.as_bytes()), Some(Told::Refused(_))));
    }

    #[test]
    fn a_circle_of_names_ends() {
        let text = r#"{"parameters":{"state":"success","question":[{"type":1,"name":"a"}],"answer":[
            {"rr":{"key":{"type":5,"name":"a"},"name":"b"}},
            {"rr":{"key":{"type":5,"name":"b"},"name":"a"}}]}}"#;
        assert_eq!(parse(text.as_bytes()), Some(Told::Nothing));
    }

    #[test]
    fn a_message_that_is_cut_is_none() {
        for len in 0..ANSWER.len() {
            assert_eq!(parse(&ANSWER.as_bytes()[..len]), None, "{len}");
        }
        // JSON may be nested without end.
        assert_eq!(parse("[".repeat(1 << 20).as_bytes()), None);
    }

    proptest! {
        #[test]
        fn changed_messages_do_not_panic(at in 0..ANSWER.len(), byte: u8) {
            let mut text = ANSWER.as_bytes().to_vec();
            text[at] = byte;
            parse(&text);
        }
    }
}
