//! A writer of the MaxMind DB format, as far as tests need it.

use std::collections::HashMap;
use std::net::IpAddr;

/// What a record or the metadata consists of.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Value {
    Text(String),
    U16(u16),
    U32(u32),
    U64(u64),
    List(Vec<Value>),
    Map(Vec<(String, Value)>),
}

pub(crate) fn text(text: &str) -> Value {
    Value::Text(text.into())
}

pub(crate) fn map<const N: usize>(pairs: [(&str, Value); N]) -> Value {
    Value::Map(pairs.map(|(key, value)| (key.into(), value)).into())
}

/// A database in the making.
pub(crate) struct Writer {
    record_size: u16,
    ip_version: u16,
    name: String,
    description: Value,
    nodes: Vec<[Child; 2]>,
    records: Vec<Value>,
}

#[derive(Clone, Copy, PartialEq)]
enum Child {
    Nothing,
    Node(usize),
    Record(usize),
}

impl Writer {
    pub(crate) fn new(record_size: u16, ip_version: u16) -> Self {
        let nodes = vec![[Child::Nothing; 2]];
        let description = map([("en", text("Made for a test"))]);
        Self { record_size, ip_version, name: "Test".into(), description, nodes, records: vec![] }
    }

    pub(crate) fn named(mut self, name: &str, description: Value) -> Self {
        self.name = name.into();
        self.description = description;
        self
    }

    /// `network` like `192.0.2.0/24`; longer networks after those that they are within.
    pub(crate) fn with(mut self, network: &str, record: Value) -> Self {
        let (address, length) = network.split_once('/').unwrap();
        let mut length: usize = length.parse().unwrap();
        let bits = match address.parse().unwrap() {
            IpAddr::V6(address) => address.to_bits(),
            IpAddr::V4(address) if self.ip_version == 6 => {
                length += 96;
                address.to_bits().into()
            }
            IpAddr::V4(address) => u128::from(address.to_bits()) << 96,
        };
        let index = self.records.iter().position(|known| *known == record).unwrap_or_else(|| {
            self.records.push(record);
            self.records.len() - 1
        });
        let mut node = 0;
        for depth in 0..length {
            let side = usize::from(bits >> (127 - depth) & 1 == 1);
            if depth + 1 == length {
                self.nodes[node][side] = Child::Record(index);
                break;
            }
            node = match self.nodes[node][side] {
                Child::Node(next) => next,
                // What was said of the whole is said of both halves.
                whole => {
                    self.nodes.push([whole; 2]);
                    let next = self.nodes.len() - 1;
                    self.nodes[node][side] = Child::Node(next);
                    next
                }
            };
        }
        self
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut data = Data::default();
        let offsets: Vec<usize> = self.records.iter().map(|record| data.record(record)).collect();
        let mut out = Vec::new();
        for node in &self.nodes {
            let [left, right] = node.map(|child| match child {
                Child::Nothing => self.nodes.len(),
                Child::Node(index) => index,
                Child::Record(index) => self.nodes.len() + 16 + offsets[index],
            });
            let [left, right] = [left, right].map(|n| u32::try_from(n).unwrap().to_be_bytes());
            match self.record_size {
                24 => out.extend([&left[1..], &right[1..]].concat()),
                28 => {
                    let middle = left[0] << 4 | right[0];
                    out.extend([&left[1..], &[middle], &right[1..]].concat());
                }
                _ => out.extend([left, right].concat()),
            }
        }
        out.extend([0; 16]);
        out.extend(data.bytes);
        out.extend(b"\xab\xcd\xefMaxMind.com");
        let mut metadata = Data::default();
        metadata.value(&map([
            ("binary_format_major_version", Value::U16(2)),
            ("binary_format_minor_version", Value::U16(0)),
            ("build_epoch", Value::U64(1_780_000_000)),
            ("database_type", text(&self.name)),
            ("description", self.description.clone()),
            ("ip_version", Value::U16(self.ip_version)),
            ("languages", Value::List(vec![text("en")])),
            ("node_count", Value::U32(u32::try_from(self.nodes.len()).unwrap())),
            ("record_size", Value::U16(self.record_size)),
        ]));
        out.extend(metadata.bytes);
        out
    }
}

/// A data section; a text that was written before is pointed to, as publishers do.
#[derive(Default)]
struct Data {
    bytes: Vec<u8>,
    texts: HashMap<String, usize>,
}

impl Data {
    fn record(&mut self, value: &Value) -> usize {
        let begin = self.bytes.len();
        self.value(value);
        begin
    }

    fn value(&mut self, value: &Value) {
        match value {
            Value::Text(text) => self.text(text),
            Value::U16(number) => self.number(5, &number.to_be_bytes()),
            Value::U32(number) => self.number(6, &number.to_be_bytes()),
            Value::U64(number) => self.number(9, &number.to_be_bytes()),
            Value::List(values) => {
                self.control(11, values.len());
                values.iter().for_each(|value| self.value(value));
            }
            Value::Map(pairs) => {
                self.control(7, pairs.len());
                for (key, value) in pairs {
                    self.text(key);
                    self.value(value);
                }
            }
        }
    }

    fn text(&mut self, text: &str) {
        match self.texts.get(text) {
            // A pointer of two bytes reaches 2,047.
            Some(&at) if at < 2048 && text.len() > 2 => {
                self.bytes.extend(u16::try_from(at | 1 << 13).unwrap().to_be_bytes());
            }
            _ => {
                self.texts.insert(text.into(), self.bytes.len());
                self.control(2, text.len());
                self.bytes.extend(text.as_bytes());
            }
        }
    }

    fn number(&mut self, kind: u8, bytes: &[u8]) {
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        self.control(kind, bytes.len() - zeros);
        self.bytes.extend(&bytes[zeros..]);
    }

    fn control(&mut self, kind: u8, size: usize) {
        let (short, more) = match u8::try_from(size) {
            Ok(size) if size < 29 => (size, vec![]),
            _ if size < 29 + 256 => (29, vec![u8::try_from(size - 29).unwrap()]),
            _ => (30, u16::try_from(size - 285).unwrap().to_be_bytes().to_vec()),
        };
        if kind > 7 {
            self.bytes.extend([short, kind - 7]);
        } else {
            self.bytes.push(kind << 5 | short);
        }
        self.bytes.extend(more);
    }
}
