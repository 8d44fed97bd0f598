/** Stoa's own canisters, with the types that are generated from their `.did` files. */
import { Actor, type ActorSubclass } from '@icp-sdk/core/agent';
import type { Principal } from '@icp-sdk/core/principal';
import { idlFactory as registryFactory, type _SERVICE as RegistryService } from '../../bindings/declarations/registry.did';
import { idlFactory as shardFactory, type _SERVICE as ShardService } from '../../bindings/declarations/shard.did';
import {
  idlFactory as inferenceFactory,
  type _SERVICE as InferenceService,
} from '../../bindings/declarations/inference.did';
import { idlFactory as governanceFactory, type _SERVICE as GovernanceService } from '../../bindings/declarations/governance.did';
import { describeVariant } from '$lib/explain';
import { ready } from '$lib/session.svelte';

export type * as RegistryTypes from '../../bindings/declarations/registry.did';
export type * as InferenceTypes from '../../bindings/declarations/inference.did';
export type * as GovernanceTypes from '../../bindings/declarations/governance.did';

export function registry(): ActorSubclass<RegistryService> {
  const { configuration, agent } = ready();
  return Actor.createActor<RegistryService>(registryFactory, { agent, canisterId: configuration.registry });
}

export function shard(canisterId: Principal): ActorSubclass<ShardService> {
  return Actor.createActor<ShardService>(shardFactory, { agent: ready().agent, canisterId });
}

export function inference(canisterId: Principal): ActorSubclass<InferenceService> {
  return Actor.createActor<InferenceService>(inferenceFactory, { agent: ready().agent, canisterId });
}

/** Governance by its whole interface: treasury, payments, and what an SNS has not. */
export function stoaGovernance(): ActorSubclass<GovernanceService> {
  const { configuration, agent } = ready();
  return Actor.createActor<GovernanceService>(governanceFactory, { agent, canisterId: configuration.governance });
}

/** A canister refused, and said why. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
  constructor(readonly refusal: unknown) {
    super(describeVariant(refusal));
  }
}

/** What stands under `Ok`; throws what stands under `Err`. */
export function accepted<T>(result: { Ok: T } | { Err: unknown }): T {
  if ('Ok' in result) return result.Ok;
  throw new RefusedError(result.Err);
}
