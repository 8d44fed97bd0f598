// Certified variables, verified from the root key down.

import assert from 'node:assert/strict';

import { Cbor, Certificate, LookupPathStatus, lookup_path, reconstruct } from '@icp-sdk/core/agent';
import { Principal } from '@icp-sdk/core/principal';

/**
 * Verifies that the canister's certified data is the root of the witness, and
 * gives a function that looks a path up in the witness. Throws if it does not hold.
 */
export async function verifiedWitness(agent, canisterId, certificate, witness) {
  const canister = Principal.fromText(canisterId);
  const verified = await Certificate.create({
    certificate,
    rootKey: agent.rootKey,
    principal: { canisterId: canister },
  });
  const path = ['canister', canister.toUint8Array(), 'certified_data'];
  const certified = verified.lookup_path(path);
  assert.equal(certified.status, LookupPathStatus.Found);
  const tree = Cbor.decode(witness);
  assert.deepEqual(Buffer.from(await reconstruct(tree)), Buffer.from(certified.value));
  const lookup = (labels) => {
    const found = lookup_path(labels, tree);
    assert.equal(found.status, LookupPathStatus.Found, `${labels[0]} is not in the witness`);
    return Buffer.from(found.value);
  };
  /** Whether the witness proves that nothing is there, which it does not by leaving something out. */
  lookup.isAbsent = (labels) => lookup_path(labels, tree).status === LookupPathStatus.Absent;
  return lookup;
}
