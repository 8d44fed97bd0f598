//! Admission: only governance, only what was proposed, and once.

use super::*;

#[test]
fn should_bring_a_version_from_draft_to_admitted() {
    let runtime = prepared();
    let plan = begin(&runtime, manifest()).unwrap();
    assert_eq!(plan.version, manifest().digest());
    assert_eq!(plan.status, VersionStatus::Draft);
    assert_eq!(plan.chunks.len(), 2);
    for chunk in &plan.chunks {
        assert_eq!(chunk.shards.len(), 2);
        assert_eq!(chunk.missing_on, chunk.shards);
    }

    put_all(&runtime, &plan);
    try_seal(&runtime, plan.version).unwrap();
    assert_eq!(status(plan.version), VersionStatus::Sealed);

    let submitted = with_mut(|state| submit(state, &runtime, principal(OWNER), plan.version));
    let proposal = submitted.unwrap();
    assert_eq!(proposal.function_id, 1000);
    assert_eq!(proposal.title, "Admit stoa/digits@1.0.0");
    let payload: AdmitVersionArgs = candid::decode_one(&proposal.payload).unwrap();
    assert_eq!(payload.version, plan.version);
    let rendering = with(|state| validate_admit_version(state, &payload)).unwrap();
    for expected in [
        plan.version.to_string(),
        Sha256::of(MODEL).to_string(),
        "Apache-2.0".to_owned(),
        principal(OWNER).to_text(),
        "`model.onnx`: 31 bytes".to_owned(),
    ] {
        assert!(rendering.contains(&expected), "{expected} in {rendering}");
    }

    admit(&runtime, GOVERNANCE, plan.version).unwrap();
    assert_eq!(status(plan.version), VersionStatus::Admitted);
    assert_eq!(
        with(|state| resolve(state, "stoa/digits")),
        Ok(plan.version)
    );
    with(State::check_invariants);
}

#[test]
fn should_admit_for_governance_alone_and_only_what_was_proposed() {
    let runtime = prepared();
    let plan = begin(&runtime, manifest()).unwrap();
    let version = plan.version;
    for stranger in [principal(OWNER), Principal::anonymous()] {
        assert_eq!(
            admit(&runtime, stranger, version),
            Err(AdmitError::NotGovernance(NotGovernance {
                governance: GOVERNANCE
            }))
        );
    }
    for expected in [VersionStatus::Draft, VersionStatus::Sealed] {
        assert_eq!(
            admit(&runtime, GOVERNANCE, version),
            Err(AdmitError::WrongStatus {
                version,
                status: expected
            })
        );
        let args = AdmitVersionArgs { version };
        assert!(with(|state| validate_admit_version(state, &args)).is_err());
        put_all(&runtime, &plan);
        if expected == VersionStatus::Draft {
            try_seal(&runtime, version).unwrap();
        }
    }
    let unknown = Sha256([1; 32]);
    assert_eq!(
        admit(&runtime, GOVERNANCE, unknown),
        Err(AdmitError::NotFound { version: unknown })
    );
}

#[test]
fn should_admit_twice_without_a_second_effect() {
    let runtime = prepared();
    let version = publish(&runtime, manifest());
    let entries = with(|state| state.audit.len());
    assert_eq!(admit(&runtime, GOVERNANCE, version), Ok(()));
    assert_eq!(with(|state| state.audit.len()), entries);
    with(State::check_invariants);
}

#[test]
fn should_set_a_price_within_its_limit_and_show_it() {
    let runtime = prepared();
    let plan = begin(&runtime, manifest()).unwrap();
    let set = |price| {
        with_mut(|state| {
            set_price(
                state,
                &runtime,
                principal(OWNER),
                "stoa/digits".into(),
                price,
            )
        })
    };
    assert_eq!(set(250_000), Ok(()));
    let info = with(|state| get_version(state, plan.version)).unwrap();
    assert_eq!(info.price_per_call_e8s, 250_000);
    let max = 100_000_000_000;
    assert_eq!(
        set(max + 1),
        Err(SetPriceError::PriceTooHigh {
            given: max + 1,
            max
        })
    );
    let unknown =
        with_mut(|state| set_price(state, &runtime, principal(OWNER), "stoa/x".into(), 1));
    assert_eq!(unknown, Err(SetPriceError::NotFound));
}
