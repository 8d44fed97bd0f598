// The representation-independent hash and what Stoa names by it, written from the
// definition and apart from the canisters' code, so that the two check each other.

import { createHash } from 'node:crypto';

import { Principal } from '@icp-sdk/core/principal';

export function sha256(bytes) {
  return createHash('sha256').update(bytes).digest();
}

function leb128(number) {
  const bytes = [];
  let rest = BigInt(number);
  do {
    const low = Number(rest & 0x7fn);
    rest >>= 7n;
    bytes.push(rest === 0n ? low : low | 0x80);
  } while (rest !== 0n);
  return Buffer.from(bytes);
}

/** Texts, blobs, naturals, arrays and maps; absent fields must have been left out. */
export function hash(value) {
  if (typeof value === 'string') return sha256(Buffer.from(value, 'utf8'));
  if (typeof value === 'number' || typeof value === 'bigint') return sha256(leb128(value));
  if (value instanceof Uint8Array) return sha256(value);
  if (value instanceof Principal) return sha256(value.toUint8Array());
  if (Array.isArray(value)) return sha256(Buffer.concat(value.map(hash)));
  if (value !== null && typeof value === 'object') {
    const pairs = Object.entries(value).map(([key, field]) => Buffer.concat([hash(key), hash(field)]));
    return sha256(Buffer.concat(pairs.sort(Buffer.compare)));
  }
  throw new TypeError(`cannot hash ${value}`);
}

// Candid gives an `opt` as an array of none or one, which only its name tells
// apart from a `vec`.
const OPTIONAL = new Set(['base_model', 'library_name', 'license_name', 'license_link', 'code_revision', 'subaccount', 'payment_block']);

/** A decoded Candid value as the hash wants it. */
function plain(value) {
  if (value === null || typeof value !== 'object') return value;
  if (value instanceof Uint8Array || value instanceof Principal) return value;
  if (ArrayBuffer.isView(value)) return Array.from(value);
  if (Array.isArray(value)) return value.map(plain);
  const entries = Object.entries(value);
  // A variant without payload is its name; Candid gives it as `{ name: null }`.
  if (entries.length === 1 && entries[0][1] === null) return entries[0][0];
  const fields = entries.flatMap(([key, field]) => {
    if (!OPTIONAL.has(key)) return [[key, plain(field)]];
    return field.length === 0 ? [] : [[key, plain(field[0])]];
  });
  return Object.fromEntries(fields);
}

/** The identifier of a version. */
export function manifestDigest(manifest) {
  return hash(plain(manifest));
}

/** The hash of inputs or outputs in a receipt. */
export function tensorsHash(tensors) {
  return hash(plain(tensors));
}

/** The hash that a receipt must carry: of all its fields but the hash. */
export function receiptHash(receipt) {
  const { hash: _, ...fields } = receipt;
  return hash(plain(fields));
}
