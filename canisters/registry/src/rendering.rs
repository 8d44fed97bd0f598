//! What a voter sees. The digest stands first and fixes everything; the rest is read
//! from the stored manifest, never from the proposer. Texts of the publisher stand in code marks, so
//! that they cannot pose as headings or links; they have no line breaks (`ValidManifest`).

use stoa_registry_api::{DeprecateVersionArgs, RevokeVersionArgs, VersionStatus};
use stoa_types::Sha256;
use stoa_types::manifest::{FileEntry, Manifest};

use crate::state::State;
use crate::state::records::VersionRecord;

/// Bytes that one list may take; the whole stays far below the 30,000 that a proposal's summary may have.
const LIST_BYTES_MAX: usize = 6_000;

/// Of a version that exists.
pub fn admission(state: &State, version: &Sha256) -> String {
    let manifest = state.manifest(version);
    let owner = state
        .publishers
        .get(&manifest.publisher)
        .map_or_else(|| "nobody".to_owned(), |record| record.owner.to_text());
    let size_bytes: u64 = manifest.files.iter().map(|file| file.size_bytes).sum();
    let mut text = format!(
        "# Admit {publisher}/{name}@{semver}\n\n\
         - Version (SHA-256 of the manifest): `{version}`\n\
         - Publisher: `{publisher}`, principal `{owner}`\n\
         - Licence: {license}\n\
         - Task: `{task}`\n\
         - Size: {size_bytes} bytes\n\
         - Files: {count}\n\
         - Model file: {model}\n\
         - Price of a call now, set by the author: {price} e8s of ICP\n",
        publisher = manifest.publisher,
        name = manifest.name,
        semver = manifest.version,
        license = code(&manifest.license),
        task = manifest.task,
        count = manifest.files.len(),
        model = code(&manifest.pipeline.model),
        price = state
            .version(version)
            .map_or(0, |record| state.price_per_call_e8s(&record)),
    );
    push_list(&mut text, "Files", manifest.files.iter().map(file_line));
    push_list(
        &mut text,
        "Lineage",
        lineage_lines(state, &manifest).into_iter(),
    );
    push_list(&mut text, "Claims of the publisher", claim_lines(&manifest));
    push_list(&mut text, "Royalties", royalty_lines(&manifest));
    text
}

/// Of a version that may be deprecated.
pub fn deprecation(state: &State, args: &DeprecateVersionArgs, record: &VersionRecord) -> String {
    let successor = match &args.successor {
        None => "none".to_owned(),
        Some(successor) => {
            let name = state
                .version(successor)
                .map_or_else(String::new, |record| record.reference());
            format!("`{name}`, version `{successor}`")
        }
    };
    format!(
        "# Deprecate {reference}\n\n\
         - Version (SHA-256 of the manifest): `{version}`\n\
         - Successor: {successor}\n\
         - Reason: {reason}\n\n\
         It can still be downloaded and run, but its name stands for another version wherever there is one.\n",
        reference = record.reference(),
        version = args.version,
        reason = code(&args.reason),
    )
}

/// Of a version that may be revoked.
pub fn revocation(args: &RevokeVersionArgs, record: &VersionRecord) -> String {
    let bytes = if args.delete_bytes {
        "**deleted** from the shards, where no other version needs them"
    } else {
        "kept"
    };
    format!(
        "# Revoke {reference}\n\n\
         - Version (SHA-256 of the manifest): `{version}`\n\
         - Status now: {status}\n\
         - Size: {size_bytes} bytes\n\
         - Reason: {reason}\n\
         - Its bytes are {bytes}\n\n\
         Inference stops running it. The manifest and this decision stay on record.\n",
        reference = record.reference(),
        version = args.version,
        status = VersionStatus::from(record.status).name(),
        size_bytes = record.size_bytes,
        reason = code(&args.reason),
    )
}

fn code(text: &str) -> String {
    format!("`{}`", text.replace('`', "'"))
}

fn push_list(text: &mut String, title: &str, mut lines: impl Iterator<Item = String>) {
    text.push_str(&format!("\n## {title}\n\n"));
    let end = text.len() + LIST_BYTES_MAX;
    let mut is_empty = true;
    while let Some(line) = lines.next() {
        is_empty = false;
        if text.len() + line.len() > end {
            let more = 1 + lines.count();
            text.push_str(&format!("- and {more} more, all under the digest above\n"));
            return;
        }
        text.push_str(&format!("- {line}\n"));
    }
    if is_empty {
        text.push_str("none\n");
    }
}

fn file_line(file: &FileEntry) -> String {
    format!(
        "{}: {} bytes, SHA-256 `{}`, CID `{}`",
        code(&file.path),
        file.size_bytes,
        file.sha256,
        file.cid
    )
}

fn lineage_lines(state: &State, manifest: &Manifest) -> Vec<String> {
    let lineage = &manifest.lineage;
    let parent_lines = lineage.parents.iter().map(|parent| {
        let name = state.version(&parent.version).map_or_else(
            || "unknown".to_owned(),
            |record| {
                format!("`{}` ({})", record.reference(), {
                    stoa_registry_api::VersionStatus::from(record.status).name()
                })
            },
        );
        format!(
            "{} of {name}, version `{}`",
            parent.relation.name(),
            parent.version
        )
    });
    let dataset_lines = lineage
        .datasets
        .iter()
        .map(|dataset| format!("data set {}", code(dataset)));
    let code_lines = lineage
        .code_revision
        .iter()
        .map(|revision| format!("code {}", code(revision)));
    parent_lines
        .chain(dataset_lines)
        .chain(code_lines)
        .collect()
}

fn claim_lines(manifest: &Manifest) -> impl Iterator<Item = String> {
    manifest.claims.iter().map(|claim| {
        format!(
            "{} = {} on {}, split {}",
            code(&claim.metric),
            claim.value,
            code(&claim.dataset),
            code(&claim.split)
        )
    })
}

fn royalty_lines(manifest: &Manifest) -> impl Iterator<Item = String> {
    manifest.royalties.iter().map(|share| {
        let subaccount = match &share.subaccount {
            Some(subaccount) => format!(", subaccount `{subaccount}`"),
            None => String::new(),
        };
        let (whole, rest) = (share.basis_points / 100, share.basis_points % 100);
        format!("{whole}.{rest:02} % to `{}`{subaccount}", share.owner)
    })
}
