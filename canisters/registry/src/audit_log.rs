//! `audit_log`: who changed what, and when, page by page.

use stoa_registry_api::{AuditAction, AuditEntry, AuditLogArgs, AuditLogPage};

use crate::limits::{AUDIT_LIST_DEFAULT, AUDIT_LIST_MAX};
use crate::state::State;
use crate::state::records::{Action, AuditRecord};

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
    let action = match record.action {
        Action::Installed { governance, shards } => AuditAction::Installed { governance, shards },
        Action::ClaimedPublisher { handle } => AuditAction::ClaimedPublisher { handle },
        Action::ChangedStatus { version, from, to } => AuditAction::ChangedStatus {
            version,
            from: from.map(Into::into),
            to: to.into(),
        },
        Action::SetPrice {
            model,
            price_per_call_e8s,
        } => AuditAction::SetPrice {
            model,
            price_per_call_e8s,
        },
    };
    AuditEntry {
        index,
        timestamp_nanos: record.timestamp_nanos,
        actor: record.actor,
        action,
    }
}
