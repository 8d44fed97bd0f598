// The network itself with stock @icp-sdk/core: who is let in and who is not, what is certified, what canisters can do.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { CanisterStatus, Cbor, Certificate } from '@icp-sdk/core/agent';
import { IDL } from '@icp-sdk/core/candid';
import {
  DelegationChain,
  DelegationIdentity,
  ECDSAKeyIdentity,
  Ed25519KeyIdentity,
} from '@icp-sdk/core/identity';
import { Secp256k1KeyIdentity } from '@icp-sdk/core/identity/secp256k1';
import { Principal } from '@icp-sdk/core/principal';

import { endpoint } from './deployment.mjs';
import {
  CanisterId,
  Settings,
  agentOf,
  answerOf,
  callOf,
  create,
  install,
  manage,
  number,
  probe,
  probeWasm,
  query,
  rejectedWith,
  update,
} from './network.mjs';

const MANAGEMENT = Principal.managementCanister();
const encoder = new TextEncoder();

let identity;
let agent;
let canister;

before(async () => {
  identity = Ed25519KeyIdentity.generate();
  agent = await agentOf(identity);
  canister = await probe(agent);
});

const bytesOf = (count) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(count);
  return bytes;
};

// Who is let in

test('should take signatures of every kind of key, and know whose they are', async () => {
  const identities = [
    identity,
    Secp256k1KeyIdentity.generate(),
    await ECDSAKeyIdentity.generate(),
  ];
  for (const signer of identities) {
    const caller = await update(await agentOf(signer), canister, 'caller');
    assert.deepEqual(caller, Buffer.from(signer.getPrincipal().toUint8Array()));
  }
  const anonymous = await update(await agentOf(undefined), canister, 'caller');
  assert.deepEqual(anonymous, Buffer.from([4]));
});

test('should take a delegation within its time and its targets, and no other', async () => {
  const session = Ed25519KeyIdentity.generate();
  const soon = new Date(Date.now() + 60_000);
  const delegated = async (expiration, targets) => {
    const chain = await DelegationChain.create(identity, session.getPublicKey(), expiration, { targets });
    return agentOf(DelegationIdentity.fromDelegation(session, chain));
  };
  for (const targets of [undefined, [canister]]) {
    const caller = await update(await delegated(soon, targets), canister, 'caller');
    assert.deepEqual(caller, Buffer.from(identity.getPrincipal().toUint8Array()));
  }
  const late = await delegated(new Date(Date.now() - 60_000));
  await assert.rejects(update(late, canister, 'bump'), /expired/i);
  const elsewhere = await delegated(soon, [Principal.fromText('aaaaa-aa')]);
  await assert.rejects(update(elsewhere, canister, 'bump'), /target/i);
});

/** Signs something else than what it is given. */
class Forger extends Ed25519KeyIdentity {
  async sign() {
    return super.sign(encoder.encode('something else'));
  }
}

/** Signs with a key that does not belong to the sender it names. */
class Pretender extends Ed25519KeyIdentity {
  getPrincipal() {
    return identity.getPrincipal();
  }
}

test('should refuse a bad signature and a wrong sender, in calls, queries and reads', async () => {
  for (const Liar of [Forger, Pretender]) {
    const key = Ed25519KeyIdentity.generate();
    const liar = new Liar(key.getKeyPair().publicKey, key.toJSON ? Buffer.from(key.toJSON()[1], 'hex') : undefined);
    const lying = await agentOf(liar);
    await assert.rejects(update(lying, canister, 'bump'), /400|signature|sender/i);
    await assert.rejects(query(lying, canister, 'get'), /400|signature|sender/i);
  }
});

/** A POST of CBOR, unsigned, as no agent sends it. */
async function post(path, content, mediaType = 'application/cbor') {
  const response = await fetch(`${endpoint}${path}`, {
    method: 'POST',
    headers: { 'Content-Type': mediaType },
    body: content,
  });
  return { status: response.status, text: await response.text() };
}

const inMinutes = (minutes) => BigInt(Date.now() + minutes * 60_000) * 1_000_000n;

const anonymousCall = (fields = {}) =>
  Cbor.encode({
    content: {
      request_type: 'call',
      sender: new Uint8Array([4]),
      canister_id: canister.toUint8Array(),
      method_name: 'bump',
      arg: new Uint8Array(),
      ingress_expiry: inMinutes(3),
      ...fields,
    },
  });

