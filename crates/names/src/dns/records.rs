//! From a message's records to the addresses of what was asked for.

use std::net::IpAddr;

use super::name::{Name, Wire};
use super::{
    Answer, Dialect, Error, Kind, MAX_ANSWERS, MAX_CHAIN, MAX_RECORDS, Source, arpa, svcb,
};
use crate::cursor::Cursor;

/// The Internet (RFC 1035 §3.2.4); multicast DNS uses the highest bit for something else.
const CLASS_IN: u16 = 1;

/// What was found.
#[derive(Default)]
pub(super) struct Told {
    pub(super) answers: Vec<Answer>,
    pub(super) pointers: Vec<(IpAddr, Name)>,
    pub(super) canonical: Option<Name>,
    pub(super) cut: bool,
    pub(super) strangers: usize,
    pub(super) beyond: usize,
}

/// A record that matters. Names stay in the message: they are short there.
struct Record {
    owner: usize,
    ttl: u32,
    data: Data,
}

enum Data {
    /// Where in the message the name is that this one stands for.
    Alias(usize),
    Address(IpAddr),
    Hints(Vec<IpAddr>),
    /// Where in the message the name is that an address has.
    Pointer(usize),
}

/// A name that leads to addresses, and for which question's.
struct Link {
    wire: Wire,
    question: usize,
    ttl: u32,
}

pub(super) struct Resolver<'a> {
    message: &'a [u8],
    dialect: Dialect,
    questions: Vec<Name>,
    /// The questions, and what their CNAMEs lead to.
    chain: Vec<Link>,
    records: Vec<Record>,
    told: Told,
}

impl<'a> Resolver<'a> {
    pub(super) fn new(message: &'a [u8], dialect: Dialect) -> Self {
        Self {
            message,
            dialect,
            questions: Vec::new(),
            chain: Vec::new(),
            records: Vec::new(),
            told: Told::default(),
        }
    }

    /// Notes a question.
    pub(super) fn ask(&mut self, wire: Wire) -> Name {
        let name = wire.to_name();
        self.chain.push(Link { wire, question: self.questions.len(), ttl: u32::MAX });
        self.questions.push(name.clone());
        name
    }

