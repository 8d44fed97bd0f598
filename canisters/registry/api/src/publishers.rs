//! Publishers: a handle, who owns it and who else may publish under it.

use candid::{CandidType, Principal};
use serde::Deserialize;

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct PublisherInfo {
    pub handle: String,
    pub owner: Principal,
    /// May publish as the owner does, but not hand the handle on.
    pub co_publishers: Vec<Principal>,
    /// Becomes the owner by accepting.
    pub offered_to: Option<Principal>,
    pub created_at_nanos: u64,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct OfferPublisherArgs {
    pub handle: String,
    /// `None` takes an earlier offer back.
    pub to: Option<Principal>,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum OfferPublisherError {
    AnonymousCaller,
    NotFound,
    NotOwner {
        owner: Principal,
    },
    /// The anonymous principal, the management canister or the owner.
    InvalidRecipient {
        reason: String,
    },
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum AcceptPublisherError {
    AnonymousCaller,
    NotFound,
    /// Nobody offered this handle to the caller.
    NotOffered,
    TooManyHandles {
        max: u64,
    },
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct SetCoPublishersArgs {
    pub handle: String,
    /// The whole list, which replaces the one before.
    pub co_publishers: Vec<Principal>,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum SetCoPublishersError {
    AnonymousCaller,
    NotFound,
    NotOwner {
        owner: Principal,
    },
    TooMany {
        given: u64,
        max: u64,
    },
    InvalidPrincipal {
        principal: Principal,
        reason: String,
    },
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct ListPublishersArgs {
    /// Continue behind this handle of an earlier page.
    pub after: Option<String>,
    /// At most 100; 100 where absent.
    pub limit: Option<u32>,
}

pub type OfferPublisherResult = Result<(), OfferPublisherError>;
pub type AcceptPublisherResult = Result<(), AcceptPublisherError>;
pub type SetCoPublishersResult = Result<(), SetCoPublishersError>;
