//! Whether a request comes from the sender it names, and in time.
//!
//! The chain that must hold: the sender is the self-authenticating principal of
//! `sender_pubkey`; that key signed the first delegation, each delegation's key
//! the next one, and the last key (or `sender_pubkey` itself) signed the request.

use std::collections::BTreeSet;

use candid::Principal;

use crate::envelope::{Envelope, Permissions, SenderSignature, SignedDelegation, SignedSenderInfo};
use crate::signature::{self, SignatureError};

/// How far ahead of the replica's clock a request may expire.
const EXPIRY_WINDOW_NANOS: u64 = 5 * 60 * 1_000_000_000;

/// Allowance on top of the window for a client whose clock runs ahead.
const CLOCK_DRIFT_NANOS: u64 = 30 * 1_000_000_000;

const REQUEST_DOMAIN: &[u8; 11] = b"\x0Aic-request";
const SENDER_INFO_DOMAIN: &[u8; 15] = b"\x0Eic-sender-info";
const DELEGATION_DOMAIN: &[u8; 27] = b"\x1Aic-request-auth-delegation";

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum AuthenticationError {
    // The JavaScript agent syncs its clock when it finds the first words.
    #[error(
        "Invalid request expiry: Specified ingress_expiry not within expected range: \
         Minimum allowed expiry: {earliest} ns, Maximum allowed expiry: {latest} ns, \
         Provided expiry: {given} ns"
    )]
    ExpiryOutOfRange {
        given: u64,
        earliest: u64,
        latest: u64,
    },
    #[error("Missing signature from user: {0}")]
    SignatureMissing(Principal),
    #[error("Signature is not allowed for the anonymous user")]
    AnonymousSigned,
    #[error("The user id {sender} does not match the public key, whose id is {derived}")]
    SenderNotOfKey {
        sender: Principal,
        derived: Principal,
    },
    #[error("Invalid signature: {0}")]
    InvalidSignature(SignatureError),
    #[error("Invalid delegation: {0}")]
    InvalidDelegation(SignatureError),
    #[error("Invalid delegation expiry: expired at {expiration} ns, the time is {now} ns")]
    DelegationExpired { expiration: u64, now: u64 },
    #[error("Invalid delegation: a public key occurs twice in the chain")]
    DelegationCycle,
    #[error("Canister {0} is not one of the delegation targets")]
    NotATarget(Principal),
    #[error("The delegations permit queries only, and this is a call")]
    QueriesOnly,
    #[error("Invalid sender info: the anonymous user has none")]
    AnonymousSenderInfo,
    #[error(
        "Invalid sender info: the signer {signer} is not the canister {of_key} that signs for the sender"
    )]
    OtherSigner {
        signer: Principal,
        of_key: Principal,
    },
    #[error("Invalid sender info: {0}")]
    InvalidSenderInfo(SignatureError),
}

/// What a request may do under its delegations.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Authority {
    pub(crate) targets: Targets,
    queries_only: bool,
}

/// The canisters that a request may speak to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Targets {
    All,
    Only(BTreeSet<Principal>),
}

impl Authority {
    const FULL: Authority = Authority {
        targets: Targets::All,
        queries_only: false,
    };

    pub(crate) fn require_query(&self, canister_id: Principal) -> Result<(), AuthenticationError> {
        if self.targets.contains(&canister_id) {
            Ok(())
        } else {
            Err(AuthenticationError::NotATarget(canister_id))
        }
    }

    pub(crate) fn require_call(&self, canister_id: Principal) -> Result<(), AuthenticationError> {
        if self.queries_only {
            return Err(AuthenticationError::QueriesOnly);
        }
        self.require_query(canister_id)
    }

    fn narrowed_by(self, delegation: &SignedDelegation) -> Authority {
        Authority {
            targets: self.targets.intersect(&delegation.targets),
            queries_only: self.queries_only || delegation.permissions == Some(Permissions::Queries),
        }
    }
}

impl Targets {
    pub(crate) fn contains(&self, canister_id: &Principal) -> bool {
        match self {
            Targets::All => true,
            Targets::Only(targets) => targets.contains(canister_id),
        }
    }

    fn intersect(self, targets: &Option<Vec<Principal>>) -> Targets {
        match (self, targets) {
            (before, None) => before,
            (Targets::All, Some(targets)) => Targets::Only(targets.iter().copied().collect()),
            (Targets::Only(before), Some(targets)) => {
                let targets = targets.iter().filter(|target| before.contains(target));
                Targets::Only(targets.copied().collect())
            }
        }
    }
}

