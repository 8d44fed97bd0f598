// Stock @icp-sdk/core, with its default verification, against a deployment: reads
// a certified manifest and calls inference for ICP. Nothing here depends on which
// network it is.

import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { Ed25519KeyIdentity } from '@icp-sdk/core/identity';
import { Principal } from '@icp-sdk/core/principal';

import { verifiedWitness } from './certificates.mjs';
import { actor, connect, fundedIdentity, readDeployment } from './deployment.mjs';
import { manifestDigest, receiptHash, tensorsHash } from './hashing.mjs';
import * as interfaces from './interfaces.mjs';

const LOAD_PATIENCE_MS = 120_000;

const ELEMENT_BYTES = {
  BOOL: 1, UINT8: 1, UINT16: 2, UINT32: 4, UINT64: 8, INT8: 1, INT16: 2, INT32: 4, INT64: 8,
  FP16: 2, FP32: 4, FP64: 8,
};

let deployment;
let anonymous;
let registry;

before(async () => {
  deployment = readDeployment();
  anonymous = await connect();
  registry = actor(anonymous, deployment.registry, interfaces.registry);
});

function ok(result) {
  assert.ok('Ok' in result, `the canister answered ${inspect(result)}`);
  return result.Ok;
}

function inspect(value) {
  const readable = (_, part) => {
    if (typeof part === 'bigint') return part.toString();
    return part instanceof Uint8Array ? Buffer.from(part).toString('hex') : part;
  };
  return JSON.stringify(value, readable);
}

async function certifiedVersion() {
  return ok(await registry.get_version_certified(deployment.version));
}

async function certifiedStatus(certificate, witness) {
  const lookup = await verifiedWitness(anonymous, deployment.registry, certificate, witness);
  return lookup(['version', deployment.version, 'status']).toString();
}

test('should verify query signatures and certificates by default', () => {
  assert.notEqual(anonymous.config.verifyQuerySignatures, false);
  assert.equal(anonymous.rootKey.length, 133);
});

test('should read a manifest whose digest is the certified version', async () => {
  const { version, manifest, status, certificate, witness } = await certifiedVersion();
  assert.deepEqual(Buffer.from(version), deployment.version);
  assert.deepEqual(manifestDigest(manifest), deployment.version);
  assert.equal(await certifiedStatus(certificate, witness), 'admitted');
  assert.deepEqual(status, { Admitted: null });
});

test('should notice a manifest that was changed anywhere', async () => {
  const { manifest } = await certifiedVersion();
  const changed = [
    { ...manifest, license: `${manifest.license} ` },
    { ...manifest, files: manifest.files.slice(1) },
    { ...manifest, card: { ...manifest.card, base_model: ['another'] } },
    { ...manifest, signature: { ...manifest.signature, outputs: [] } },
  ];
  for (const other of changed) assert.notDeepEqual(manifestDigest(other), deployment.version);
});

test('should refuse a witness or a certificate with one bit changed', async () => {
  const { certificate, witness } = await certifiedVersion();
  const flipped = (bytes) => {
    const copy = Uint8Array.from(bytes);
    copy[copy.length - 1] ^= 1;
    return copy;
  };
  await assert.rejects(certifiedStatus(certificate, flipped(witness)));
  await assert.rejects(certifiedStatus(flipped(certificate), witness));
});

/** A caller with `amount` e8s, given by the identity that owns ICP. */
async function funded(amount) {
  const identity = Ed25519KeyIdentity.generate();
  const giver = actor(await connect(fundedIdentity()), deployment.ledger, interfaces.ledger);
  const to = { owner: identity.getPrincipal(), subaccount: [] };
  ok(
    await giver.icrc1_transfer({
      from_subaccount: [],
      to,
      amount,
      fee: [],
      memo: [],
      created_at_time: [],
    }),
  );
  const agent = await connect(identity);
  return {
    principal: identity.getPrincipal(),
    ledger: actor(agent, deployment.ledger, interfaces.ledger),
    inference: actor(agent, deployment.inference, interfaces.inference),
    balance: () => giver.icrc1_balance_of(to),
  };
}

async function approve(caller, amount) {
  const spender = { owner: Principal.fromText(deployment.inference), subaccount: [] };
  ok(
    await caller.ledger.icrc2_approve({
      from_subaccount: [],
      spender,
      amount,
      expected_allowance: [],
      expires_at: [],
      fee: [],
      memo: [],
      created_at_time: [],
    }),
  );
}

