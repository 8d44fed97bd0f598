//! Memories of earlier layouts, byte for byte as earlier code wrote them, brought up to what this code knows; and this code's own
//! memory over upgrades, again and again.

use ic_stable_structures::{Memory, StableCell};
use stoa_registry_api::{LineageArgs, LineageDirection, SearchArgs};

use super::*;
use crate::lineage::list_lineage;
use crate::memory::{self, RawMemory};
use crate::runtime::Task;
use crate::search::search;
use crate::state::OpenError;

/// Written by the first release's code: four versions of stoa/digits, of which 1.0.0 is admitted, 1.1.0 (its finetune) proposed,
/// 1.2.0-rc.1 sealed and 2.0.0 a draft. Lines of 64 bytes that are not all zero, each with its address.
const LAYOUT_1: &str = include_str!("layouts/layout_1.txt");

fn memory_of(text: &str) -> RawMemory {
    let memory = RawMemory::default();
    let mut lines = text.lines();
    let pages: u64 = lines.next().unwrap().parse().unwrap();
    memory.grow(pages);
    for line in lines {
        let (address, hex) = line.split_once(' ').unwrap();
        let address = u64::from_str_radix(address, 16).unwrap();
        let byte = |index| u8::from_str_radix(&hex[index..index + 2], 16).unwrap();
        let bytes: Vec<u8> = (0..hex.len()).step_by(2).map(byte).collect();
        memory.write(address, &bytes);
    }
    memory
}

fn find(text: &str) -> Vec<String> {
    let args = SearchArgs {
        text: Some(text.into()),
        every_version: Some(true),
        any_status: Some(true),
        ..SearchArgs::default()
    };
    let page = with(|state| search(state, &args)).unwrap();
    page.versions
        .into_iter()
        .map(|found| found.semver)
        .collect()
}

fn upgrade(memory: &RawMemory, runtime: &TestRuntime) {
    state::set(State::open(memory.clone(), 9).unwrap());
    with(|state| certification::certify(state, runtime));
}

/// Everything that a reader sees, but for the certificate.
fn seen() -> String {
    let list = ListVersionsArgs {
        after: None,
        limit: None,
    };
    let log = AuditLogArgs {
        start: 0,
        limit: Some(500),
    };
    with(|state| {
        let versions = list_versions(state, &list);
        let details: Vec<_> = versions
            .iter()
            .map(|summary| crate::details::describe_version(state, summary.version))
            .collect();
        let infos: Vec<_> = versions
            .iter()
            .map(|summary| get_version(state, summary.version))
            .collect();
        let log = audit_log::audit_log(state, &log);
        let model = crate::models::get_model(state, "stoa/digits");
        format!("{versions:?}{details:?}{infos:?}{log:?}{model:?}")
    })
}

/// Statement 28.
#[test]
fn should_bring_up_a_memory_of_layout_1_with_everything_in_it() {
    let memory = memory_of(LAYOUT_1);
    let runtime = TestRuntime::new();
    upgrade(&memory, &runtime);
    assert_eq!(with(|state| state.versions.len()), 4);
    assert_eq!(
        with(|state| state.audit.len()),
        with(|state| state.audit_hashes.len())
    );
    let admitted = with(|state| resolve(state, "stoa/digits@1.0.0")).unwrap();
    assert_eq!(with(|state| resolve(state, "stoa/digits")), Ok(admitted));
    assert_eq!(
        with(|state| get_version(state, admitted))
            .unwrap()
            .price_per_call_e8s,
        7
    );
    assert!(find("digits").is_empty(), "the index is still to be made");

    run_task(&runtime, Task::Index);
    run_task(&runtime, Task::Index);
    assert!(with(|state| state.settings.get().indexing.is_none()));
    with(State::check_invariants);
    let mut found = find("digits");
    found.sort_unstable();
    assert_eq!(found, ["1.0.0", "1.1.0", "1.2.0-rc.1"]);
    assert_eq!(find("vision"), ["1.0.0"]);
    assert_eq!(
        with(|state| resolve(state, "stoa/digits@latest")),
        Ok(admitted)
    );
    let args = LineageArgs {
        version: admitted,
        direction: LineageDirection::Children,
        depth: None,
        after: None,
        limit: None,
    };
    let children = with(|state| list_lineage(state, &args)).unwrap();
    assert_eq!(
        children.entries[0].summary.as_ref().unwrap().semver,
        "1.1.0"
    );

    // Life goes on: the proposed one is admitted, the draft expires.
    let proposed = with(|state| resolve(state, "stoa/digits@1.1.0")).unwrap();
    admit(&runtime, GOVERNANCE, proposed).unwrap();
    assert_eq!(with(|state| resolve(state, "stoa/digits")), Ok(proposed));
    runtime.pass(std::time::Duration::from_secs(15 * 86_400));
    run_task(&runtime, Task::Sweep);
    assert_eq!(with(|state| state.versions.len()), 2);
}

