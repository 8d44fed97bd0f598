//! Who may do what with a neuron, and who may change that.

use super::*;
use stoa_governance_api::code::NeuronPermissionType as Permission;

fn list(permissions: &[Permission]) -> Option<NeuronPermissionList> {
    Some(NeuronPermissionList {
        permissions: permissions.iter().map(|p| p.number()).collect(),
    })
}

fn add(caller: u8, key: NeuronKey, to: u8, permissions: &[Permission]) -> CommandResponse {
    command(
        user(caller),
        key,
        Command::AddNeuronPermissions(AddNeuronPermissions {
            permissions_to_add: list(permissions),
            principal_id: Some(user(to)),
        }),
    )
}

fn remove(caller: u8, key: NeuronKey, from: u8, permissions: &[Permission]) -> CommandResponse {
    command(
        user(caller),
        key,
        Command::RemoveNeuronPermissions(RemoveNeuronPermissions {
            permissions_to_remove: list(permissions),
            principal_id: Some(user(from)),
        }),
    )
}

fn with_grantable(grantable: &[Permission]) -> NeuronKey {
    governance_with(NervousSystemParameters {
        neuron_grantable_permissions: list(grantable),
        max_number_of_principals_per_neuron: Some(3),
        ..parameters()
    });
    neuron(2, 9_000);
    neuron(1, 1_000)
}

#[test]
fn should_let_a_hot_key_vote_and_nothing_else() {
    let key = with_grantable(&[Permission::Vote, Permission::SubmitProposal]);
    assert_eq!(
        add(1, key, 5, &[Permission::Vote]),
        CommandResponse::AddNeuronPermission {}
    );
    let id = propose(2, key_of(user(2), 0), motion());
    assert_eq!(
        vote(5, key, id, Vote::Yes),
        CommandResponse::RegisterVote {}
    );
    assert_eq!(
        error_of(configure(user(5), key, Operation::StartDissolving {})),
        ErrorType::NotAuthorized
    );
    assert_eq!(
        error_of(command(user(5), key, motion())),
        ErrorType::NotAuthorized
    );
    let listed = |who: u8| {
        crate::query_neurons::list_neurons(ListNeurons {
            of_principal: Some(user(who)),
            limit: 0,
            start_page_at: None,
        })
        .neurons
        .len()
    };
    assert_eq!(listed(5), 1);
    assert_eq!(
        remove(1, key, 5, &[Permission::Vote]),
        CommandResponse::RemoveNeuronPermission {}
    );
    assert_eq!(listed(5), 0);
    assert_eq!(read_neuron(key).permissions.len(), 1);
    check_invariants();
}

#[test]
fn should_grant_only_what_the_parameters_say() {
    let key = with_grantable(&[Permission::Vote]);
    assert_eq!(
        error_of(add(1, key, 5, &[Permission::Vote, Permission::Disburse])),
        ErrorType::AccessControlList
    );
    assert_eq!(read_neuron(key).permissions.len(), 1);
}

#[test]
fn should_let_a_manager_of_voting_permissions_change_only_those() {
    let key = with_grantable(&[
        Permission::Vote,
        Permission::SubmitProposal,
        Permission::ManageVotingPermission,
        Permission::Disburse,
    ]);
    add(1, key, 5, &[Permission::ManageVotingPermission]);
    assert_eq!(
        add(5, key, 6, &[Permission::Vote]),
        CommandResponse::AddNeuronPermission {}
    );
    assert_eq!(
        error_of(add(5, key, 6, &[Permission::Disburse])),
        ErrorType::NotAuthorized
    );
    assert_eq!(
        error_of(remove(5, key, 1, &[Permission::Disburse])),
        ErrorType::NotAuthorized
    );
    assert_eq!(
        error_of(add(6, key, 7, &[Permission::Vote])),
        ErrorType::NotAuthorized
    );
}

#[test]
fn should_bound_principals_and_refuse_nonsense() {
    let key = with_grantable(&[Permission::Vote]);
    add(1, key, 5, &[Permission::Vote]);
    add(1, key, 6, &[Permission::Vote]);
    assert_eq!(
        error_of(add(1, key, 7, &[Permission::Vote])),
        ErrorType::PreconditionFailed
    );
    assert_eq!(error_of(add(1, key, 5, &[])), ErrorType::InvalidCommand);
    assert_eq!(
        error_of(remove(1, key, 9, &[Permission::Vote])),
        ErrorType::AccessControlList
    );
    assert_eq!(
        error_of(remove(1, key, 5, &[Permission::Split])),
        ErrorType::AccessControlList
    );
    let unknown = Command::AddNeuronPermissions(AddNeuronPermissions {
        permissions_to_add: Some(NeuronPermissionList {
            permissions: vec![11],
        }),
        principal_id: Some(user(5)),
    });
    assert_eq!(
        error_of(command(user(1), key, unknown)),
        ErrorType::InvalidCommand
    );
    let anonymous = Command::AddNeuronPermissions(AddNeuronPermissions {
        permissions_to_add: list(&[Permission::Vote]),
        principal_id: Some(Principal::anonymous()),
    });
    assert_eq!(
        error_of(command(user(1), key, anonymous)),
        ErrorType::NotAuthorized
    );
}