/// Whether the expiry of an anonymous request matters: it does for calls, which
/// would else run twice; reads have nothing to protect.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum AnonymousExpiry {
    Checked,
    Ignored,
}

/// Checks expiry, sender, delegations and signature at the time `now`.
pub(crate) fn authenticate<C>(
    envelope: &Envelope<C>,
    anonymous_expiry: AnonymousExpiry,
    root_key_raw: &[u8; 96],
    now: u64,
) -> Result<Authority, AuthenticationError> {
    let anonymous = envelope.sender == Principal::anonymous();
    if !anonymous || anonymous_expiry == AnonymousExpiry::Checked {
        check_expiry(envelope.ingress_expiry, now)?;
    }
    match (&envelope.signature, anonymous) {
        (None, true) if envelope.sender_info.is_some() => {
            Err(AuthenticationError::AnonymousSenderInfo)
        }
        (None, true) => Ok(Authority::FULL),
        (None, false) => Err(AuthenticationError::SignatureMissing(envelope.sender)),
        (Some(_), true) => Err(AuthenticationError::AnonymousSigned),
        (Some(signature), false) => {
            let derived = Principal::self_authenticating(&signature.public_key);
            if derived != envelope.sender {
                return Err(AuthenticationError::SenderNotOfKey {
                    sender: envelope.sender,
                    derived,
                });
            }
            if let Some(info) = &envelope.sender_info {
                check_sender_info(info, &signature.public_key, root_key_raw)?;
            }
            check_signatures(signature, &envelope.request_id.0, root_key_raw, now)
        }
    }
}

/// The canister that signs for the sender must have signed what is said of the sender.
fn check_sender_info(
    given: &SignedSenderInfo,
    public_key: &[u8],
    root_key_raw: &[u8; 96],
) -> Result<(), AuthenticationError> {
    let of_key =
        signature::signing_canister(public_key).map_err(AuthenticationError::InvalidSenderInfo)?;
    if of_key != given.signer {
        return Err(AuthenticationError::OtherSigner {
            signer: given.signer,
            of_key,
        });
    }
    let message = [&SENDER_INFO_DOMAIN[..], &given.info].concat();
    signature::verify(public_key, &message, &given.signature, root_key_raw)
        .map_err(AuthenticationError::InvalidSenderInfo)
}

fn check_expiry(given: u64, now: u64) -> Result<(), AuthenticationError> {
    let latest = now + EXPIRY_WINDOW_NANOS + CLOCK_DRIFT_NANOS;
    if (now..=latest).contains(&given) {
        Ok(())
    } else {
        Err(AuthenticationError::ExpiryOutOfRange {
            given,
            earliest: now,
            latest,
        })
    }
}

fn check_signatures(
    sender: &SenderSignature,
    request_id: &[u8; 32],
    root_key_raw: &[u8; 96],
    now: u64,
) -> Result<Authority, AuthenticationError> {
    check_chain(sender, now)?;
    let mut authority = Authority::FULL;
    let mut key = &sender.public_key;
    for delegation in &sender.delegations {
        check_delegation(delegation, key, root_key_raw)?;
        authority = authority.narrowed_by(delegation);
        key = &delegation.public_key;
    }
    let message = [&REQUEST_DOMAIN[..], request_id].concat();
    signature::verify(key, &message, &sender.signature, root_key_raw)
        .map_err(AuthenticationError::InvalidSignature)?;
    Ok(authority)
}

/// The cheap checks, before any signature is verified.
fn check_chain(sender: &SenderSignature, now: u64) -> Result<(), AuthenticationError> {
    let mut keys: BTreeSet<&[u8]> = BTreeSet::from([sender.public_key.as_slice()]);
    for delegation in &sender.delegations {
        if delegation.expiration < now {
            return Err(AuthenticationError::DelegationExpired {
                expiration: delegation.expiration,
                now,
            });
        }
        if !keys.insert(&delegation.public_key) {
            return Err(AuthenticationError::DelegationCycle);
        }
    }
    Ok(())
}

fn check_delegation(
    delegation: &SignedDelegation,
    signer: &[u8],
    root_key_raw: &[u8; 96],
) -> Result<(), AuthenticationError> {
    let message = [&DELEGATION_DOMAIN[..], &delegation.hash()].concat();
    signature::verify(signer, &message, &delegation.signature, root_key_raw)
        .map_err(AuthenticationError::InvalidDelegation)
}
