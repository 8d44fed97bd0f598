/**
 * The representation-independent hash of the IC interface specification, over decoded Candid values: what identifies a version
 * and a receipt. Written from the definition and apart from the canisters' code, so that the two check each other.
 */
import { Principal } from '@icp-sdk/core/principal';
import { sha256 } from '@noble/hashes/sha2.js';

export type Hashable = string | number | bigint | Uint8Array | Principal | Hashable[] | { [key: string]: Hashable };

/** Candid gives an `opt` as an array of none or one, which only its name tells apart from a `vec`. */
const OPTIONAL: ReadonlySet<string> = new Set([
  'base_model', 'code_revision', 'subaccount', 'payment_block', 'mask', 'types', 'crop', 'missing', 'pair',
  'library_name', 'license_name', 'license_link',
]);

function leb128(number: bigint): Uint8Array {
  const bytes: number[] = [];
  let rest = number;
  do {
    const low = Number(rest & 0x7fn);
    rest >>= 7n;
    bytes.push(rest === 0n ? low : low | 0x80);
  } while (rest !== 0n);
  return Uint8Array.from(bytes);
}

function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    all.set(part, offset);
    offset += part.length;
  }
  return all;
}

function compareBytes(left: Uint8Array, right: Uint8Array): number {
  for (let index = 0; index < Math.min(left.length, right.length); index += 1) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}

/** 32 bytes. Absent fields must have been left out. */
export function hash(value: Hashable): Uint8Array {
  if (typeof value === 'string') return sha256(new TextEncoder().encode(value));
  if (typeof value === 'number' || typeof value === 'bigint') return sha256(leb128(BigInt(value)));
  if (value instanceof Uint8Array) return sha256(value);
  if (value instanceof Principal) return sha256(value.toUint8Array());
  if (Array.isArray(value)) return sha256(concatenate(value.map(hash)));
  const pairs = Object.entries(value).map(([key, field]) => concatenate([hash(key), hash(field)]));
  return sha256(concatenate(pairs.sort(compareBytes)));
}

/** A decoded Candid value as the hash wants it: variants without payload as text, truths as 0 or 1, absent fields left out. */
export function toHashable(value: unknown): Hashable {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint') return value;
  if (typeof value === 'boolean') return value ? 1 : 0;
  if (value instanceof Uint8Array || value instanceof Principal) return value;
  if (ArrayBuffer.isView(value)) return Array.from(value as unknown as ArrayLike<number>);
  if (Array.isArray(value)) return value.map(toHashable);
  if (typeof value !== 'object' || value === null) throw new TypeError(`${String(value)} cannot be hashed`);
  const entries = Object.entries(value);
  const [first] = entries;
  if (entries.length === 1 && first !== undefined && first[1] === null) return first[0];
  const fields: { [key: string]: Hashable } = {};
  for (const [key, field] of entries) {
    if (!OPTIONAL.has(key)) fields[key] = toHashable(field);
    else if (Array.isArray(field) && field.length > 0) fields[key] = toHashable(field[0]);
  }
  return fields;
}

/** The identifier of a version. */
export function manifestDigest(manifest: object): Uint8Array {
  return hash(toHashable(manifest));
}

/** The hash of inputs or outputs in a receipt. */
export function tensorsHash(tensors: readonly object[]): Uint8Array {
  return hash(toHashable(tensors));
}

/** What a receipt's hash must be: of all its fields but the hash. */
export function receiptHash(receipt: { hash: unknown }): Uint8Array {
  const { hash: _own, ...fields } = receipt;
  return hash(toHashable(fields));
}

export function equalBytes(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && compareBytes(left, right) === 0;
}
