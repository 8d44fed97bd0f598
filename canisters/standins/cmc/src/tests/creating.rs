//! A payment for a new canister: one canister, or the payment back.

use super::*;

fn creation() -> NotifyCreateCanisterArg {
    NotifyCreateCanisterArg {
        block_index: BLOCK,
        controller: customer(),
        subnet_type: None,
        subnet_selection: None,
        settings: None,
    }
}

fn create(arguments: NotifyCreateCanisterArg) -> Running<NotifyCreateCanisterResult> {
    runtime::set_caller(customer());
    Box::pin(notify_create_canister(arguments))
}

fn creation_block() -> Block {
    let mut block = payment_block();
    block.transaction.memo = MEMO_CREATE_CANISTER;
    block
}

fn new_canister() -> Principal {
    Principal::from_slice(&[4, 4])
}

#[test]
fn should_create_one_canister_for_a_payment_and_name_it_again() {
    install();
    let mut running = create(creation());
    assert!(poll(&mut running).is_none());
    reply_block(creation_block());
    assert!(poll(&mut running).is_none());
    let call = one_call("create_canister");
    assert_eq!(call.cycles, u128::from(AMOUNT) * u128::from(RATE));
    let settings = Decode!(
        &call.arguments,
        ic_management_canister_types::CanisterSettings
    )
    .unwrap();
    assert_eq!(settings.controllers, Some(vec![customer()]));
    call.answer(Ok(new_canister().as_slice().to_vec()));
    assert!(poll(&mut running).is_none());
    reply_minting_account();
    assert!(poll(&mut running).is_none());
    let burn = one_call("transfer");
    let arguments = Decode!(&burn.arguments, TransferArgs).unwrap();
    assert_eq!(arguments.memo, MEMO_CREATE_CANISTER);
    reply(burn, Ok::<u64, TransferError>(8));
    assert_eq!(poll(&mut running), Some(Ok(new_canister())));

    let mut again = create(creation());
    assert!(poll(&mut again).is_none());
    reply_block(creation_block());
    assert_eq!(poll(&mut again), Some(Ok(new_canister())));
    assert!(runtime::take_sent().is_empty());
}

#[test]
fn should_refund_a_creation_that_fails_less_four_fees() {
    for selection in [
        None,
        Some(SubnetSelection::Subnet {
            subnet: Principal::from_slice(&[9]),
        }),
        Some(SubnetSelection::Filter(SubnetFilter {
            subnet_type: Some("fiduciary".to_string()),
        })),
    ] {
        install();
        let refused_by_network = selection.is_none();
        let mut running = create(NotifyCreateCanisterArg {
            subnet_selection: selection,
            ..creation()
        });
        assert!(poll(&mut running).is_none());
        reply_block(creation_block());
        assert!(poll(&mut running).is_none());
        if refused_by_network {
            one_call("create_canister").answer(Err(CallFailure::new("too few cycles")));
            assert!(poll(&mut running).is_none());
        }
        let refund = one_call("transfer");
        let arguments = Decode!(&refund.arguments, TransferArgs).unwrap();
        assert_eq!(arguments.amount.e8s, AMOUNT - 5 * ledger::TRANSFER_FEE_E8S);
        assert_eq!(arguments.to.as_slice(), payer());
        reply(refund, Ok::<u64, TransferError>(11));
        assert!(matches!(
            poll(&mut running),
            Some(Err(NotifyError::Refunded {
                block_index: Some(11),
                ..
            }))
        ));
    }
}

#[test]
fn should_not_take_a_top_up_for_a_new_canister_nor_the_other_way() {
    install();
    let mut running = create(creation());
    assert!(poll(&mut running).is_none());
    reply_block(payment_block());
    assert!(matches!(
        poll(&mut running),
        Some(Err(NotifyError::InvalidTransaction(_)))
    ));
    let mut running = notify();
    assert!(poll(&mut running).is_none());
    reply_block(creation_block());
    assert!(matches!(
        answer_now(poll(&mut running)),
        Err(NotifyError::InvalidTransaction(_))
    ));
}

#[test]
fn should_create_for_nobody_but_the_controller_and_under_one_selection() {
    install();
    let code = |arguments| match poll(&mut create(arguments)) {
        Some(Err(NotifyError::Other { error_code, .. })) => error_code,
        other => panic!("{other:?}"),
    };
    let of_somebody_else = NotifyCreateCanisterArg {
        controller: Principal::from_slice(&[8]),
        ..creation()
    };
    assert_eq!(code(of_somebody_else), ERROR_CODE_UNAUTHORIZED);
    let twice = NotifyCreateCanisterArg {
        subnet_type: Some("fiduciary".to_string()),
        subnet_selection: Some(SubnetSelection::Filter(SubnetFilter { subnet_type: None })),
        ..creation()
    };
    assert_eq!(code(twice), ERROR_CODE_BAD_SUBNET_SELECTION);
}
