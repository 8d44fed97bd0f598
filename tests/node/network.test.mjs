// The network itself with stock @icp-sdk/core: who is let in and who is not, what is certified, what canisters can do.

import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { createServer } from 'node:http';
import { before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { CanisterStatus, Cbor, Certificate, SignIdentity } from '@icp-sdk/core/agent';
import { IDL } from '@icp-sdk/core/candid';
import {
  DelegationChain,
  DelegationIdentity,
  ECDSAKeyIdentity,
  Ed25519KeyIdentity,
} from '@icp-sdk/core/identity';
import { Secp256k1KeyIdentity } from '@icp-sdk/core/identity/secp256k1';
import { Principal } from '@icp-sdk/core/principal';

import { endpoint, fundedIdentity } from './deployment.mjs';
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

const sha256 = (...parts) => createHash('sha256').update(Buffer.concat(parts.map((part) => Buffer.from(part)))).digest();

/** A key in DER as the network wraps those that it alone knows: 1 for WebAuthn, 2 for canisters. */
function wrapped(kind, key) {
  const element = (tag, content) => {
    const length = content.length < 128 ? [content.length] : [0x81, content.length];
    return Buffer.concat([Buffer.from([tag, ...length]), content]);
  };
  const algorithm = Buffer.from('300c060a2b0601040183b84301', 'hex');
  const bits = element(3, Buffer.concat([Buffer.from([0]), key]));
  return element(0x30, Buffer.concat([algorithm, Buffer.from([kind]), bits]));
}

/** An identity that signs as its function does. */
class Signing extends SignIdentity {
  constructor(key, signing) {
    super();
    this.key = key;
    this.signing = signing;
  }

  getPublicKey() {
    return { toDer: () => this.key };
  }

  async sign(message) {
    return this.signing(Buffer.from(message));
  }
}

/** A signature as a browser gives one for this challenge. */
function webAuthn() {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { x, y } = publicKey.export({ format: 'jwk' });
  const coordinates = [x, y].map((coordinate) => Buffer.from(coordinate, 'base64url'));
  const cose = Buffer.concat([
    Buffer.from('a5010203262001215820', 'hex'),
    coordinates[0],
    Buffer.from('225820', 'hex'),
    coordinates[1],
  ]);
  const signing = (message) => {
    const challenge = message.toString('base64url');
    const clientData = JSON.stringify({ type: 'webauthn.get', challenge, origin: 'https://example.org' });
    const authenticatorData = Buffer.alloc(37, 7);
    const signature = sign('sha256', Buffer.concat([authenticatorData, sha256(clientData)]), privateKey);
    return Cbor.encode({
      authenticator_data: new Uint8Array(authenticatorData),
      client_data_json: clientData,
      signature: new Uint8Array(signature),
    });
  };
  return [wrapped(1, cose), signing];
}

/** A signature that is what a canister certified. */
async function canisterSignature() {
  const signer = await probe(agent);
  const id = Buffer.from(signer.toUint8Array());
  const seed = Buffer.from('seed');
  const labeled = (label, tree) => sha256('\x13ic-hashtree-labeled', label, tree);
  const signing = async (message) => {
    const leaf = sha256('\x10ic-hashtree-leaf');
    const root = labeled('sig', labeled(sha256(seed), labeled(sha256(message), leaf)));
    await update(agent, signer, 'certify', root);
    const certificate = new Uint8Array(await query(agent, signer, 'certificate'));
    const tree = [2, encoder.encode('sig'), [2, new Uint8Array(sha256(seed)), [2, new Uint8Array(sha256(message)), [3, new Uint8Array()]]]];
    return Cbor.encode({ certificate, tree });
  };
  return [wrapped(2, Buffer.concat([Buffer.from([id.length]), id, seed])), signing];
}

test('should take WebAuthn and canister signatures, and none of other words', async () => {
  for (const [key, signing] of [webAuthn(), await canisterSignature()]) {
    const signer = new Signing(key, signing);
    const honest = await agentOf(signer);
    assert.deepEqual(await update(honest, canister, 'caller'), Buffer.from(signer.getPrincipal().toUint8Array()));
    await query(honest, canister, 'get');
    const forger = await agentOf(new Signing(key, () => signing(Buffer.from('other words'))));
    await assert.rejects(update(forger, canister, 'bump'), /400|signature/i);
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

test('should run heartbeats, and the hook of low memory once memory is low', async () => {
  const beating = await probe(agent);
  await update(agent, beating, 'beat');
  while (number(await query(agent, beating, 'get')) < 20_000n) await sleep(20);
  const filling = await create(agent);
  const limits = { wasm_memory_limit: [10n << 20n], wasm_memory_threshold: [9n << 20n] };
  await manage(agent, filling, 'update_settings', UpdateLimits, { canister_id: filling, settings: limits });
  await install(agent, filling);
  assert.equal(number(await query(agent, filling, 'get')), 0n);
  assert.equal(number(await update(agent, filling, 'grow', bytesOf(40))), 2n);
  while (number(await query(agent, filling, 'get')) === 0n) await sleep(20);
  assert.equal(number(await query(agent, filling, 'get')), 50n);
  const tight = { wasm_memory_limit: [2n << 20n], wasm_memory_threshold: [] };
  await manage(agent, filling, 'update_settings', UpdateLimits, { canister_id: filling, settings: tight });
  await rejectedWith('IC0539', update(agent, filling, 'bump'));
});

test('should burn cycles, and let nobody mint them', async () => {
  const amount = Buffer.alloc(16);
  amount.writeUInt32LE(1000);
  assert.deepEqual(await update(agent, canister, 'burn'), amount);
  await rejectedWith('IC0504', update(agent, canister, 'mint'));
});

test('should give the management canister to canisters, and to users what is theirs', async () => {
  const random = answerOf(await update(agent, canister, 'call', callOf(MANAGEMENT, 'raw_rand', encoder.encode('DIDL\0\0'))));
  assert.equal(random.code, 0);
  assert.equal(IDL.decode([IDL.Vec(IDL.Nat8)], Uint8Array.from(random.rest))[0].length, 32);
  const refused = (methodName) =>
    agent.update(MANAGEMENT, { methodName, arg: encoder.encode('DIDL\0\0'), effectiveCanisterId: canister });
  await rejectedWith('IC0406', refused('raw_rand'));
  await rejectedWith('IC0536', refused('no_such_method'));
  const methodName = 'list_canisters';
  const arg = encoder.encode('DIDL\0\0');
  const listed = await agent.query(MANAGEMENT, { methodName, arg, effectiveCanisterId: canister });
  assert.deepEqual([listed.status, listed.error_code], ['rejected', 'IC0406']);
});

test('should refuse arguments that are no Candid, or of another type', async () => {
  for (const arg of [encoder.encode('nonsense'), encoder.encode('DIDL\0\0'), encoder.encode('DIDL\x01\x6c')]) {
    const refused = agent.update(MANAGEMENT, { methodName: 'canister_status', arg, effectiveCanisterId: canister });
    await rejectedWith('IC0408', refused);
  }
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
  // An upgrade that fails changes nothing.
  await install(agent, own, 'upgrade', probeWasm, [1, 2]);
  await update(agent, own, 'bump');
  await update(agent, own, 'fail_upgrade');
  await rejectedWith('IC0503', install(agent, own, 'upgrade'));
  assert.equal(number(await query(agent, own, 'get')), 1n);
  assert.equal(number(await query(agent, own, 'upgraded')), 2n);
  await install(agent, own, 'reinstall');
  await rejectedWith('IC0502', query(agent, own, 'kept'));
  for (const wasm of [Buffer.from('nonsense'), probeWasm.subarray(0, 200), Buffer.alloc(0)]) {
    await rejectedWith('IC0505', install(agent, own, 'upgrade', wasm));
  }
  const stranger = await agentOf(Ed25519KeyIdentity.generate());
  await rejectedWith('IC0512', install(stranger, own, 'upgrade'));
});

/** A module of sections: their ids and contents, in which text stands for its bytes. */
const moduleOf = (...sections) => {
  const encoded = sections.map(([id, ...parts]) => {
    const content = Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : Buffer.from([part]))));
    return Buffer.concat([Buffer.from([id, content.length]), content]);
  });
  return Buffer.concat([Buffer.from('0061736d01000000', 'hex'), ...encoded]);
};

test('should refuse modules that a network would not run', async () => {
  const own = await create(agent);
  const oneType = [1, 1, 0x60, 0, 0];
  const imports = (module, name) => [2, 1, module.length, module, name.length, name, 0, 0];
  const oneFunction = (name) => [
    oneType,
    [3, 1, 0],
    [7, 1, name.length, name, 0, 0],
    [10, 1, 2, 0, 0x0b],
  ];
  const refused = [
    moduleOf(oneType, imports('env', 'f')),
    moduleOf(oneType, imports('ic0', 'no_such_function')),
    moduleOf(oneType, imports('ic0', 'time')),
    moduleOf(...oneFunction('canister_no_such_entry')),
    moduleOf([5, 2, 0, 1, 0, 1]),
  ];
  for (const wasm of refused) await rejectedWith('IC0505', install(agent, own, 'install', wasm));
  await install(agent, own, 'install', moduleOf(...oneFunction('canister_query a')));
  await rejectedWith('IC0506', query(agent, own, 'a'));
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

const UpdateLimits = IDL.Record({
  canister_id: IDL.Principal,
  settings: IDL.Record({ wasm_memory_limit: IDL.Opt(IDL.Nat), wasm_memory_threshold: IDL.Opt(IDL.Nat) }),
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

const Headers = IDL.Vec(IDL.Record({ name: IDL.Text, value: IDL.Text }));
const HttpAnswer = IDL.Record({ status: IDL.Nat, headers: Headers, body: IDL.Vec(IDL.Nat8) });
const TransformArgument = IDL.Record({ response: HttpAnswer, context: IDL.Vec(IDL.Nat8) });
const HttpArgument = IDL.Record({
  url: IDL.Text,
  max_response_bytes: IDL.Opt(IDL.Nat64),
  method: IDL.Variant({ get: IDL.Null }),
  headers: Headers,
  body: IDL.Opt(IDL.Vec(IDL.Nat8)),
  transform: IDL.Opt(
    IDL.Record({ function: IDL.Func([TransformArgument], [HttpAnswer], ['query']), context: IDL.Vec(IDL.Nat8) }),
  ),
});

test('should make an HTTP request for a canister, and refuse one that is too large or has no address', async () => {
  const server = createServer((_, response) => response.end('from outside'));
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
  try {
    const ask = async (url, maxResponseBytes = [], by = []) => {
      const transform = by.map((method) => ({ function: [canister, method], context: [] }));
      const value = { url, max_response_bytes: maxResponseBytes, method: { get: null }, headers: [], body: [], transform };
      const argument = IDL.encode([HttpArgument], [value]);
      const call = callOf(MANAGEMENT, 'http_request', argument, 100_000_000_000n);
      return answerOf(await update(agent, canister, 'call', call));
    };
    const url = `http://127.0.0.1:${server.address().port}/`;
    const { code, rest } = await ask(url);
    assert.equal(code, 0, rest.toString());
    const { status, body } = IDL.decode([HttpAnswer], Uint8Array.from(rest))[0];
    assert.deepEqual([status, Buffer.from(body).toString()], [200n, 'from outside']);
    const transformed = IDL.decode([HttpAnswer], Uint8Array.from((await ask(url, [], ['transform'])).rest))[0];
    assert.deepEqual([transformed.status, Buffer.from(transformed.body).toString()], [203n, 'transformed']);
    assert.equal((await ask(url, [], ['trap_in_query'])).code, 5);
    assert.equal((await ask(url, [5n])).code, 1);
    assert.equal((await ask('no address')).code, 4);
    assert.equal((await ask('http://example.com/')).code, 4);
  } finally {
    server.close();
  }
});

// What icp-cli and browsers do

const Subnets = IDL.Vec(IDL.Principal);
const Creation = IDL.Record({
  amount: IDL.Nat,
  creation_args: IDL.Opt(
    IDL.Record({ subnet_selection: IDL.Opt(IDL.Variant({ Subnet: IDL.Record({ subnet: IDL.Principal }) })) }),
  ),
});
const Created = IDL.Variant({
  Ok: IDL.Record({ block_id: IDL.Nat, canister_id: IDL.Principal }),
  Err: IDL.Variant({ InsufficientFunds: IDL.Record({ balance: IDL.Nat }) }),
});

test('should tell icp-cli its subnet, and create canisters from the cycles ledger for who has cycles', async () => {
  const minting = Principal.fromText('rkp4c-7iaaa-aaaaa-aaaca-cai');
  const subnets = await query(agent, minting, 'get_default_subnets', encoder.encode('DIDL\0\0'));
  const [subnet] = IDL.decode([Subnets], new Uint8Array(subnets))[0];
  const ledger = Principal.fromText('um5iw-rqaaa-aaaaq-qaaba-cai');
  const created = async (who) => {
    const value = { amount: 2_000_000_000_000n, creation_args: [{ subnet_selection: [{ Subnet: { subnet } }] }] };
    const reply = await update(await agentOf(who), ledger, 'create_canister', IDL.encode([Creation], [value]));
    return IDL.decode([Created], new Uint8Array(reply))[0];
  };
  assert.deepEqual(await created(Ed25519KeyIdentity.generate()), { Err: { InsufficientFunds: { balance: 0n } } });
  const owner = fundedIdentity();
  const { canister_id: made } = (await created(owner)).Ok;
  const status = await CanisterStatus.request({ canisterId: made, agent, paths: ['controllers'] });
  assert.deepEqual(status.get('controllers').map(String), [`${owner.getPrincipal()}`]);
});

test('should say what it is and what it leaves out, and serve pages that are certified alone', async () => {
  const banner = await (await fetch(endpoint)).text();
  for (const left of ['consensus', 'threshold keys', 'Bitcoin', 'rate limits']) assert.ok(banner.includes(left), left);
  // The probe has no pages.
  const page = await fetch(`${endpoint}/?canisterId=${canister}`);
  assert.ok(page.status >= 500, `${page.status}`);
});