test('should refuse what has expired, what lies too far ahead, and what is no request', async () => {
  const path = `/api/v2/canister/${canister}/call`;
  for (const minutes of [-1, 60]) {
    const { status, text } = await post(path, anonymousCall({ ingress_expiry: inMinutes(minutes) }));
    assert.equal(status, 400);
    assert.match(text, /Invalid request expiry: /);
  }
  for (const content of [Buffer.from('nonsense'), Buffer.alloc(0), Cbor.encode({ content: 3 })]) {
    assert.equal((await post(path, content)).status, 400);
  }
  assert.equal((await post(path, anonymousCall(), 'text/plain')).status, 400);
  assert.equal((await post(path, anonymousCall({ request_type: 'query' }))).status, 400);
  assert.equal((await post(path, anonymousCall({ nonce: new Uint8Array(33) }))).status, 400);
  const elsewhere = `/api/v2/canister/${MANAGEMENT}/call`;
  assert.equal((await post(elsewhere, anonymousCall())).status, 400);
  assert.equal((await post(path, anonymousCall())).status, 202);
});

test('should refuse a message of more than two mebibytes', async () => {
  const path = `/api/v2/canister/${canister}/call`;
  const large = anonymousCall({ method_name: 'caller', arg: new Uint8Array(2 * 1024 * 1024) });
  assert.equal((await post(path, large)).status, 413);
  const fitting = anonymousCall({ method_name: 'caller', arg: new Uint8Array(2 * 1024 * 1024 - 1024) });
  assert.equal((await post(path, fitting)).status, 202);
});

test('should answer calls on every endpoint that there is', async () => {
  const get = Cbor.encode({
    content: {
      request_type: 'query',
      sender: new Uint8Array([4]),
      canister_id: canister.toUint8Array(),
      method_name: 'get',
      arg: new Uint8Array(),
      ingress_expiry: inMinutes(3),
    },
  });
  for (const [version, status] of [['v2', 202], ['v3', 200], ['v4', 200]]) {
    const call = await post(`/api/${version}/canister/${canister}/call`, anonymousCall({ nonce: Buffer.from(version) }));
    assert.equal(call.status, status, version);
  }
  for (const version of ['v2', 'v3']) {
    assert.equal((await post(`/api/${version}/canister/${canister}/query`, get)).status, 200, version);
  }
  assert.equal((await fetch(`${endpoint}/api/v2/status`)).status, 200);
  assert.equal((await fetch(`${endpoint}/api/v9/status`)).status, 404);
});

// What is certified

test('should refuse answers that were tampered with on their way', async () => {
  const tampering = (suffix) => async (url, options) => {
    const response = await fetch(url, options);
    if (!`${url}`.endsWith(suffix)) return response;
    const bytes = new Uint8Array(await response.arrayBuffer());
    // Somewhere in the middle of a signature or a hash.
    bytes[bytes.length - 20] ^= 1;
    return new Response(bytes, { status: response.status, headers: response.headers });
  };
  const calling = await agentOf(identity, { fetch: tampering('/call') });
  await assert.rejects(update(calling, canister, 'bump'));
  const querying = await agentOf(identity, { fetch: tampering('/query') });
  await assert.rejects(query(querying, canister, 'get'));
  const reading = await agentOf(identity, { fetch: tampering('/read_state') });
  await assert.rejects(reading.readState(canister, { paths: [[encoder.encode('time')]] }));
});

test('should not be trusted under another root key', async () => {
  const other = await agentOf(identity);
  const key = Uint8Array.from(agent.rootKey);
  key[key.length - 1] ^= 1;
  other.rootKey = key;
  await assert.rejects(update(other, canister, 'bump'));
});

test('should certify what is known of a canister, and that there is no more', async () => {
  const paths = ['time', 'controllers', 'module_hash', 'subnet'];
  const status = await CanisterStatus.request({ canisterId: canister, agent, paths });
  assert.ok(Math.abs(status.get('time').getTime() - Date.now()) < 60_000);
  assert.deepEqual(status.get('controllers').map(String), [`${identity.getPrincipal()}`]);
  assert.equal(status.get('module_hash').length, 64);
  assert.ok(status.get('subnet').nodeKeys.size >= 1);
  const nobody = await create(agent);
  const empty = await CanisterStatus.request({ canisterId: nobody, agent, paths: ['module_hash'] });
  assert.equal(empty.get('module_hash') ?? null, null);
});