async function loaded(inference) {
  const deadline = Date.now() + LOAD_PATIENCE_MS;
  const status = ok(await inference.load(deployment.version));
  for (let { state } = status; !('Ready' in state); ) {
    assert.ok(!('Failed' in state), `loading failed: ${inspect(state)}`);
    assert.ok(Date.now() < deadline, `still loading: ${inspect(state)}`);
    await sleep(250);
    ({ state } = ok(await inference.load_status(deployment.version)));
  }
}

/** Tensors that fit the signature, every dimension that is the caller's choice being 1. */
function exampleInputs(manifest) {
  return manifest.signature.inputs.map(({ name, datatype, shape }) => {
    const extents = shape.map((dimension) => dimension.Fixed ?? 1n);
    const elements = Number(extents.reduce((product, extent) => product * extent, 1n));
    const [type] = Object.keys(datatype);
    assert.ok(ELEMENT_BYTES[type], `this test makes no inputs of type ${type}`);
    return { name, datatype, shape: extents, data: new Uint8Array(elements * ELEMENT_BYTES[type]) };
  });
}

function assertFits(output, { name, datatype, shape }) {
  assert.equal(output.name, name);
  assert.deepEqual(output.datatype, datatype);
  const extents = Array.from(output.shape);
  assert.equal(extents.length, shape.length);
  shape.forEach((dimension, axis) => {
    if ('Fixed' in dimension) assert.equal(extents[axis], dimension.Fixed);
    else assert.ok(extents[axis] >= 1n && extents[axis] <= dimension.Dynamic.max);
  });
  const [type] = Object.keys(datatype);
  const elements = Number(extents.reduce((product, extent) => product * extent, 1n));
  assert.equal(output.data.length, elements * ELEMENT_BYTES[type]);
}

async function assertCertified(caller, receipt) {
  const proof = ok(await caller.inference.get_receipt(receipt.id));
  assert.deepEqual(proof.receipt, receipt);
  let tip = proof.receipt;
  for (const next of proof.successors) {
    assert.deepEqual(Buffer.from(next.previous), Buffer.from(tip.hash));
    assert.deepEqual(receiptHash(next), Buffer.from(next.hash));
    tip = next;
  }
  const { certificate, witness } = proof;
  const lookup = await verifiedWitness(anonymous, deployment.inference, certificate, witness);
  assert.deepEqual(lookup(['receipts', 'tip']), Buffer.from(tip.hash));
}

test('should sell a prediction for an allowance, with a certified receipt', async () => {
  const { manifest } = await certifiedVersion();
  const caller = await funded(100_000_000n);
  await loaded(caller.inference);
  const quote = ok(await caller.inference.quote(deployment.version));
  const fee = await caller.ledger.icrc1_fee();
  assert.equal(quote.ledger_fee_e8s, fee);
  await approve(caller, quote.price_e8s + fee);
  const before = await caller.balance();

  const inputs = exampleInputs(manifest);
  const request = {
    model: { Digest: deployment.version },
    input: { Tensors: inputs },
    payment: { Allowance: { token: { Icp: null }, from_subaccount: [] } },
    max_price: [quote.price_e8s],
  };
  const { answer, receipt } = ok(await caller.inference.infer(request));
  const outputs = answer.Tensors;

  assert.equal(outputs.length, manifest.signature.outputs.length);
  outputs.forEach((output, index) => assertFits(output, manifest.signature.outputs[index]));
  // What the run turned out to need less than quoted is the caller's credit.
  assert.ok(receipt.price.IcpE8s <= quote.price_e8s, inspect(receipt.price));
  assert.ok(receipt.price.IcpE8s > 0n);
  assert.equal(await caller.balance(), before - quote.price_e8s - fee);
  assert.equal(receipt.caller.toText(), caller.principal.toText());
  assert.deepEqual(Buffer.from(receipt.version), deployment.version);
  assert.deepEqual(Buffer.from(receipt.input_hash), tensorsHash(inputs));
  assert.deepEqual(Buffer.from(receipt.output_hash), tensorsHash(outputs));
  assert.equal(receipt.payment_block.length, 1);
  assert.deepEqual(receiptHash(receipt), Buffer.from(receipt.hash));
  await assertCertified(caller, receipt);

  // The allowance is used up: the same call again is refused and costs nothing.
  const poorer = await caller.balance();
  const refused = await caller.inference.infer(request);
  assert.ok('InsufficientAllowance' in (refused.Err ?? {}), inspect(refused));
  assert.equal(await caller.balance(), poorer);
});
