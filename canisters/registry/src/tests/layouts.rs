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
    lifecycle::rebuild_certification(runtime);
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

/// The first release opens layout 1 only: a downgrade traps, which undoes it, and nothing is written.
#[test]
fn should_keep_earlier_code_from_opening_a_later_layout() {
    let memory = install();
    let layout = StableCell::init(memory::manager(memory.clone()).get(memory::LAYOUT), 0_u32);
    assert_eq!(*layout.get(), 2);
    StableCell::new(memory::manager(memory.clone()).get(memory::LAYOUT), 3_u32);
    assert_eq!(
        State::open(memory, 2).err(),
        Some(OpenError::UnknownLayout { found: 3, known: 2 })
    );
}
