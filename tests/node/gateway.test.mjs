// Pages of canisters as a program fetches them: from the network's HTTP gateway, which verifies them.

import assert from 'node:assert/strict';
import { request } from 'node:http';
import { before, test } from 'node:test';

import { Ed25519KeyIdentity } from '@icp-sdk/core/identity';

import { endpoint, readDeployment } from './deployment.mjs';
import { agentOf, create, probe } from './network.mjs';

const { frontend } = readDeployment();
assert.ok(frontend, 'the deployment has no frontend, whose pages are asked for here: deploy it with one');
const { hostname, port, host: itself } = new URL(endpoint);

/** Node resolves no names below `localhost`, as browsers do: the name stands in the header alone. */
function get(host, path, headers = {}) {
  return new Promise((resolve, reject) => {
    const asked = request({ hostname, port, path, headers: { host, ...headers } }, async (response) => {
      const pieces = [];
      for await (const piece of response) pieces.push(piece);
      resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(pieces) });
    });
    asked.on('error', reject).end();
  });
}

let agent;
before(async () => {
  agent = await agentOf(Ed25519KeyIdentity.generate());
});

test('should serve the same verified page by host and by query, and every route of it', async () => {
  const byHost = await get(`${frontend}.localhost:${port}`, '/');
  assert.equal(byHost.status, 200);
  assert.match(byHost.headers['content-type'], /^text\/html/);
  assert.match(byHost.body.toString(), /<title>|<!doctype html>/i);
  const byQuery = await get(itself, `/?canisterId=${frontend}`);
  assert.equal(byQuery.status, 200);
  assert.deepEqual(byQuery.body, byHost.body);
  const route = await get(`${frontend}.localhost:${port}`, '/models');
  assert.equal(route.status, 200);
  assert.deepEqual(route.body, byHost.body);
  const fetched = await fetch(`${endpoint}/?canisterId=${frontend}`);
  assert.deepEqual(Buffer.from(await fetched.arrayBuffer()), byHost.body);
});

test('should say which page or canister is not there', async () => {
  const missing = await get(`${frontend}.localhost:${port}`, '/_app/immutable/no-such-file.js');
  assert.equal(missing.status, 404);
  const empty = await create(agent);
  for (const path of ['/', '/index.html']) {
    const { status } = await get(`${empty}.localhost:${port}`, path);
    assert.ok(status >= 400, `${path}: ${status}`);
  }
});

test('should refuse the pages of a canister that has none to prove', async () => {
  const { status, body } = await get(`${await probe(agent)}.localhost:${port}`, '/');
  assert.ok(status >= 500, `${status}: ${body}`);
});
