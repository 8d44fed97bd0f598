// A network that keeps its state, killed and started again, with stock @icp-sdk/core.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { Ed25519KeyIdentity } from '@icp-sdk/core/identity';

import { agentOf, number, probe, query, update } from './network.mjs';

const program = fileURLToPath(new URL('../../target/debug/stoa-localnet', import.meta.url));

/** The process and its endpoint, once it listens. */
async function start(folder) {
  const network = spawn(program, ['--listen', '127.0.0.1:0', '--state', folder], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const ended = once(network, 'exit').then(([code]) => {
    throw new Error(`the network ended with ${code}`);
  });
  const [line] = await Promise.race([once(createInterface({ input: network.stdout }), 'line'), ended]);
  assert.match(line, /^ready http/);
  return { network, host: line.slice('ready '.length) };
}

async function kill({ network }) {
  network.kill('SIGKILL');
  await once(network, 'exit');
}

test('should lose nothing that it acknowledged when it is killed', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'stoa-state-'));
  const identity = Ed25519KeyIdentity.generate();
  let running = await start(folder);
  try {
    let agent = await agentOf(identity, { host: running.host });
    const rootKey = agent.rootKey;
    const canister = await probe(agent);
    let acknowledged = 0n;
    for (const rounds of [3, 7, 1]) {
      await Promise.all(
        Array.from({ length: rounds }, async () => {
          await update(agent, canister, 'bump');
          acknowledged += 1n;
        }),
      );
      await kill(running);
      await assert.rejects(query(agent, canister, 'get'));
      running = await start(folder);
      agent = await agentOf(identity, { host: running.host });
      assert.deepEqual(agent.rootKey, rootKey);
      assert.equal(number(await query(agent, canister, 'get')), acknowledged);
    }
  } finally {
    running.network.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }
});
