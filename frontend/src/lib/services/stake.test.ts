import { Principal } from '@icp-sdk/core/principal';
import { expect, it } from 'vitest';
import { nextMemo, stake, stakingSubaccount, type Staking } from './stake';

const CONTROLLER = Principal.fromText('ryjl3-tyaaa-aaaaa-aaaba-cai');
const GOVERNANCE = Principal.fromText('rrkah-fqaaa-aaaaa-aaaaq-cai');

function world() {
  const balances = new Map<string, bigint>();
  const key = (subaccount: Uint8Array | undefined): string => Buffer.from(subaccount ?? []).toString('hex');
  const claims: { memo: bigint }[] = [];
  const staking = {
    ledger: {
      balance: async ({ subaccount }: { subaccount?: Uint8Array }) => balances.get(key(subaccount)) ?? 0n,
      transfer: async ({ to, amount }: { to: { subaccount: [] | [Uint8Array] }; amount: bigint }) => {
        balances.set(key(to.subaccount[0]), amount);
        return 1n;
      },
    },
    governance: {
      claimNeuron: async (claim: { memo: bigint; subaccount: Uint8Array }) => {
        claims.push(claim);
        return { id: claim.subaccount };
      },
    },
    governanceId: GOVERNANCE,
    controller: CONTROLLER,
  };
  return { staking: staking as unknown as Staking, balances, claims };
}

it('should derive another subaccount for another memo', async () => {
  const [zero, one] = await Promise.all([stakingSubaccount(CONTROLLER, 0n), stakingSubaccount(CONTROLLER, 1n)]);
  expect(zero).toHaveLength(32);
  expect(zero).not.toEqual(one);
});

it('should stake each time into a neuron of its own and claim what was transferred', async () => {
  const { staking, balances, claims } = world();
  await stake(staking, 5n);
  await stake(staking, 7n);
  expect([...balances.values()]).toEqual([5n, 7n]);
  expect(claims.map(({ memo }) => memo)).toEqual([0n, 1n]);
  expect(await nextMemo(staking)).toBe(2n);
});
