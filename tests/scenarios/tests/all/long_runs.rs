//! A call that needs more instructions than any message has: it goes on over several, lets others in between, outlives an
//! upgrade of the canister, and is paid once.

use std::time::{Duration, Instant};

use candid::Nat;
use stoa_client::deploy::{DeployPlan, candid_nothing};
use stoa_client::management::Management;
use stoa_inference_api::{DepositArgs, InferRequest, JobState, Payment, PaymentState, Token};
use stoa_scenarios::{ONE_TOKEN, PATIENCE, World, outputs_of, projection, run, wasm_folder};
use stoa_types::pipeline::Input;
use stoa_types::tensor::{DataType, Tensor};

/// What an update message has at most.
const MESSAGE_INSTRUCTIONS_MAX: u64 = 40_000_000_000;
const WIDTH: usize = 1024;
/// Rows of the call: enough for more than one whole message.
const ROWS: usize = 16;

/// Rows of length 1, each with ones in another place.
fn rows() -> Vec<f32> {
    let row = |number: usize| {
        (0..WIDTH).map(move |at| {
            // Sixteen elements of a quarter.
            if at % 64 == number { 0.25 } else { 0.0 }
        })
    };
    (0..ROWS).flat_map(row).collect()
}

fn input() -> Input {
    Input::Tensors(vec![Tensor {
        name: "x".to_owned(),
        datatype: DataType::FP32,
        shape: vec![ROWS as u64, WIDTH as u64],
        data: rows().iter().flat_map(|x| x.to_le_bytes()).collect(),
    }])
}

// Statements 5, 29 and 30 of what the canisters promise: a run that an upgrade meets is not paid or answered twice, and
// timers go on after it.
#[test]
fn should_finish_a_run_of_several_messages_through_an_upgrade_and_charge_it_once() {
    run(async {
        let mut plan = DeployPlan::default();
        // So that nothing but this call changes the books.
        plan.policy.top_up_below_cycles = Nat::from(1_000_000_000_000_u64);
        let world = World::new(plan).await;
        let author = world.actor().await;
        let handle = author.claim_handle().await;
        let long = world.publish(author.clone(), projection(&handle)).await;
        world.admit(long.version).await;
        world.load(long.version).await;
        let short = world.publish_digits().await;
        world.admit(short.version).await;
        world.load(short.version).await;

        let other = world.actor().await;
        other.approve(ONE_TOKEN).await;
        let quick = other.request(short.version);
        let user = world.actor().await;
        let inference = user.inference();
        user.approve(9 * ONE_TOKEN).await;
        let deposit = DepositArgs {
            token: Token::Icp,
            amount_e8s: 5 * ONE_TOKEN,
            from_subaccount: None,
        };
        inference.deposit(deposit).await.unwrap().unwrap();
        let request = InferRequest {
            input: input(),
            payment: Payment::Credit { token: Token::Icp },
            ..user.request(long.version)
        };
        let begun = Instant::now();
        let job = inference.submit(&request).await.unwrap().unwrap();

        // In the middle: some messages are done, others are to come.
        let so_far = loop {
            let found = inference.get_job(job).await.unwrap().unwrap();
            match found.state {
                JobState::Running {
                    instructions_so_far,
                    restarts: 0,
                } if instructions_so_far > 0 => break instructions_so_far,
                JobState::Running { .. } => {}
                other => panic!("{other:?}"),
            }
            assert!(begun.elapsed() < PATIENCE);
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        assert!(so_far < MESSAGE_INSTRUCTIONS_MAX);
        let management = Management::new(&world.deployer.connection).await.unwrap();
        let wasm = wasm_folder().read("inference").unwrap();
        management
            .upgrade(inference.canister(), &wasm, candid_nothing())
            .await
            .unwrap();

        let restarts = loop {
            match inference.get_job(job).await.unwrap().unwrap().state {
                JobState::Running { restarts, .. } if restarts > 0 => break restarts,
                JobState::Running { .. } => {}
                other => panic!("{other:?}"),
            }
            assert!(begun.elapsed() < PATIENCE);
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        assert_eq!(restarts, 1);

        // It lets others in between its messages: this call comes after it and has its receipt before it.
        let answered = other.inference().infer(&quick).await.unwrap().unwrap();

        let response = inference.wait_job(job, PATIENCE).await.unwrap();
        println!("job: {:.1} s", begun.elapsed().as_secs_f64());

        // A row of length 1 times the sum of its elements, which is 4.
        let found = outputs_of(&response)[0].data.as_chunks::<4>().0.iter();
        let expected = rows();
        assert_eq!(found.len(), expected.len());
        for (bytes, x) in found.zip(&expected) {
            assert!((f32::from_le_bytes(*bytes) - 4.0 * x).abs() < 1e-4);
        }
        let receipt = inference.proven_receipt(response.receipt.id).await.unwrap();
        assert!(
            receipt.instructions > MESSAGE_INSTRUCTIONS_MAX,
            "{}",
            receipt.instructions
        );

        assert!(answered.receipt.id < receipt.id);

        // Paid once, and what it did not need is back.
        let record = inference.get_payment(job).await.unwrap().unwrap();
        let PaymentState::Earned {
            price, receipt: id, ..
        } = record.state
        else {
            panic!("{:?}", record.state);
        };
        assert_eq!(id, receipt.id);
        let left = inference.balances_of(user.principal()).await.unwrap();
        assert_eq!(
            Nat::from(5 * ONE_TOKEN - left.credit_icp_e8s),
            price.clone()
        );
        assert!(price <= record.amount_e8s);
        // Its receipt and the other user's: no second one for what was begun twice.
        assert_eq!(inference.status().await.unwrap().receipts, 2);
        let books = inference.status().await.unwrap().books.icp;
        assert_eq!(books.held, 0_u8);
    });
}
