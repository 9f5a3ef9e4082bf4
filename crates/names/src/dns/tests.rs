//! Replies as resolvers send them, and as they should not.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::*;

const A: u16 = 1;
const CNAME: u16 = 5;
const PTR: u16 = 12;
const AAAA: u16 = 28;
const HTTPS: u16 = 65;

/// A message under construction.
struct Message {
    counts: [u16; 4],
    flags: u16,
    body: Vec<u8>,
}

fn wire(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split('.').filter(|label| !label.is_empty()) {
        bytes.push(u8::try_from(label.len()).unwrap());
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes
}

fn reply() -> Message {
    Message { counts: [0; 4], flags: 0x8180, body: Vec::new() }
}

impl Message {
    fn asks(mut self, name: &str, kind: u16) -> Self {
        self.counts[0] += 1;
        self.body.extend(wire(name));
        self.body.extend(kind.to_be_bytes());
        self.body.extend([0, 1]);
        self
    }

    fn record(mut self, section: usize, name: &[u8], kind: u16, ttl: u32, data: &[u8]) -> Self {
        self.counts[section] += 1;
        self.body.extend(name);
        self.body.extend(kind.to_be_bytes());
        self.body.extend([0, 1]);
        self.body.extend(ttl.to_be_bytes());
        self.body.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
        self.body.extend(data);
        self
    }

    fn a(self, name: &str, ttl: u32, last: u8) -> Self {
        self.record(1, &wire(name), A, ttl, &[192, 0, 2, last])
    }

    fn alias(self, name: &str, ttl: u32, target: &str) -> Self {
        self.record(1, &wire(name), CNAME, ttl, &wire(target))
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0x12, 0x34];
        bytes.extend(self.flags.to_be_bytes());
        bytes.extend(self.counts.iter().flat_map(|count| count.to_be_bytes()));
        bytes.extend(&self.body);
        bytes
    }

    fn unicast(&self) -> Result<Reply, Error> {
        parse(&self.bytes(), Dialect::Unicast)
    }
}

fn answer(name: &str, last: u8, ttl: u32) -> (String, IpAddr, u32) {
    (name.to_owned(), Ipv4Addr::new(192, 0, 2, last).into(), ttl)
}

fn told(reply: &Reply) -> Vec<(String, IpAddr, u32)> {
    let tell = |answer: &Answer| (answer.name.to_string(), answer.address, answer.ttl);
    reply.answers.iter().map(tell).collect()
}

#[test]
fn addresses_of_the_question() {
    let six = Ipv6Addr::LOCALHOST.octets();
    let reply = reply()
        .asks("wWw.Example.ORG", A)
        .a("www.example.org", 60, 1)
        .record(1, b"\xc0\x0c", AAAA, 61, &six)
        .unicast()
        .unwrap();
    assert_eq!(reply.id, 0x1234);
    assert_eq!(reply.question().unwrap().name.as_str(), "www.example.org");
    assert_eq!(reply.question().unwrap().kind, Kind::A);
    let second = ("www.example.org".to_owned(), IpAddr::from(six), 61);
    assert_eq!(told(&reply), [answer("www.example.org", 1, 60), second]);
    assert!(reply.answers.iter().all(|answer| !answer.unasked));
    assert_eq!((reply.canonical, reply.cut, reply.truncated), (None, false, false));
    assert_eq!((reply.strangers, reply.beyond, reply.rcode), (0, 0, 0));
}

#[test]
fn a_chain_gives_the_name_that_was_asked_for() {
    // Out of order, too; the shortest time to live counts.
    let reply = reply()
        .asks("shop.example", A)
        .a("edge.cdn.example", 300, 7)
        .alias("b.cdn.example", 20, "edge.CDN.example")
        .alias("shop.example", 3600, "b.cdn.example")
        .unicast()
        .unwrap();
    assert_eq!(told(&reply), [answer("shop.example", 7, 20)]);
    assert_eq!(reply.canonical.unwrap().as_str(), "edge.cdn.example");
}

