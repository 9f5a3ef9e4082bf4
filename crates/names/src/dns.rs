//! What a DNS reply says about addresses, told of the name that was asked for.
//!
//! A reply can hold records of any name. Only those count that the question's chain of CNAMEs
//! leads to, and they count for the question's name: a server must not be able to put an address
//! under a name that nobody asked it for. PTR records are told apart: whoever owns an address
//! chooses what they say.
//!
//! Formats: RFC 1035, 2181 §8 (TTL), 4795 (LLMNR), 6762 (mDNS), 9460 (SVCB and HTTPS).

mod arpa;
mod frames;
mod name;
mod records;
mod svcb;

use std::net::IpAddr;

pub use frames::frames;
pub use name::Name;

use crate::cursor::Cursor;
use name::Wire;
use records::Resolver;

/// No transport carries a longer message; what is behind is not looked at.
pub const MAX_MESSAGE: usize = 65_535;

/// Questions that are looked at. Unicast replies have one; a multicast reply repeats none or those
/// of one probe.
pub const MAX_QUESTIONS: usize = 16;

/// Records that are looked at: twice as many addresses as there is room for in a reply over UDP
/// (4,096 bytes).
pub const MAX_RECORDS: usize = 512;

/// Addresses that are told. Programs try the first few.
pub const MAX_ANSWERS: usize = 128;

/// CNAMEs that are followed from a question, and looked at in a reply. Resolvers give up sooner:
/// BIND and unbound after 11.
pub const MAX_CHAIN: usize = 16;

/// Which protocol a message is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// From a resolver, port 53.
    Unicast,
    /// Multicast DNS, port 5353: answers come unasked.
    Multicast,
    /// Link-local multicast name resolution, port 5355.
    LinkLocal,
}

impl Dialect {
    /// What is spoken at a sender's port, if any.
    #[must_use]
    pub fn of_port(port: u16) -> Option<Self> {
        match port {
            53 => Some(Self::Unicast),
            5353 => Some(Self::Multicast),
            5355 => Some(Self::LinkLocal),
            _ => None,
        }
    }
}

/// Why a message tells nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A query, or an operation that is none (update, notify).
    #[error("not a reply to a query")]
    NotReply,
    /// Not one question in a unicast reply, or more than are looked at in another.
    #[error("{0} questions, which a reply of this kind cannot have")]
    Questions(u16),
    /// The message ends within its header or its questions.
    #[error("the message ends early")]
    Cut,
    /// A pointer that does not lead to the front, or too many of them.
    #[error("a name's pointer leads nowhere")]
    Pointer,
    /// A kind of label that is not in use (RFC 6891 §5).
    #[error("a label of unknown kind")]
    Label,
    /// A name of more than 255 bytes.
    #[error("a name is longer than 255 bytes")]
    LongName,
    /// A record's contents are shorter or longer than its type's.
    #[error("a record's length is wrong")]
    Record,
}

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// An IPv4 address.
    A,
    /// An IPv6 address.
    Aaaa,
    /// Another name.
    Cname,
    /// A name for an address.
    Ptr,
    /// How to reach a service.
    Svcb,
    /// How to reach an HTTPS server.
    Https,
    /// Something else, by its number.
    Other(u16),
}

impl Kind {
    fn of(number: u16) -> Self {
        match number {
            1 => Self::A,
            5 => Self::Cname,
            12 => Self::Ptr,
            28 => Self::Aaaa,
            64 => Self::Svcb,
            65 => Self::Https,
            other => Self::Other(other),
        }
    }
}

/// A question that the reply repeats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The name that was asked for.
    pub name: Name,
    /// What of it.
    pub kind: Kind,
}

/// What an address was in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// A or AAAA.
    Address,
    /// A hint of an HTTPS or SVCB record (RFC 9460 §7.3).
    Hint,
}