test('should read a request only to who sent it', async () => {
  const { requestId } = await agent.call(canister, { methodName: 'bump', arg: new Uint8Array() });
  const paths = [[encoder.encode('request_status'), requestId]];
  await agent.readState(canister, { paths });
  const stranger = await agentOf(Ed25519KeyIdentity.generate());
  await assert.rejects(stranger.readState(canister, { paths }), /403|not signed by the caller/);
  const unknown = [[encoder.encode('request_status'), new Uint8Array(32).fill(9)]];
  const { certificate } = await agent.readState(canister, { paths: unknown });
  await Certificate.create({ certificate, rootKey: agent.rootKey, principal: { canisterId: canister } });
});

test('should give queries a certificate of what the canister certified', async () => {
  const data = Buffer.alloc(32, 7);
  await update(agent, canister, 'certify', data);
  const certificate = Uint8Array.from(await query(agent, canister, 'certificate'));
  const verified = await Certificate.create({
    certificate,
    rootKey: agent.rootKey,
    principal: { canisterId: canister },
  });
  const found = verified.lookup_path(['canister', canister.toUint8Array(), 'certified_data']);
  assert.deepEqual(Buffer.from(found.value), data);
  await rejectedWith('IC0504', update(agent, canister, 'certify', Buffer.alloc(33)));
});

// What canisters do

test('should keep what an update wrote, undo what trapped, and drop what a query wrote', async () => {
  const own = await probe(agent);
  assert.equal(number(await update(agent, own, 'bump')), 1n);
  assert.equal(number(await query(agent, own, 'bump_and_get')), 2n);
  await rejectedWith('IC0503', update(agent, own, 'trap'));
  await rejectedWith('IC0503', query(agent, own, 'trap_in_query'));
  assert.equal(number(await query(agent, own, 'get')), 1n);
});

test('should reject as canisters and the system reject', async () => {
  await rejectedWith('IC0406', update(agent, canister, 'reject'));
  await rejectedWith('IC0506', update(agent, canister, 'silent'));
  await rejectedWith('IC0536', update(agent, canister, 'no_such_method'));
  await rejectedWith('IC0536', query(agent, canister, 'no_such_method'));
  await rejectedWith('IC0406', update(agent, canister, 'closed_to_users'));
  await rejectedWith('IC0504', update(agent, canister, 'bytes', bytesOf(2 * 1024 * 1024 + 1)));
  assert.equal((await update(agent, canister, 'bytes', bytesOf(2 * 1024 * 1024))).length, 2 * 1024 * 1024);
  const nobody = Principal.fromText('lqy7q-dh777-77777-aaaaq-cai');
  await rejectedWith('IC0301', update(agent, nobody, 'bump'));
  await rejectedWith('IC0301', query(agent, nobody, 'get'));
  await rejectedWith('IC0537', query(agent, await create(agent), 'get'));
});

test('should stop a query that does not end', async () => {
  await rejectedWith('IC0522', query(agent, canister, 'spin'));
});

test('should carry calls, cycles and rejects between canisters', async () => {
  const other = await probe(agent);
  const call = async (method, name, cycles) => answerOf(await update(agent, canister, method, callOf(other, name, [], cycles)));
  assert.equal(number((await call('call', 'bump')).rest), 1n);
  assert.equal(number((await call('call_soon', 'bump')).rest), 2n);
  assert.equal(number((await call('call', 'accept', 1_000n)).rest), 300n);
  const rejected = await call('call', 'reject');
  assert.deepEqual([rejected.code, rejected.rest.toString()], [4, 'boom']);
  const trapped = await call('call', 'trap');
  assert.equal(trapped.code, 5);
  assert.match(trapped.rest.toString(), /^IC0503: /);
  assert.equal((await call('call', 'silent')).code, 5);
  // More than the canister has.
  await rejectedWith('IC0504', update(agent, canister, 'call', callOf(other, 'accept', [], 2n ** 60n)));
  const asked = answerOf(await query(agent, canister, 'ask', callOf(other, 'get')));
  assert.deepEqual([asked.code, number(asked.rest)], [0, 2n]);
  await rejectedWith('IC0527', update(agent, canister, 'ask', callOf(other, 'get')));
});

test('should run the cleanup of a callback that traps, and nothing else of it', async () => {
  const own = await probe(agent);
  await rejectedWith('IC0503', update(agent, own, 'call_and_trap', callOf(canister, 'bump')));
  assert.equal(number(await query(agent, own, 'get')), 1_000n);
});

test('should run a timer that is due', async () => {
  const own = await probe(agent);
  await update(agent, own, 'timer');
  while (number(await query(agent, own, 'get')) === 0n) await sleep(20);
  assert.equal(number(await query(agent, own, 'get')), 100n);
});

