//! How a canister is entered, and which functions it may then call.

/// One kind of execution. The interface specification's table of availability
/// is written in these.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EntryPoint {
    Start,
    Init,
    PreUpgrade,
    Update,
    ReplicatedQuery,
    Query,
    CompositeQuery,
    ReplyCallback,
    RejectCallback,
    CompositeReplyCallback,
    CompositeRejectCallback,
    Cleanup,
    CompositeCleanup,
    InspectMessage,
    SystemTask,
    /// A query that transforms the answer of an HTTPS outcall.
    Transform,
}

impl EntryPoint {
    const fn bit(self) -> u16 {
        1 << self as u16
    }

    /// As contract violations name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Init => "init",
            Self::PreUpgrade => "pre upgrade",
            Self::Update => "update",
            Self::ReplicatedQuery => "replicated query",
            Self::Query => "non replicated query",
            Self::CompositeQuery => "composite query",
            Self::ReplyCallback => "reply callback",
            Self::RejectCallback => "reject callback",
            Self::CompositeReplyCallback => "composite reply callback",
            Self::CompositeRejectCallback => "composite reject callback",
            Self::Cleanup => "cleanup",
            Self::CompositeCleanup => "composite cleanup",
            Self::InspectMessage => "inspect message",
            Self::SystemTask => "system task",
            Self::Transform => "non replicated query",
        }
    }

    /// Whether every node of a subnet would execute this.
    pub fn is_replicated(self) -> bool {
        !matches!(
            self,
            Self::Query
                | Self::CompositeQuery
                | Self::CompositeReplyCallback
                | Self::CompositeRejectCallback
                | Self::CompositeCleanup
                | Self::InspectMessage
                | Self::Transform
        )
    }
}

/// A set of entry points.
#[derive(Clone, Copy)]
pub struct Availability(u16);

impl Availability {
    pub const fn of(points: &[EntryPoint]) -> Self {
        let mut bits = 0;
        let mut index = 0;
        while index < points.len() {
            bits |= points[index].bit();
            index += 1;
        }
        Self(bits)
    }

    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub fn allows(self, point: EntryPoint) -> bool {
        self.0 & point.bit() != 0
    }
}

use EntryPoint::*;

pub const ALWAYS: Availability = Availability(u16::MAX);
/// Everywhere but in a module's start function.
pub const NOT_START: Availability = Availability(!Start.bit());
pub const INSPECT: Availability = Availability::of(&[InspectMessage]);
/// Replies and rejects of outgoing calls, in all their forms.
const CALLBACKS: Availability = Availability::of(&[
    ReplyCallback,
    RejectCallback,
    CompositeReplyCallback,
    CompositeRejectCallback,
]);
const QUERIES: Availability = Availability::of(&[ReplicatedQuery, Query, CompositeQuery]);
pub const ARGUMENT: Availability = Availability::of(&[
    Init,
    Update,
    ReplyCallback,
    CompositeReplyCallback,
    InspectMessage,
    Transform,
])
.and(QUERIES);
/// The specification names cleanups, too; the replica refuses them.
pub const REJECT_CODE: Availability = CALLBACKS;
pub const REJECT_MESSAGE: Availability =
    Availability::of(&[RejectCallback, CompositeRejectCallback]);
pub const DEADLINE: Availability = Availability::of(&[Update]).and(QUERIES).and(CALLBACKS);
pub const RESPOND: Availability = DEADLINE.and(Availability::of(&[Transform]));
/// Where there is a sender that somebody may have signed for.
pub const CALLER_INFO: Availability = DEADLINE.and(Availability::of(&[
    Cleanup,
    CompositeCleanup,
    InspectMessage,
]));
pub const CYCLES_AVAILABLE: Availability =
    Availability::of(&[Update, ReplicatedQuery, ReplyCallback, RejectCallback]);
pub const CYCLES_REFUNDED: Availability = Availability::of(&[ReplyCallback, RejectCallback]);
/// Where the canister's state may change for good.
const CHANGES: Availability = Availability::of(&[
    Init,
    PreUpgrade,
    Update,
    ReplyCallback,
    RejectCallback,
    SystemTask,
]);
pub const CYCLES_BURN: Availability = CHANGES.and(Availability::of(&[ReplicatedQuery, Cleanup]));
pub const CALL: Availability =
    Availability::of(&[Update, CompositeQuery, SystemTask]).and(CALLBACKS);
pub const CALL_CYCLES: Availability =
    Availability::of(&[Update, ReplyCallback, RejectCallback, SystemTask]);
pub const ROOT_KEY: Availability = CYCLES_BURN;
pub const CERTIFIED_DATA: Availability = CHANGES;
pub const DATA_CERTIFICATE: Availability = Availability::of(&[Query, CompositeQuery]);
pub const GLOBAL_TIMER: Availability = CHANGES.and(Availability::of(&[Cleanup]));
pub const MINT: Availability = CALL_CYCLES;