#[test]
fn a_reply_names_no_others_addresses() {
    let reply = reply()
        .asks("evil.example", A)
        .a("bank.example", 9, 1)
        .a("evil.example", 9, 2)
        .alias("bank.example", 9, "evil.example")
        .a("x.evil.example", 9, 3)
        .record(2, &wire("evil.example"), A, 9, &[192, 0, 2, 4])
        .record(3, &wire("evil.example"), A, 9, &[192, 0, 2, 5])
        .record(1, &wire("evil.example"), PTR, 9, &wire("bank.example"))
        .unicast();
    // Sections are in order on the wire; here the last was put behind them.
    let reply = reply.unwrap();
    assert_eq!(told(&reply)[0], answer("evil.example", 2, 9));
    assert_eq!(reply.strangers, 2);
    assert!(reply.answers.iter().all(|answer| answer.name.as_str() == "evil.example"));
}

#[test]
fn circles_end() {
    let circle = reply()
        .asks("a.example", A)
        .alias("a.example", 1, "b.example")
        .alias("b.example", 1, "a.example")
        .a("b.example", 5, 1)
        .unicast()
        .unwrap();
    assert_eq!(told(&circle), [answer("a.example", 1, 1)]);
    let itself = reply().asks("a.example", A).alias("a.example", 1, "a.example").unicast();
    assert_eq!(itself.unwrap().canonical, None);
}

#[test]
fn a_long_chain_is_followed_so_far() {
    let mut message = reply().asks("n0.example", A);
    for step in 0..30 {
        message = message.alias(&format!("n{step}.example"), 9, &format!("n{}.example", step + 1));
    }
    let reply = message.a("n16.example", 9, 1).a("n17.example", 9, 2).unicast().unwrap();
    assert_eq!(told(&reply), [answer("n0.example", 1, 9)]);
    assert_eq!(reply.strangers, 1);
}

#[test]
fn hints_of_https_records() {
    let mut data = vec![0, 1, 0];
    data.extend(b"\0\x01\0\x03\x02h2");
    data.extend(b"\0\x04\0\x08\xc0\0\x02\x01\xc0\0\x02\x02");
    data.extend([0, 6, 0, 16]);
    data.extend(Ipv6Addr::LOCALHOST.octets());
    let reply = reply()
        .asks("example.org", HTTPS)
        .alias("example.org", 30, "h.example.org")
        .record(1, &wire("h.example.org"), HTTPS, 40, &data)
        .unicast()
        .unwrap();
    assert_eq!(told(&reply)[..2], [answer("example.org", 1, 30), answer("example.org", 2, 30)]);
    assert_eq!(reply.answers[2].address, IpAddr::from(Ipv6Addr::LOCALHOST));
    assert_eq!(reply.answers.len(), 3);
    assert!(reply.answers.iter().all(|answer| answer.source == Source::Hint));
    for wrong in [&b"\0\x01\0\0\x04\0\x03abc"[..], b"\0\x01\0\0\x04\0\x05abc", b"\0\x01", b"\0"] {
        let message = super::tests::reply().asks("a", HTTPS).record(1, &wire("a"), HTTPS, 1, wrong);
        assert_eq!(message.unicast(), Err(Error::Record));
    }
}

