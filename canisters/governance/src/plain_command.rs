//! A vote, a motion or the execution of a function, written as clients write them, is read
//! here without the Candid library. The library builds the type of all commands
//! and of the message before it reads the first value, which costs more than the vote itself.
//!
//! What must hold: what this reads, the library reads as the same command (a test compares
//! them over random and damaged messages). Whatever is not exactly one of these types, or
//! is damaged, is left to the library, with its quotas and its errors; so this never
//! refuses anything. It looks at each byte of a message's types once and allocates no more
//! than the message is long.
//!
//! ```text
//! | DIDL | types: count, each an operator and what it is made of | arguments: count, type each | values |
//! ```
//! Numbers are LEB128, references to types signed, the negative ones primitive. Fields of
//! records and variants are known by the hash of their name, and stand in its order.

use stoa_governance_api::{
    Action, Command, ExecuteGenericNervousSystemFunction, ManageNeuron, Motion, Proposal,
    ProposalId, RegisterVote,
};

/// More than any client sends; the reference interface has 100.
const TYPES_MAX: u64 = 1_000;

const OPT: u8 = 0x6e;
const VEC: u8 = 0x6d;
const RECORD: u8 = 0x6c;
const VARIANT: u8 = 0x6b;
const NAT8: i64 = -5;
const NAT64: i64 = -8;
const INT32: i64 = -11;
const TEXT: i64 = -15;
/// The last of the primitive ones but for the principal.
const EMPTY: i64 = -17;
const PRINCIPAL: i64 = -24;

/// As Candid has it.
const fn hash(name: &str) -> u32 {
    let bytes = name.as_bytes();
    let mut hash = 0u32;
    let mut at = 0;
    while at < bytes.len() {
        hash = hash.wrapping_mul(223).wrapping_add(bytes[at] as u32);
        at += 1;
    }
    hash
}

pub fn read(bytes: &[u8]) -> Option<ManageNeuron> {
    let mut reader = Reader { left: bytes };
    let types = Types::read(&mut reader)?;
    if reader.number()? != 1 {
        return None;
    }
    let argument = reader.reference()?;
    types.check(argument)?;
    let request = manage_neuron(&types, &mut reader, argument)?;
    reader.left.is_empty().then_some(request)
}

fn manage_neuron(types: &Types, values: &mut Reader, of: i64) -> Option<ManageNeuron> {
    let [subaccount, command] = types.record(of, [hash("subaccount"), hash("command")])?;
    // In the order of the hashes.
    const { assert!(hash("subaccount") < hash("command")) };
    let subaccount = types.blob(values, subaccount)?;
    let command = types.option(values, command, |types, values, of| {
        let (name, of) = types.variant(values, of)?;
        match name {
            REGISTER_VOTE => register_vote(types, values, of),
            MAKE_PROPOSAL => make_proposal(types, values, of),
            _ => None,
        }
    })?;
    Some(ManageNeuron {
        subaccount,
        command,
    })
}

const REGISTER_VOTE: u32 = hash("RegisterVote");
const MAKE_PROPOSAL: u32 = hash("MakeProposal");
const MOTION: u32 = hash("Motion");
const EXECUTE: u32 = hash("ExecuteGenericNervousSystemFunction");

fn register_vote(types: &Types, values: &mut Reader, of: i64) -> Option<Command> {
    let [vote, proposal] = types.record(of, [hash("vote"), hash("proposal")])?;
    const { assert!(hash("vote") < hash("proposal")) };
    let vote = i32::from_le_bytes(types.fixed(values, vote, INT32)?);
    let proposal = types.option(values, proposal, |types, values, of| {
        let [id] = types.record(of, [hash("id")])?;
        let id = u64::from_le_bytes(types.fixed(values, id, NAT64)?);
        Some(ProposalId { id })
    })?;
    Some(Command::RegisterVote(RegisterVote { vote, proposal }))
}

fn make_proposal(types: &Types, values: &mut Reader, of: i64) -> Option<Command> {
    let [url, title, action, summary] = types.record(
        of,
        [hash("url"), hash("title"), hash("action"), hash("summary")],
    )?;
    const {
        assert!(hash("url") < hash("title"));
        assert!(hash("title") < hash("action"));
        assert!(hash("action") < hash("summary"));
    };
    let url = types.text(values, url)?;
    let title = types.text(values, title)?;
    let action = types.option(values, action, |types, values, of| {
        let (name, of) = types.variant(values, of)?;
        match name {
            MOTION => {
                let [text] = types.record(of, [hash("motion_text")])?;
                let motion_text = types.text(values, text)?;
                Some(Action::Motion(Motion { motion_text }))
            }
            EXECUTE => {
                let [id, payload] = types.record(of, [hash("function_id"), hash("payload")])?;
                const { assert!(hash("function_id") < hash("payload")) };
                let function_id = u64::from_le_bytes(types.fixed(values, id, NAT64)?);
                let payload = types.blob(values, payload)?;
                Some(Action::ExecuteGenericNervousSystemFunction(
                    ExecuteGenericNervousSystemFunction {
                        function_id,
                        payload,
                    },
                ))
            }
            _ => None,
        }
    })?;
    let summary = types.text(values, summary)?;
    Some(Command::MakeProposal(Proposal {
        url,
        title,
        action,
        summary,
    }))
}

