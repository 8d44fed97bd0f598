//! What tests of others order, and that nobody else can.

use super::*;

fn order(kind: FaultKind, after_calls: u32, calls: u32) {
    faults::set(
        runtime::CONTROLLER,
        vec![Fault {
            kind,
            after_calls,
            calls,
        }],
    );
}

#[test]
fn should_answer_as_it_was_told_and_then_do_its_work() {
    install();
    for error in [
        NotifyError::Processing,
        NotifyError::TransactionTooOld(4),
        NotifyError::InvalidTransaction("told so".to_string()),
    ] {
        order(FaultKind::Answer(error.clone()), 0, 1);
        assert_eq!(answer_now(poll(&mut notify())), Err(error));
        assert!(runtime::take_sent().is_empty());
    }
    let (_running, deposit) = until_deposit();
    assert_eq!(deposit.cycles, u128::from(AMOUNT) * u128::from(RATE));
}

#[test]
fn should_give_back_a_payment_that_it_was_told_not_to_deliver() {
    install();
    order(FaultKind::Undeliverable, 0, 1);
    let mut running = notify();
    assert!(poll(&mut running).is_none());
    reply_block(payment_block());
    assert!(poll(&mut running).is_none());
    reply(one_call("transfer"), Ok::<u64, TransferError>(11));
    assert!(matches!(
        answer_now(poll(&mut running)),
        Err(NotifyError::Refunded {
            block_index: Some(11),
            ..
        })
    ));
}

#[test]
fn should_let_nobody_but_a_controller_order_faults() {
    install();
    assert!(std::panic::catch_unwind(|| faults::set(customer(), vec![])).is_err());
}
