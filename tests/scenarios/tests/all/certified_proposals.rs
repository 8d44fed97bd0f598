//! A proposal's tally and state, proven from the network's root key down.

use stoa_client::Connection;
use stoa_client::certified::CertifiedTree;
use stoa_client::deploy::{DeployPlan, candid_nothing};
use stoa_client::management::Management;
use stoa_governance_api::code::Vote;
use stoa_governance_api::{CertifiedProposal, GetProposal, GetProposalCertifiedResult, ProposalId};
use stoa_scenarios::{World, connect, fresh_identity, run, wasm_folder};

async fn certified(connection: &Connection, world: &World, id: u64) -> CertifiedProposal {
    let question = GetProposal {
        proposal_id: Some(ProposalId { id }),
    };
    let (answer,): (GetProposalCertifiedResult,) = connection
        .query(
            world.deployment.governance,
            "get_proposal_certified",
            (question,),
        )
        .await
        .unwrap();
    answer.unwrap()
}

/// The certified yes and no, where the proof holds.
fn tally(world: &World, id: u64, answer: &CertifiedProposal) -> Option<(u64, u64)> {
    let tree = CertifiedTree::verify(
        world.deployer.connection.agent(),
        world.deployment.governance,
        &answer.certificate,
        &answer.witness,
    )
    .ok()?;
    let state = tree.value(&[b"proposals", &id.to_be_bytes()]).ok()?;
    assert_eq!(state.len(), 75 + 32);
    let number = |at: usize| u64::from_be_bytes(state[at..at + 8].try_into().unwrap());
    // Behind version, decision, topic, action id and deadline.
    Some((number(19), number(27)))
}

#[test]
fn should_prove_a_tally_and_no_other_also_after_an_upgrade() {
    run(async {
        let world = World::new(DeployPlan {
            inference: 0,
            ..DeployPlan::default()
        })
        .await;
        let governance = world.deployer.governance();
        let anybody = connect(fresh_identity()).await;
        let mut ids = Vec::new();
        for title in ["One", "Two", "Three"] {
            let proposer = governance.neuron_id(1);
            ids.push(
                governance
                    .propose_motion(proposer, title, "Text.")
                    .await
                    .unwrap(),
            );
        }
        let id = ids[1];
        let before = certified(&anybody, &world, id).await;
        let (yes, no) = tally(&world, id, &before).unwrap();
        assert!(yes > 0 && no == 0);
        governance
            .vote(governance.neuron_id(0), id, Vote::No)
            .await
            .unwrap();
        let after = certified(&anybody, &world, id).await;
        let shown = after.proposal.latest_tally.unwrap();
        assert_eq!(tally(&world, id, &after), Some((shown.yes, shown.no)));
        assert!(shown.no > 0);

        // The old witness under the new certificate, and the other way round.
        let mixed = CertifiedProposal {
            witness: before.witness.clone(),
            ..after.clone()
        };
        assert_eq!(tally(&world, id, &mixed), None);
        let mixed = CertifiedProposal {
            certificate: before.certificate.clone(),
            ..after.clone()
        };
        assert_eq!(tally(&world, id, &mixed), None);
        let mut forged = after.clone();
        let middle = forged.witness.len() / 2;
        forged.witness[middle] ^= 1;
        assert_eq!(tally(&world, id, &forged), None);
        assert_eq!(tally(&world, ids[0], &after), None, "of another proposal");
        let elsewhere = CertifiedTree::verify(
            world.deployer.connection.agent(),
            world.deployment.registry,
            &after.certificate,
            &after.witness,
        );
        assert!(elsewhere.is_err(), "a certificate of another canister");

        let management = Management::new(&world.deployer.connection).await.unwrap();
        let wasm = wasm_folder().read("governance").unwrap();
        management
            .upgrade(world.deployment.governance, &wasm, candid_nothing())
            .await
            .unwrap();
        let upgraded = certified(&anybody, &world, id).await;
        assert_eq!(tally(&world, id, &upgraded), Some((shown.yes, shown.no)));
    });
}