struct Reader<'a> {
    left: &'a [u8],
}

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, left) = self.left.split_first()?;
        self.left = left;
        Some(*first)
    }

    fn bytes(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, left) = self.left.split_at_checked(length)?;
        self.left = left;
        Some(taken)
    }

    /// Up to five bytes: what is longer is no length that fits a message.
    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for place in 0..5 {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << (7 * place);
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn length(&mut self) -> Option<usize> {
        usize::try_from(self.number()?).ok()
    }

    fn reference(&mut self) -> Option<i64> {
        let mut number = 0i64;
        for place in 0..5 {
            let byte = self.byte()?;
            number |= i64::from(byte & 0x7f) << (7 * place);
            if byte & 0x80 == 0 {
                let unused = 64 - 7 * (place + 1);
                return Some(number << unused >> unused);
            }
        }
        None
    }
}

#[derive(Clone, Copy)]
struct Entry<'a> {
    operator: u8,
    /// Behind the operator.
    rest: &'a [u8],
}

struct Types<'a> {
    entries: Vec<Entry<'a>>,
}

impl<'a> Types<'a> {
    fn read(reader: &mut Reader<'a>) -> Option<Self> {
        if reader.bytes(4)? != b"DIDL" {
            return None;
        }
        let count = reader.number()?;
        if count > TYPES_MAX || count > reader.left.len() as u64 {
            return None;
        }
        let mut types = Self {
            entries: Vec::with_capacity(count as usize),
        };
        let check = |of: i64| Self::is_known(of, count).then_some(());
        for _ in 0..count {
            let operator = reader.byte()?;
            types.entries.push(Entry {
                operator,
                rest: reader.left,
            });
            match operator {
                OPT | VEC => check(reader.reference()?)?,
                RECORD | VARIANT => {
                    let mut least = 0;
                    for _ in 0..reader.number()? {
                        let hash = reader.number()?;
                        if hash < least || hash > u64::from(u32::MAX) {
                            return None;
                        }
                        least = hash + 1;
                        check(reader.reference()?)?;
                    }
                }
                // Functions, services, and what there is not yet.
                _ => return None,
            }
        }
        Some(types)
    }

    fn is_known(of: i64, count: u64) -> bool {
        match u64::try_from(of) {
            Ok(index) => index < count,
            Err(_) => of >= EMPTY || of == PRINCIPAL,
        }
    }

    fn check(&self, of: i64) -> Option<()> {
        Self::is_known(of, self.entries.len() as u64).then_some(())
    }

    fn entry(&self, of: i64, operator: u8) -> Option<Reader<'a>> {
        let entry = self.entries.get(usize::try_from(of).ok()?)?;
        (entry.operator == operator).then_some(Reader { left: entry.rest })
    }

    /// The types of the fields, if it has these and no others.
    fn record<const N: usize>(&self, of: i64, names: [u32; N]) -> Option<[i64; N]> {
        let mut fields = self.entry(of, RECORD)?;
        if fields.length()? != N {
            return None;
        }
        let mut types = [0; N];
        for (name, of) in names.into_iter().zip(&mut types) {
            if fields.number()? != u64::from(name) {
                return None;
            }
            *of = fields.reference()?;
        }
        Some(types)
    }

    /// Which one is on the wire, and its type.
    fn variant(&self, values: &mut Reader, of: i64) -> Option<(u32, i64)> {
        let mut fields = self.entry(of, VARIANT)?;
        let (count, chosen) = (fields.number()?, values.number()?);
        if chosen >= count {
            return None;
        }
        for _ in 0..chosen {
            fields.number()?;
            fields.reference()?;
        }
        let name = u32::try_from(fields.number()?).ok()?;
        Some((name, fields.reference()?))
    }

    fn option<T>(
        &self,
        values: &mut Reader,
        of: i64,
        value: impl FnOnce(&Self, &mut Reader, i64) -> Option<T>,
    ) -> Option<Option<T>> {
        let of = self.entry(of, OPT)?.reference()?;
        match values.byte()? {
            0 => Some(None),
            1 => Some(Some(value(self, values, of)?)),
            _ => None,
        }
    }

    fn blob(&self, values: &mut Reader, of: i64) -> Option<Vec<u8>> {
        if self.entry(of, VEC)?.reference()? != NAT8 {
            return None;
        }
        let length = values.length()?;
        Some(values.bytes(length)?.to_vec())
    }

    fn text(&self, values: &mut Reader, of: i64) -> Option<String> {
        if of != TEXT {
            return None;
        }
        let length = values.length()?;
        Some(std::str::from_utf8(values.bytes(length)?).ok()?.to_owned())
    }

    fn fixed<const N: usize>(
        &self,
        values: &mut Reader,
        of: i64,
        expected: i64,
    ) -> Option<[u8; N]> {
        if of != expected {
            return None;
        }
        values.bytes(N)?.try_into().ok()
    }
}
