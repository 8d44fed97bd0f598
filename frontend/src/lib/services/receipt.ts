/**
 * Receipts: each hash is computed again, each receipt must follow the one before, and the newest must be what the canister has
 * certified under the network's root key. The same definition as the command line's, written apart from it.
 */
import type { HttpAgent } from '@icp-sdk/core/agent';
import type { Principal } from '@icp-sdk/core/principal';
import { accepted, inference, type InferenceTypes } from '$lib/api/stoa';
import { toHex } from '$lib/bytes';
import { equalBytes, hash, receiptHash, tensorsHash, toHashable, type Hashable } from '$lib/hash/representation';
import { VerificationError, verifyWitness } from './verify';

type Receipt = InferenceTypes.Receipt;

const bytes = (value: Uint8Array | number[]): Uint8Array => Uint8Array.from(value);

export async function verifyReceipt(
  agent: HttpAgent,
  canister: Principal,
  certified: InferenceTypes.CertifiedReceipt,
): Promise<void> {
  let last = certified.receipt;
  checkHash(last);
  for (const next of certified.successors) {
    checkHash(next);
    if (!equalBytes(bytes(next.previous), bytes(last.hash)) || next.id !== last.id + 1n) {
      throw new VerificationError(`Receipt ${next.id} does not follow receipt ${last.id}.`);
    }
    last = next;
  }
  const lookup = await verifyWitness(agent, canister, bytes(certified.certificate), bytes(certified.witness));
  if (!equalBytes(lookup(['receipts', 'tip']), bytes(last.hash))) {
    throw new VerificationError(`Receipt ${last.id} is not the newest that the canister has certified.`);
  }
  const count = new DataView(lookup(['receipts', 'count']).slice().buffer).getBigUint64(0);
  if (count !== last.id + 1n) throw new VerificationError(`The canister has certified ${count} receipts, and shown ${last.id + 1n}.`);
}

function checkHash(receipt: Receipt): void {
  if (!equalBytes(receiptHash(receipt), bytes(receipt.hash))) {
    throw new VerificationError(`Receipt ${receipt.id} does not hash to what it says.`);
  }
}

/** Fetched again with its proof, from whichever node answers. */
export async function fetchAndVerify(agent: HttpAgent, canister: Principal, id: bigint): Promise<Receipt> {
  const certified = accepted(await inference(canister).get_receipt(id));
  await verifyReceipt(agent, canister, certified);
  return certified.receipt;
}

/** Says what of a call the receipt does not cover; nothing where it covers all. */
export function contradictions(
  receipt: Receipt,
  call: { version: Uint8Array; input: InferenceTypes.Input; answer: InferenceTypes.Answer; caller: Principal },
): string[] {
  const found: string[] = [];
  const expect = (what: string, computed: Uint8Array, claimed: Uint8Array | number[]): void => {
    if (!equalBytes(computed, bytes(claimed))) {
      found.push(`${what}: computed here ${toHex(computed).slice(0, 16)}…, receipt ${toHex(bytes(claimed)).slice(0, 16)}…`);
    }
  };
  expect('version', call.version, receipt.version);
  expect('input', inputHash(call.input), receipt.input_hash);
  expect('output', answerHash(call.answer), receipt.output_hash);
  if (receipt.caller.toText() !== call.caller.toText()) found.push(`caller: ${receipt.caller.toText()}`);
  return found;
}

function littleEndian(numbers: readonly number[], bits: 32 | 64): Uint8Array {
  const view = new DataView(new ArrayBuffer((numbers.length * bits) / 8));
  numbers.forEach((number, index) => {
    if (bits === 32) view.setFloat32(index * 4, number, true);
    else view.setFloat64(index * 8, number, true);
  });
  return new Uint8Array(view.buffer);
}

export function inputHash(input: InferenceTypes.Input): Uint8Array {
  if ('Tensors' in input) return tensorsHash(input.Tensors);
  if ('Texts' in input) return hash({ Texts: input.Texts.map(toHashable) });
  if ('Images' in input) return hash({ Images: input.Images.map((image) => Uint8Array.from(image)) });
  const cell = (value: InferenceTypes.Cell): Hashable => {
    if ('Number' in value) return { Number: littleEndian([value.Number], 64) };
    return 'Text' in value ? { Text: value.Text } : 'Missing';
  };
  return hash({ Rows: input.Rows.map((row) => row.map(cell)) });
}

export function answerHash(answer: InferenceTypes.Answer): Uint8Array {
  if ('Tensors' in answer) return tensorsHash(answer.Tensors);
  if ('Embeddings' in answer) {
    return hash({ Embeddings: answer.Embeddings.map((vector) => littleEndian(Array.from(vector), 32)) });
  }
  return hash({
    Classes: answer.Classes.map((classes) =>
      classes.map(({ index, label, score }) => ({ index, label, score: littleEndian([score], 32) })),
    ),
  });
}