#[test]
fn should_upgrade_in_the_middle_of_bringing_up_and_again_after_it() {
    let memory = memory_of(LAYOUT_1);
    let runtime = TestRuntime::new();
    upgrade(&memory, &runtime);
    upgrade(&memory, &runtime);
    run_task(&runtime, Task::Index);
    upgrade(&memory, &runtime);
    run_task(&runtime, Task::Index);
    with(State::check_invariants);
    let before = (seen(), runtime.certified_data());
    upgrade(&memory, &runtime);
    run_task(&runtime, Task::Index);
    assert_eq!((seen(), runtime.certified_data()), before);
}

#[test]
fn should_take_new_versions_and_withdrawals_while_old_ones_are_brought_up() {
    let memory = memory_of(LAYOUT_1);
    let runtime = TestRuntime::new();
    upgrade(&memory, &runtime);
    let sealed = with(|state| resolve(state, "stoa/digits@1.2.0-rc.1")).unwrap();
    let owner = principal(OWNER);
    with_mut(|state| crate::withdraw::withdraw(state, &runtime, owner, sealed)).unwrap();
    let plan = Running::start(begin_upload(&runtime, owner, version_manifest("3.0.0"))).finish();
    assert!(plan.is_ok());
    run_task_unchecked(&runtime);
    run_task_unchecked(&runtime);
    with(State::check_invariants);
    assert_eq!(with(|state| state.versions.len()), 4);
}

fn run_task_unchecked(runtime: &TestRuntime) {
    Running::start(crate::tasks::run(runtime, Task::Index)).finish();
}

/// Written by the code that had the certified tree in the heap: of stoa/digits 1.1.0 admitted, 1.0.0 deprecated in its favour and
/// called `small`, 0.9.0 revoked, 1.2.0 proposed, 2.0.0-rc.1 sealed, 2.0.0 a draft; of stoa/digits-small 1.0.0 admitted, called `tiny`.
const LAYOUT_2: &str = include_str!("layouts/layout_2.txt");