#[test]
fn multicast_answers_come_unasked() {
    let mut message = reply().record(1, &wire("printer.local"), A, 120, &[192, 0, 2, 9]);
    // The bit that makes others forget what they knew.
    let class = wire("printer.local").len() + 2;
    message.body[class] |= 0x80;
    let message = message.record(3, &wire("My Disk.local"), A, 120, &[192, 0, 2, 8]);
    let reply = parse(&message.bytes(), Dialect::Multicast).unwrap();
    let second = answer("my\\032disk.local", 8, 120);
    assert_eq!(told(&reply), [answer("printer.local", 9, 120), second]);
    assert!(reply.answers.iter().all(|answer| answer.unasked));
    assert_eq!(message.unicast(), Err(Error::Questions(0)));
    // LLMNR repeats its question.
    let message = super::tests::reply().asks("disk", A).a("disk", 30, 1).a("other", 30, 2);
    let reply = parse(&message.bytes(), Dialect::LinkLocal).unwrap();
    assert_eq!(told(&reply), [answer("disk", 1, 30)]);
    assert_eq!(reply.strangers, 1);
}

#[test]
fn several_questions_keep_their_answers_apart() {
    let message = reply()
        .asks("a.local", A)
        .asks("b.local", AAAA)
        .a("b.local", 1, 2)
        .alias("a.local", 1, "c.local")
        .a("c.local", 1, 3);
    let reply = parse(&message.bytes(), Dialect::Multicast).unwrap();
    assert_eq!(told(&reply), [answer("b.local", 2, 1), answer("a.local", 3, 1)]);
    assert_eq!(message.unicast(), Err(Error::Questions(2)));
    let mut many = super::tests::reply();
    for _ in 0..=MAX_QUESTIONS {
        many = many.asks("a.local", A);
    }
    assert_eq!(parse(&many.bytes(), Dialect::Multicast), Err(Error::Questions(17)));
}

#[test]
fn only_replies_to_queries() {
    let mut message = reply().asks("a", A);
    for flags in [0x0100, 0xa800, 0xa000] {
        message.flags = flags;
        assert_eq!(message.unicast(), Err(Error::NotReply), "{flags:#x}");
    }
    message.flags = 0x8383;
    let reply = message.unicast().unwrap();
    assert_eq!((reply.rcode, reply.truncated), (3, true));
}

#[test]
fn the_beginning_of_a_message_tells_what_it_has() {
    let whole = reply().asks("a.example", A).a("a.example", 5, 1).a("a.example", 5, 2).bytes();
    let question = 12 + wire("a.example").len() + 4;
    for length in 0..whole.len() {
        let reply = parse(&whole[..length], Dialect::Unicast);
        if length < question {
            assert_eq!(reply, Err(Error::Cut), "{length}");
            continue;
        }
        let reply = reply.unwrap();
        assert!(reply.cut);
        assert_eq!(reply.answers.len(), (length - question) / ((whole.len() - question) / 2));
    }
}

#[test]
fn records_that_contradict_themselves() {
    let asked = || reply().asks("a", A);
    for (kind, data) in [
        (A, &b"\xc0\0\x02"[..]),
        (A, b"\xc0\0\x02\x01\x01"),
        (AAAA, b"\xc0\0\x02\x01"),
        (CNAME, b"\x01b"),
        (CNAME, b"\x01b\0\0"),
        (CNAME, b""),
    ] {
        let message = asked().record(1, &wire("a"), kind, 1, data);
        assert_eq!(message.unicast(), Err(Error::Record), "{kind} {data:?}");
    }
    let negative = asked().a("a", 0x8000_0000, 1).unicast().unwrap();
    assert_eq!(told(&negative), [answer("a", 1, 0)]);
    // CHAOS has no addresses.
    let mut message = asked().a("a", 1, 1);
    let class = wire("a").len() + 4 + wire("a").len() + 3;
    message.body[class] = 3;
    assert_eq!(told(&message.unicast().unwrap()), []);
}

#[test]
fn numbers_are_bounded() {
    let mut message = reply().asks("a", A);
    for number in 0..600_u16 {
        message = message.a("a", 1, number.to_be_bytes()[1]);
    }
    let reply = message.unicast().unwrap();
    assert_eq!(reply.answers.len(), MAX_ANSWERS);
    assert_eq!(reply.beyond, 600 - MAX_ANSWERS);
    assert!(!reply.cut);
}