/// An address of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The name that was asked for, not the one at the end of the CNAMEs; for an unasked answer the
    /// record's own name.
    pub name: Name,
    /// Where it is.
    pub address: IpAddr,
    /// Seconds for which this holds: the shortest along the way to it.
    pub ttl: u32,
    /// What it was in.
    pub source: Source,
    /// Whether no question in the message asked for it, as usual in multicast DNS. Whoever sends
    /// in the local network can say such things of any name.
    pub unasked: bool,
}

/// What a reply says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The query's number.
    pub id: u16,
    /// What was asked: one question, or in multicast none to [`MAX_QUESTIONS`].
    pub questions: Vec<Question>,
    /// Addresses, at most [`MAX_ANSWERS`], in the message's order.
    pub answers: Vec<Answer>,
    /// What the owners of addresses call them, where that was asked (PTR); at most [`MAX_ANSWERS`].
    pub pointers: Vec<(IpAddr, Name)>,
    /// The last name that the first question's CNAMEs lead to, if they lead anywhere.
    pub canonical: Option<Name>,
    /// 0 if all is well, 3 if there is no such name (RFC 1035 §4.1.1).
    pub rcode: u8,
    /// Whether the sender left something out (TC).
    pub truncated: bool,
    /// Whether the message ends before its last record, as when only its beginning was copied.
    pub cut: bool,
    /// Addresses of names that nobody asked for.
    pub strangers: usize,
    /// Addresses and records beyond the bounds.
    pub beyond: usize,
}

impl Reply {
    /// The first question.
    #[must_use]
    pub fn question(&self) -> Option<&Question> {
        self.questions.first()
    }
}

/// Reads a reply: a UDP payload, or what [`frames`] gives of a TCP stream. A message that ends
/// within its records tells what comes before that ([`Reply::cut`]); one that contradicts itself
/// is an error.
pub fn parse(message: &[u8], dialect: Dialect) -> Result<Reply, Error> {
    let message = message.get(..MAX_MESSAGE).unwrap_or(message);
    let mut cursor = Cursor::new(message);
    let [id, flags, questions, answers, authorities, additional] = header(&mut cursor)?;
    let opcode = flags >> 11 & 0xf;
    if flags & 0x8000 == 0 || opcode != 0 {
        return Err(Error::NotReply);
    }
    let fits = match dialect {
        Dialect::Unicast => questions == 1,
        Dialect::Multicast | Dialect::LinkLocal => usize::from(questions) <= MAX_QUESTIONS,
    };
    if !fits {
        return Err(Error::Questions(questions));
    }
    let mut resolver = Resolver::new(message, dialect);
    let mut at = message.len() - cursor.left().len();
    let mut asked = Vec::new();
    for _ in 0..questions {
        let (wire, after) = Wire::read(message, at)?;
        let mut rest = Cursor::new(message.get(after..).unwrap_or_default());
        let kind = Kind::of(rest.u16().ok_or(Error::Cut)?);
        rest.u16().ok_or(Error::Cut)?;
        at = after + 4;
        asked.push(Question { name: resolver.ask(wire), kind });
    }
    // A unicast reply's addresses are in its answers; the other sections name other hosts. In
    // multicast DNS the addresses of the hosts that serve something are additional records.
    let sections = match dialect {
        Dialect::Multicast => [answers, authorities, additional],
        Dialect::Unicast | Dialect::LinkLocal => [answers, 0, 0],
    };
    let count = sections.into_iter().map(usize::from).sum();
    resolver.read(at, count)?;
    let told = resolver.tell();
    Ok(Reply {
        id,
        questions: asked,
        answers: told.answers,
        pointers: told.pointers,
        canonical: told.canonical,
        rcode: u8::try_from(flags & 0xf).unwrap_or_default(),
        truncated: flags & 0x0200 != 0,
        cut: told.cut,
        strangers: told.strangers,
        beyond: told.beyond,
    })
}

fn header(cursor: &mut Cursor<'_>) -> Result<[u16; 6], Error> {
    let mut fields = [0; 6];
    for field in &mut fields {
        *field = cursor.u16().ok_or(Error::Cut)?;
    }
    Ok(fields)
}

#[cfg(test)]
mod tests;