    /// Reads up to `count` records from `at` on.
    pub(super) fn read(&mut self, mut at: usize, count: usize) -> Result<(), Error> {
        self.told.beyond = count.saturating_sub(MAX_RECORDS);
        for _ in 0..count.min(MAX_RECORDS) {
            match self.read_one(at) {
                Ok((record, after)) => {
                    self.records.extend(record);
                    at = after;
                }
                Err(Error::Cut) => {
                    self.told.cut = true;
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn read_one(&self, owner: usize) -> Result<(Option<Record>, usize), Error> {
        let (_, start) = Wire::read(self.message, owner)?;
        let mut cursor = Cursor::new(self.message.get(start..).unwrap_or_default());
        let kind = Kind::of(cursor.u16().ok_or(Error::Cut)?);
        let class = cursor.u16().ok_or(Error::Cut)?;
        let ttl = cursor.u32().ok_or(Error::Cut)?;
        let length = usize::from(cursor.u16().ok_or(Error::Cut)?);
        let start = start + 10;
        let bytes = cursor.take(length).ok_or(Error::Cut)?;
        let end = start + length;
        let class = if self.dialect == Dialect::Multicast { class & 0x7fff } else { class };
        if class != CLASS_IN {
            return Ok((None, end));
        }
        let data = match kind {
            Kind::A => Data::Address(address::<4>(bytes)?),
            Kind::Aaaa => Data::Address(address::<16>(bytes)?),
            Kind::Cname => {
                self.name_within(start, end).and_then(|after| whole(after == end))?;
                Data::Alias(start)
            }
            Kind::Svcb | Kind::Https => {
                let after = self.name_within(start + 2, end)?;
                let parameters = self.message.get(after..end).ok_or(Error::Record)?;
                Data::Hints(svcb::hints(parameters)?)
            }
            Kind::Ptr => {
                self.name_within(start, end).and_then(|after| whole(after == end))?;
                Data::Pointer(start)
            }
            Kind::Other(_) => return Ok((None, end)),
        };
        // Seconds with the highest bit set are none (RFC 2181 §8).
        let ttl = if ttl > i32::MAX.unsigned_abs() { 0 } else { ttl };
        Ok((Some(Record { owner, ttl, data }), end))
    }

    /// Where a name in a record's contents ends, which must be within them.
    fn name_within(&self, start: usize, end: usize) -> Result<usize, Error> {
        let message = self.message.get(..end).ok_or(Error::Record)?;
        match Wire::read(message, start) {
            Ok((_, after)) => Ok(after),
            Err(Error::Cut) => Err(Error::Record),
            Err(error) => Err(error),
        }
    }

    fn wire(&self, at: usize) -> Option<Wire> {
        Wire::read(self.message, at).ok().map(|(wire, _)| wire)
    }

    /// Follows the CNAMEs of every question, in whatever order they are.
    fn follow(&mut self) {
        let aliases: Vec<(Wire, Wire, u32)> = self
            .records
            .iter()
            .filter_map(|record| match record.data {
                Data::Alias(target) => {
                    Some((self.wire(record.owner)?, self.wire(target)?, record.ttl))
                }
                _ => None,
            })
            .take(MAX_CHAIN)
            .collect();
        for question in 0..self.questions.len() {
            let Some(link) = self.chain.get(question) else { return };
            let (mut at, mut ttl) = (link.wire, link.ttl);
            // Each name has one alias at most, so that there is one way; it may be a circle.
            for _ in 0..MAX_CHAIN {
                let Some((_, target, lives)) = aliases.iter().find(|(owner, ..)| *owner == at)
                else {
                    break;
                };
                (at, ttl) = (*target, ttl.min(*lives));
                if self.chain.iter().any(|link| link.question == question && link.wire == at) {
                    break;
                }
                self.chain.push(Link { wire: at, question, ttl });
            }
        }
    }

    pub(super) fn tell(mut self) -> Told {
        self.follow();
        let end = self.chain.iter().rfind(|link| link.question == 0 && link.ttl != u32::MAX);
        self.told.canonical = end.map(|link| link.wire.to_name());
        for record in std::mem::take(&mut self.records) {
            match record.data {
                Data::Alias(_) => {}
                Data::Pointer(target) => self.tell_pointer(record.owner, target),
                Data::Address(address) => {
                    self.tell_of(record.owner, record.ttl, Source::Address, &[address]);
                }
                Data::Hints(hints) => {
                    self.tell_of(record.owner, record.ttl, Source::Hint, &hints);
                }
            }
        }
        self.told
    }

    /// Only of the address that was asked about: many hosts are told of by multicast DNS, and nearly
    /// all of those are services.
    fn tell_pointer(&mut self, owner: usize, target: usize) {
        let (Some(wire), Some(name)) = (self.wire(owner), self.wire(target)) else { return };
        let link = self.chain.iter().find(|link| link.wire == wire);
        let asked = link.and_then(|link| self.questions.get(link.question));
        let Some(address) = asked.and_then(|asked| arpa::address(asked.as_str())) else { return };
        if self.told.pointers.len() < MAX_ANSWERS {
            self.told.pointers.push((address, name.to_name()));
        }
    }

    fn tell_of(&mut self, owner: usize, ttl: u32, source: Source, addresses: &[IpAddr]) {
        let Some(wire) = self.wire(owner) else { return };
        let link = self.chain.iter().find(|link| link.wire == wire);
        let (name, ttl, unasked) = match link {
            Some(link) => (self.questions.get(link.question).cloned(), ttl.min(link.ttl), false),
            None if self.dialect == Dialect::Multicast => (Some(wire.to_name()), ttl, true),
            None => (None, ttl, false),
        };
        let Some(name) = name else {
            self.told.strangers += addresses.len();
            return;
        };
        let room = MAX_ANSWERS.saturating_sub(self.told.answers.len());
        self.told.beyond += addresses.len().saturating_sub(room);
        let answers = addresses.iter().take(room).map(|&address| Answer {
            name: name.clone(),
            address,
            ttl,
            source,
            unasked,
        });
        self.told.answers.extend(answers);
    }
}

fn whole(yes: bool) -> Result<(), Error> {
    if yes { Ok(()) } else { Err(Error::Record) }
}

fn address<const N: usize>(bytes: &[u8]) -> Result<IpAddr, Error>
where
    IpAddr: From<[u8; N]>,
{
    bytes.try_into().map(|bytes: [u8; N]| IpAddr::from(bytes)).map_err(|_| Error::Record)
}