test('should give the management canister to canisters, and to users what is theirs', async () => {
  const random = answerOf(await update(agent, canister, 'call', callOf(MANAGEMENT, 'raw_rand', encoder.encode('DIDL\0\0'))));
  assert.equal(random.code, 0);
  assert.equal(IDL.decode([IDL.Vec(IDL.Nat8)], Uint8Array.from(random.rest))[0].length, 32);
  const refused = (methodName) =>
    agent.update(MANAGEMENT, { methodName, arg: encoder.encode('DIDL\0\0'), effectiveCanisterId: canister });
  await rejectedWith('IC0406', refused('raw_rand'));
  await rejectedWith('IC0536', refused('no_such_method'));
});

// What developers do

test('should create a canister at the id that is asked for, once', async () => {
  const id = Principal.fromUint8Array(new Uint8Array([0, 0, 0, 0, 0, 16, ...crypto.getRandomValues(new Uint8Array(2)), 1, 1]));
  assert.deepEqual((await create(agent, [id])).toText(), id.toText());
  await rejectedWith('IC0538', create(agent, [id]));
});

test('should install, upgrade and reinstall, and refuse what is no module', async () => {
  const own = await create(agent);
  await install(agent, own, 'install', probeWasm, [1, 2, 3]);
  assert.equal(number(await query(agent, own, 'get')), 3n);
  await rejectedWith('IC0514', install(agent, own));
  await update(agent, own, 'keep', Buffer.from('remember'));
  await install(agent, own, 'upgrade');
  assert.equal((await query(agent, own, 'kept')).toString(), 'remember');
  assert.equal(number(await query(agent, own, 'get')), 0n);
  await install(agent, own, 'reinstall');
  await rejectedWith('IC0502', query(agent, own, 'kept'));
  for (const wasm of [Buffer.from('nonsense'), probeWasm.subarray(0, 200), Buffer.alloc(0)]) {
    await rejectedWith('IC0505', install(agent, own, 'upgrade', wasm));
  }
  const stranger = await agentOf(Ed25519KeyIdentity.generate());
  await rejectedWith('IC0512', install(stranger, own, 'upgrade'));
});

const ChunkHash = IDL.Record({ hash: IDL.Vec(IDL.Nat8) });
const Upload = IDL.Record({ canister_id: IDL.Principal, chunk: IDL.Vec(IDL.Nat8) });
const InstallChunked = IDL.Record({
  mode: IDL.Variant({ install: IDL.Null }),
  target_canister: IDL.Principal,
  store_canister: IDL.Opt(IDL.Principal),
  chunk_hashes_list: IDL.Vec(ChunkHash),
  wasm_module_hash: IDL.Vec(IDL.Nat8),
  arg: IDL.Vec(IDL.Nat8),
});

test('should install a module from chunks', async () => {
  const own = await create(agent);
  const hashes = [];
  for (const chunk of [probeWasm.subarray(0, 700), probeWasm.subarray(700)]) {
    hashes.push(await manage(agent, own, 'upload_chunk', Upload, { canister_id: own, chunk }, ChunkHash));
  }
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', probeWasm));
  const value = (hash) => ({
    mode: { install: null },
    target_canister: own,
    store_canister: [],
    chunk_hashes_list: hashes,
    wasm_module_hash: hash,
    arg: [],
  });
  await rejectedWith('IC0504', manage(agent, own, 'install_chunked_code', InstallChunked, value(new Uint8Array(32))));
  await manage(agent, own, 'install_chunked_code', InstallChunked, value(digest));
  assert.equal(number(await update(agent, own, 'bump')), 1n);
});

const Snapshot = IDL.Record({ id: IDL.Vec(IDL.Nat8), total_size: IDL.Nat64 });
const OfSnapshot = IDL.Record({ canister_id: IDL.Principal, snapshot_id: IDL.Vec(IDL.Nat8) });

test('should return to a snapshot, and forget one', async () => {
  const own = await probe(agent);
  await update(agent, own, 'bump');
  const of = (snapshot) => ({ canister_id: own, snapshot_id: snapshot.id });
  const taken = await manage(agent, own, 'take_canister_snapshot', CanisterId, { canister_id: own }, Snapshot);
  await update(agent, own, 'bump');
  await manage(agent, own, 'load_canister_snapshot', OfSnapshot, of(taken));
  assert.equal(number(await query(agent, own, 'get')), 1n);
  const list = () => manage(agent, own, 'list_canister_snapshots', CanisterId, { canister_id: own }, IDL.Vec(Snapshot));
  assert.equal((await list()).length, 1);
  await manage(agent, own, 'delete_canister_snapshot', OfSnapshot, of(taken));
  assert.equal((await list()).length, 0);
  await rejectedWith('IC0305', manage(agent, own, 'load_canister_snapshot', OfSnapshot, of(taken)));
});

