//! `audit_log`: who changed what, and when, page by page.

use stoa_registry_api::{AuditAction, AuditEntry, AuditLogArgs, AuditLogPage, RemovalCause};

use crate::limits::{AUDIT_LIST_DEFAULT, AUDIT_LIST_MAX};
use crate::state::State;
use crate::state::records::{Action, AuditRecord, Cause};

pub fn audit_log(state: &State, args: &AuditLogArgs) -> AuditLogPage {
    let total = state.audit.len();
    let limit = args.limit.unwrap_or(AUDIT_LIST_DEFAULT).min(AUDIT_LIST_MAX);
    let end = args.start.saturating_add(limit.into()).min(total);
    let entries = (args.start..end)
        .filter_map(|index| Some(entry(index, state.audit.get(index)?)))
        .collect();
    AuditLogPage { entries, total }
}

fn entry(index: u64, record: AuditRecord) -> AuditEntry {
    AuditEntry {
        index,
        timestamp_nanos: record.timestamp_nanos,
        actor: record.actor,
        action: action(record.action),
    }
}

fn action(action: Action) -> AuditAction {
    match action {
        Action::Installed { governance, shards } => AuditAction::Installed { governance, shards },
        Action::ClaimedPublisher { handle } => AuditAction::ClaimedPublisher { handle },
        Action::ChangedStatus {
            version,
            from,
            to,
            proposal_id,
            reason,
            successor,
        } => AuditAction::ChangedStatus {
            version,
            from: from.map(Into::into),
            to: to.into(),
            proposal_id,
            reason,
            successor,
        },
        Action::SetPrice {
            model,
            price_per_call_e8s,
        } => AuditAction::SetPrice {
            model,
            price_per_call_e8s,
        },
        Action::RemovedVersion { version, cause } => AuditAction::RemovedVersion {
            version,
            cause: match cause {
                Cause::Withdrawn => RemovalCause::Withdrawn,
                Cause::Expired => RemovalCause::Expired,
            },
        },
        Action::OfferedPublisher { handle, to } => AuditAction::OfferedPublisher { handle, to },
        Action::TransferredPublisher { handle, from, to } => {
            AuditAction::TransferredPublisher { handle, from, to }
        }
        Action::SetCoPublishers {
            handle,
            co_publishers,
        } => AuditAction::SetCoPublishers {
            handle,
            co_publishers,
        },
        Action::SetAlias {
            model,
            alias,
            version,
        } => AuditAction::SetAlias {
            model,
            alias,
            version,
        },
        Action::SetParameters { parameters } => AuditAction::SetParameters {
            parameters: parameters.into(),
        },
        Action::AddedShard { shard } => AuditAction::AddedShard { shard },
        Action::RetiredShard { shard } => AuditAction::RetiredShard { shard },
        Action::SetFleetPolicy => AuditAction::SetFleetPolicy,
        Action::SetShardModule { module } => AuditAction::SetShardModule { module },
        Action::Migrated {
            from_layout,
            to_layout,
        } => AuditAction::Migrated {
            from_layout,
            to_layout,
        },
    }
}
