// The audit log as a stranger reads it: ICRC-3 blocks, hashed by stock @icp-sdk/core, from the first to the tip that
// the network certifies.

import assert from 'node:assert/strict';
import { before, test } from 'node:test';

import { hashOfMap } from '@icp-sdk/core/agent';

import { verifiedWitness } from './certificates.mjs';
import { actor, connect, readDeployment } from './deployment.mjs';
import * as interfaces from './interfaces.mjs';

let agent;
let deployment;
let log;

before(async () => {
  deployment = readDeployment();
  agent = await connect();
  log = actor(agent, deployment.registry, interfaces.icrc3);
});

/** An ICRC-3 value as the hash takes it; the standard's hash of a value is the representation-independent one. */
function plain(value) {
  const [[kind, content]] = Object.entries(value);
  switch (kind) {
    case 'Array':
      return content.map(plain);
    case 'Map':
      return Object.fromEntries(content.map(([key, field]) => [key, plain(field)]));
    case 'Blob':
      return Uint8Array.from(content);
    case 'Text':
    case 'Nat':
      return content;
    default:
      throw new TypeError(`no block of the registry has a ${kind}`);
  }
}

function leb128(bytes) {
  return bytes.reduceRight((number, byte) => (number << 7n) | BigInt(byte & 0x7f), 0n);
}

async function blocksTo(last) {
  const blocks = [];
  while (blocks.length <= last) {
    const start = BigInt(blocks.length);
    const page = await log.icrc3_get_blocks([{ start, length: last + 1n - start }]);
    assert.ok(page.blocks.length > 0, 'a page without blocks');
    for (const { id, block } of page.blocks) {
      assert.equal(id, BigInt(blocks.length));
      blocks.push(plain(block));
    }
  }
  return blocks;
}

async function tip() {
  const [{ certificate, hash_tree: witness }] = await log.icrc3_get_tip_certificate();
  const lookup = await verifiedWitness(agent, deployment.registry, certificate, witness);
  return { index: leb128(lookup(['last_block_index'])), hash: lookup(['last_block_hash']) };
}

test('should chain every block up to the certified tip, by the hash of another implementation', async () => {
  const { index, hash } = await tip();
  const supported = (await log.icrc3_supported_block_types()).map(({ block_type: type }) => type);
  let parent;
  for (const block of await blocksTo(index)) {
    assert.deepEqual(block.phash && Buffer.from(block.phash), parent);
    assert.ok(supported.includes(block.btype), block.btype);
    parent = Buffer.from(hashOfMap(block));
  }
  assert.deepEqual(parent, hash);
});

test('should notice a block in which anything was changed', async () => {
  const { index, hash } = await tip();
  const last = (await blocksTo(index)).at(-1);
  assert.deepEqual(Buffer.from(hashOfMap(last)), hash);
  for (const changed of [
    { ...last, ts: last.ts + 1n },
    { ...last, tx: { ...last.tx, actor: new Uint8Array(3) } },
    { ...last, phash: undefined },
  ]) {
    const fields = Object.fromEntries(Object.entries(changed).filter(([, field]) => field !== undefined));
    assert.notDeepEqual(Buffer.from(hashOfMap(fields)), hash);
  }
});

test('should say by which proposal the version was admitted', async () => {
  const { index } = await tip();
  const admission = (await blocksTo(index)).find(
    ({ btype, tx }) =>
      btype === 'stoa_changed_status' &&
      tx.to === 'admitted' &&
      Buffer.compare(Buffer.from(tx.version), deployment.version) === 0,
  );
  assert.ok(admission.tx.proposal_id > 0n);
});
