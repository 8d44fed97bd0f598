/**
 * What "verified" means on a page: the network's root key signed the canister's certified data; that data is the root of the
 * witness; the witness says that this version has this status; and the manifest hashes to the version.
 */
import { Cbor, Certificate, LookupPathStatus, lookup_path, reconstruct, type HttpAgent, type HashTree } from '@icp-sdk/core/agent';
import type { Principal } from '@icp-sdk/core/principal';
import { sha256 } from '@noble/hashes/sha2.js';
import { toHex } from '$lib/bytes';
import { equalBytes, manifestDigest } from '$lib/hash/representation';

export class VerificationError extends Error {
  override readonly name = 'VerificationError';
}

export type Lookup = (labels: (string | Uint8Array)[]) => Uint8Array;

/** Throws unless the witness is what the canister certified. */
export async function verifyWitness(
  agent: HttpAgent,
  canister: Principal,
  certificate: Uint8Array,
  witness: Uint8Array,
): Promise<Lookup> {
  const rootKey = agent.rootKey;
  if (rootKey === null || rootKey === undefined) throw new VerificationError('The root key of the network is not known.');
  const verified = await Certificate.create({
    certificate: Uint8Array.from(certificate),
    rootKey,
    principal: { canisterId: canister },
  });
  const certified = verified.lookup_path(['canister', canister.toUint8Array(), 'certified_data']);
  if (certified.status !== LookupPathStatus.Found) throw new VerificationError('The certificate is not about this canister.');
  const tree = Cbor.decode<HashTree>(Uint8Array.from(witness));
  const root = await reconstruct(tree);
  if (!equalBytes(new Uint8Array(root), new Uint8Array(certified.value as Uint8Array))) {
    throw new VerificationError('The witness is not what the canister certified.');
  }
  return (labels) => {
    const found = lookup_path(labels, tree);
    if (found.status !== LookupPathStatus.Found) throw new VerificationError(`${String(labels[0])} is not in the witness.`);
    return new Uint8Array(found.value as Uint8Array);
  };
}

export interface CertifiedVersion {
  version: Uint8Array | number[];
  manifest: object;
  status: object;
  certificate: Uint8Array | number[];
  witness: Uint8Array | number[];
}

/** The certified status, as `admitted`; throws where anything does not fit. */
export async function verifyVersion(agent: HttpAgent, registry: Principal, answer: CertifiedVersion, expected: Uint8Array): Promise<string> {
  if (!equalBytes(manifestDigest(answer.manifest), expected)) {
    throw new VerificationError('The manifest does not hash to the version that was asked for.');
  }
  const lookup = await verifyWitness(agent, registry, Uint8Array.from(answer.certificate), Uint8Array.from(answer.witness));
  const status = new TextDecoder().decode(lookup(['version', expected, 'status']));
  const [claimed = ''] = Object.keys(answer.status);
  if (status !== claimed.toLowerCase()) {
    throw new VerificationError(`The answer says ${claimed.toLowerCase()}, and what is certified says ${status}.`);
  }
  return status;
}

/** How people compare root keys. */
export function rootKeyFingerprint(agent: HttpAgent): string {
  return agent.rootKey === null || agent.rootKey === undefined ? 'unknown' : toHex(sha256(agent.rootKey)).slice(0, 16);
}
