/**
 * Staking: a transfer to the neuron's subaccount, then a claim. The subaccount is derived from controller and memo, so that a
 * claim can be repeated where the page was closed in between.
 */
import type { Principal } from '@icp-sdk/core/principal';
import type { IcrcLedgerCanister } from '@icp-sdk/canisters/ledger/icrc';
import type { SnsGovernanceCanister, SnsGovernanceDid } from '@icp-sdk/canisters/sns';

/** SHA-256 of 0x0c, "neuron-stake", the controller's bytes and the memo as big-endian u64: SNS governance. */
export async function stakingSubaccount(controller: Principal, memo: bigint): Promise<Uint8Array> {
  const memoBytes = new Uint8Array(8);
  new DataView(memoBytes.buffer).setBigUint64(0, memo);
  const parts = [Uint8Array.of(0x0c), new TextEncoder().encode('neuron-stake'), controller.toUint8Array(), memoBytes];
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    all.set(part, offset);
    offset += part.length;
  }
  return new Uint8Array(await crypto.subtle.digest('SHA-256', all));
}

export interface Staking {
  readonly ledger: Pick<IcrcLedgerCanister, 'transfer' | 'balance'>;
  readonly governance: Pick<SnsGovernanceCanister, 'claimNeuron'>;
  readonly governanceId: Principal;
  readonly controller: Principal;
}

/** The first memo whose subaccount is empty: where the next neuron goes. */
export async function nextMemo(staking: Staking): Promise<bigint> {
  for (let memo = 0n; ; memo += 1n) {
    const subaccount = await stakingSubaccount(staking.controller, memo);
    const balance = await staking.ledger.balance({ owner: staking.governanceId, subaccount, certified: false });
    if (balance === 0n) return memo;
  }
}

export async function stake(staking: Staking, amount: bigint): Promise<SnsGovernanceDid.NeuronId> {
  const memo = await nextMemo(staking);
  const subaccount = await stakingSubaccount(staking.controller, memo);
  await staking.ledger.transfer({
    to: { owner: staking.governanceId, subaccount: [subaccount] },
    amount,
    created_at_time: BigInt(Date.now()) * 1_000_000n,
  });
  return staking.governance.claimNeuron({ memo, controller: staking.controller, subaccount });
}