const UpdateSettings = IDL.Record({ canister_id: IDL.Principal, settings: Settings });
const Records = IDL.Record({ canister_log_records: IDL.Vec(IDL.Record({ content: IDL.Vec(IDL.Nat8) })) });

test('should show environment variables to the canister and its logs to its controllers', async () => {
  const own = await probe(agent);
  const settings = {
    controllers: [],
    freezing_threshold: [],
    environment_variables: [[{ name: 'COLOUR', value: 'green' }]],
  };
  await manage(agent, own, 'update_settings', UpdateSettings, { canister_id: own, settings });
  assert.equal((await query(agent, own, 'variable', encoder.encode('COLOUR'))).toString(), 'green');
  await rejectedWith('IC0504', query(agent, own, 'variable', encoder.encode('SOUND')));
  await update(agent, own, 'print', encoder.encode('was here'));
  await rejectedWith('IC0503', update(agent, own, 'trap'));
  const logs = async (reader) => {
    const answer = await reader.query(MANAGEMENT, {
      methodName: 'fetch_canister_logs',
      arg: IDL.encode([CanisterId], [{ canister_id: own }]),
      effectiveCanisterId: own,
    });
    if (answer.status !== 'replied') throw Object.assign(new Error(), { rejectErrorCode: answer.error_code });
    const { canister_log_records: records } = IDL.decode([Records], answer.reply.arg)[0];
    return records.map(({ content }) => Buffer.from(content).toString());
  };
  assert.deepEqual(await logs(agent), ['was here', '[TRAP]: boom']);
  await rejectedWith('IC0406', logs(await agentOf(Ed25519KeyIdentity.generate())));
});

test('should stop, freeze, start and delete a canister', async () => {
  const own = await probe(agent);
  const order = (method) => manage(agent, own, method, CanisterId, { canister_id: own });
  await rejectedWith('IC0510', order('delete_canister'));
  await order('stop_canister');
  await rejectedWith('IC0508', update(agent, own, 'bump'));
  await rejectedWith('IC0508', query(agent, own, 'get'));
  await order('start_canister');
  const freezeAt = (seconds) => {
    const settings = { controllers: [], environment_variables: [], freezing_threshold: [seconds] };
    return manage(agent, own, 'update_settings', UpdateSettings, { canister_id: own, settings });
  };
  await freezeAt(10n ** 15n);
  await rejectedWith('IC0207', update(agent, own, 'bump'));
  await rejectedWith('IC0207', query(agent, own, 'get'));
  // It cannot pay for this either; thawing it costs nothing that it must have.
  await rejectedWith('IC0207', order('stop_canister'));
  await freezeAt(60n);
  await order('stop_canister');
  await order('delete_canister');
  await rejectedWith('IC0301', query(agent, own, 'get'));
});

const HttpArgument = IDL.Record({
  url: IDL.Text,
  max_response_bytes: IDL.Opt(IDL.Nat64),
  method: IDL.Variant({ get: IDL.Null }),
  headers: IDL.Vec(IDL.Record({ name: IDL.Text, value: IDL.Text })),
  body: IDL.Opt(IDL.Vec(IDL.Nat8)),
});
const HttpAnswer = IDL.Record({ status: IDL.Nat, body: IDL.Vec(IDL.Nat8) });

test('should make an HTTP request for a canister, and refuse one that is too large or has no address', async () => {
  const server = createServer((_, response) => response.end('from outside'));
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
  try {
    const ask = async (url, maxResponseBytes = []) => {
      const value = { url, max_response_bytes: maxResponseBytes, method: { get: null }, headers: [], body: [] };
      const argument = IDL.encode([HttpArgument], [value]);
      const call = callOf(MANAGEMENT, 'http_request', argument, 100_000_000_000n);
      return answerOf(await update(agent, canister, 'call', call));
    };
    const url = `http://127.0.0.1:${server.address().port}/`;
    const { code, rest } = await ask(url);
    assert.equal(code, 0, rest.toString());
    const { status, body } = IDL.decode([HttpAnswer], Uint8Array.from(rest))[0];
    assert.deepEqual([status, Buffer.from(body).toString()], [200n, 'from outside']);
    assert.equal((await ask(url, [5n])).code, 1);
    assert.equal((await ask('no address')).code, 4);
    assert.equal((await ask('http://example.com/')).code, 4);
  } finally {
    server.close();
  }
});
