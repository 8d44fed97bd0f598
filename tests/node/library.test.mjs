// A model out of the library as a web page would take it, with stock @icp-sdk/core: from a name over the certified
// digest and manifest to every byte, trusting nothing but the root key.

import assert from 'node:assert/strict';
import { before, test } from 'node:test';

import { verifiedWitness } from './certificates.mjs';
import { actor, connect, readDeployment } from './deployment.mjs';
import { manifestDigest, sha256 } from './hashing.mjs';
import * as interfaces from './interfaces.mjs';

let agent;
let deployment;
let registry;
let manifest;

before(async () => {
  deployment = readDeployment();
  agent = await connect();
  registry = actor(agent, deployment.registry, interfaces.registry);
  const { Ok: certified } = await registry.get_version_certified(deployment.version);
  ({ manifest } = certified);
  assert.deepEqual(manifestDigest(manifest), deployment.version);
});

async function resolved(name) {
  const { Ok: answer } = await registry.resolve_certified(name);
  const { certificate, witness } = answer;
  return { answer, lookup: await verifiedWitness(agent, deployment.registry, certificate, witness) };
}

test('should prove what a name means', async () => {
  const name = `${manifest.publisher}/${manifest.name}`;
  const { answer, lookup } = await resolved(name);
  assert.deepEqual(lookup(['alias', name]), deployment.version);
  assert.deepEqual(Buffer.from(answer.version[0]), deployment.version);
});

test('should prove that a name means nothing', async () => {
  const name = `${manifest.publisher}/nothing-is-called-so`;
  const { answer, lookup } = await resolved(name);
  assert.deepEqual(answer.version, []);
  assert.ok(lookup.isAbsent(['alias', name]));
});

test('should give every byte that the certified manifest names, from each shard that has it', async () => {
  const { Ok: info } = await registry.get_version(deployment.version);
  const shards = new Map(info.placement.map(({ hash, shards }) => [Buffer.from(hash).toString('hex'), shards]));
  for (const file of manifest.files) {
    const copies = shards.get(Buffer.from(file.chunks[0]).toString('hex')).length;
    for (let copy = 0; copy < copies; copy += 1) {
      const parts = [];
      for (const hash of file.chunks) {
        const shard = shards.get(Buffer.from(hash).toString('hex'))[copy];
        const { Ok: chunk } = await actor(agent, shard, interfaces.shard).get_chunk(hash);
        assert.deepEqual(sha256(chunk.data), Buffer.from(hash));
        parts.push(chunk.data);
      }
      const whole = Buffer.concat(parts);
      assert.equal(BigInt(whole.length), file.size_bytes);
      assert.deepEqual(sha256(whole), Buffer.from(file.sha256));
    }
  }
});
