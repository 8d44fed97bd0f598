// What the tests run against: an endpoint, a deployment on it and somebody who
// owns ICP there. All three are named from outside, so that the same tests run on
// any network; what is missing fails loudly.

import { createHash, createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

import { Actor, HttpAgent } from '@icp-sdk/core/agent';
import { Ed25519KeyIdentity } from '@icp-sdk/core/identity';

const MAINNET = /(^|\.)(icp-api\.io|icp0\.io|ic0\.app)$/;

function required(name, meaning) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: it must be ${meaning}`);
  return value;
}

export const endpoint = required('STOA_ENDPOINT', 'the URL of an Internet Computer endpoint');

/** Canister ids as text, and `version_digest` in hexadecimal. */
export function readDeployment() {
  const path = required('STOA_DEPLOYMENT', 'the path of a deployment file');
  const deployment = JSON.parse(readFileSync(path, 'utf8'));
  for (const field of ['governance', 'token_ledger', 'registry', 'icp_ledger', 'inference', 'version_digest']) {
    if (!deployment[field]?.length) throw new Error(`${path} has no ${field}`);
  }
  return {
    governance: deployment.governance,
    tokenLedger: deployment.token_ledger,
    registry: deployment.registry,
    ledger: deployment.icp_ledger,
    inference: deployment.inference[0],
    // Absent where it was left out.
    frontend: deployment.frontend,
    version: Buffer.from(deployment.version_digest, 'hex'),
  };
}

/** An agent as anybody would make it: certificates and query signatures are verified. */
export async function connect(identity) {
  const shouldFetchRootKey = !MAINNET.test(new URL(endpoint).hostname);
  return HttpAgent.create({ host: endpoint, identity, shouldFetchRootKey });
}

export function actor(agent, canisterId, interfaceFactory) {
  return Actor.createActor(interfaceFactory, { agent, canisterId });
}

/** The identity that owns ICP and governance tokens. */
export function fundedIdentity() {
  return Ed25519KeyIdentity.fromSecretKey(fundedSecret());
}

/**
 * Its key, named as the command line names it: `dev:<name>` or a key file in the user's
 * folder of identities.
 */
export function fundedSecret() {
  const name = process.env.STOA_IDENTITY || 'default';
  if (name.startsWith('dev:')) {
    const domain = 'stoa development identity, known to everybody: ';
    return createHash('sha256').update(domain + name.slice('dev:'.length)).digest();
  }
  const configuration =
    process.env.STOA_CONFIG_DIR ||
    join(process.env.XDG_CONFIG_HOME || join(homedir(), '.config'), 'stoa');
  const pem = readFileSync(join(configuration, 'identities', `${name}.pem`));
  const { d } = createPrivateKey(pem).export({ format: 'jwk' });
  return Buffer.from(d, 'base64url');
}
