/**
 * Who signs. On mainnet Internet Identity; on a network for development also identities that are made from a name and that
 * everybody has the key of, the same ones that the command line calls `dev:<name>`.
 */
import { Ed25519KeyIdentity } from '@icp-sdk/core/identity';

const DEVELOPMENT_DOMAIN = 'stoa development identity, known to everybody: ';

export async function developmentIdentity(name: string): Promise<Ed25519KeyIdentity> {
  const bytes = new TextEncoder().encode(DEVELOPMENT_DOMAIN + name);
  const seed = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return Ed25519KeyIdentity.generate(seed);
}