/// Statements 28 and 32: what was certified out of the heap is certified out of stable memory, by the same paths.
#[test]
fn should_bring_up_a_memory_of_layout_2_and_prove_all_that_it_proved() {
    use ic_certification::{HashTree, LookupResult};

    let memory = memory_of(LAYOUT_2);
    let runtime = TestRuntime::new();
    upgrade(&memory, &runtime);
    with(State::check_invariants);
    let resolved = |name: &str| with(|state| resolve(state, name)).unwrap();
    for (semver, status) in [
        ("0.9.0", "revoked"),
        ("1.0.0", "deprecated"),
        ("1.1.0", "admitted"),
        ("1.2.0", "proposed"),
        ("2.0.0-rc.1", "sealed"),
        ("2.0.0", "draft"),
    ] {
        let version = resolved(&format!("stoa/digits@{semver}"));
        let witness = with(|state| certification::version_witness(state, &version));
        let tree: HashTree = serde_cbor::from_slice(&witness).unwrap();
        assert_eq!(tree.digest(), runtime.certified_data());
        let path = [b"version".as_slice(), &version.0, b"status"];
        assert_eq!(
            tree.lookup_path(path),
            LookupResult::Found(status.as_bytes())
        );
    }
    for (name, version) in [
        ("stoa/digits", "stoa/digits@1.1.0"),
        ("stoa/digits@latest", "stoa/digits@1.1.0"),
        ("stoa/digits@small", "stoa/digits@1.0.0"),
        ("stoa/digits-small@stable", "stoa/digits-small@1.0.0"),
        ("stoa/digits-small@tiny", "stoa/digits-small@1.0.0"),
    ] {
        let witness = with(|state| certification::alias_witness(state, name));
        let tree: HashTree = serde_cbor::from_slice(&witness).unwrap();
        assert_eq!(tree.digest(), runtime.certified_data());
        let path = [b"alias".as_slice(), name.as_bytes()];
        let expected = resolved(version).0;
        assert_eq!(tree.lookup_path(path), LookupResult::Found(&expected));
    }
    let log = AuditLogArgs {
        start: with(|state| state.audit.len()) - 1,
        limit: None,
    };
    let last = with(|state| audit_log::audit_log(state, &log))
        .entries
        .remove(0);
    let migrated = AuditAction::Migrated {
        from_layout: 2,
        to_layout: 3,
    };
    assert_eq!(last.action, migrated);

    // Life goes on, and later upgrades change nothing.
    let proposed = resolved("stoa/digits@1.2.0");
    admit(&runtime, GOVERNANCE, proposed).unwrap();
    assert_eq!(resolved("stoa/digits"), proposed);
    with(State::check_invariants);
    let before = (seen(), runtime.certified_data());
    upgrade(&memory, &runtime);
    with(State::check_invariants);
    assert_eq!((seen(), runtime.certified_data()), before);
}

/// What clients read has the same bytes for ever: labels, leaves and their encoding, of a state that never changes. (A later layout may
/// hang the same labels into a tree of another shape; then these lines are written anew, and the paths above still hold.)
#[test]
fn should_witness_the_same_state_by_the_same_bytes_as_ever() {
    let memory = memory_of(LAYOUT_2);
    let runtime = TestRuntime::new();
    upgrade(&memory, &runtime);
    let hex = |bytes: &[u8]| -> String { bytes.iter().map(|byte| format!("{byte:02x}")).collect() };
    let mut text = format!("root {}\n", hex(&runtime.certified_data()));
    let version = with(|state| resolve(state, "stoa/digits@1.0.0")).unwrap();
    for (what, witness) in [
        (
            "a version",
            with(|state| certification::version_witness(state, &version)),
        ),
        (
            "no version",
            with(|state| certification::version_witness(state, &Sha256([7; 32]))),
        ),
        (
            "a name",
            with(|state| certification::alias_witness(state, "stoa/digits@small")),
        ),
        (
            "no name",
            with(|state| certification::alias_witness(state, "stoa/digits@none")),
        ),
        ("tip", with(certification::tip_witness)),
    ] {
        text.push_str(&format!("{what} {}\n", hex(&witness)));
    }
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/src/tests/layouts/witnesses.txt"
    );
    let expected = std::fs::read_to_string(file).unwrap_or_default();
    assert!(text == expected, "it says:\n{text}");
}

/// The first release opens layout 1 only: a downgrade traps, which undoes it, and nothing is written.
#[test]
fn should_keep_earlier_code_from_opening_a_later_layout() {
    let memory = install();
    let layout = StableCell::init(memory::manager(memory.clone()).get(memory::LAYOUT), 0_u32);
    assert_eq!(*layout.get(), 3);
    StableCell::new(memory::manager(memory.clone()).get(memory::LAYOUT), 4_u32);
    assert_eq!(
        State::open(memory, 2).err(),
        Some(OpenError::UnknownLayout { found: 4, known: 3 })
    );
}
