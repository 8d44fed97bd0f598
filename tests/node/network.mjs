// A canister of the tests' own on the network, made and called by a stock agent.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

import { HttpAgent } from '@icp-sdk/core/agent';
import { IDL } from '@icp-sdk/core/candid';
import { Principal } from '@icp-sdk/core/principal';

import { endpoint } from './deployment.mjs';

const MANAGEMENT = Principal.managementCanister();
/** Any canister of the network will do to route the creation of one. */
const ANYWHERE = Principal.fromText('lqy7q-dh777-77777-aaaaq-cai');

export const probeWasm = readFileSync(new URL('probe.wasm', import.meta.url));

/** An agent with its verification as it is by default. */
export function agentOf(identity, options = {}) {
  return HttpAgent.create({ host: endpoint, identity, shouldFetchRootKey: true, retryTimes: 0, ...options });
}

export const Settings = IDL.Record({
  controllers: IDL.Opt(IDL.Vec(IDL.Principal)),
  environment_variables: IDL.Opt(IDL.Vec(IDL.Record({ name: IDL.Text, value: IDL.Text }))),
  freezing_threshold: IDL.Opt(IDL.Nat),
});
const Creation = IDL.Record({ amount: IDL.Opt(IDL.Nat), specified_id: IDL.Opt(IDL.Principal) });
export const CanisterId = IDL.Record({ canister_id: IDL.Principal });
const Mode = IDL.Variant({ install: IDL.Null, reinstall: IDL.Null, upgrade: IDL.Null });
const Install = IDL.Record({
  mode: Mode,
  canister_id: IDL.Principal,
  wasm_module: IDL.Vec(IDL.Nat8),
  arg: IDL.Vec(IDL.Nat8),
});

/** Calls the management canister about a canister; decodes what it answers. */
export async function manage(agent, canister, methodName, type, value, answer) {
  const { reply } = await agent.update(MANAGEMENT, {
    methodName,
    arg: IDL.encode([type], [value]),
    effectiveCanisterId: canister,
  });
  if (answer) return IDL.decode([answer], reply)[0];
  assert.deepEqual(Buffer.from(reply), Buffer.from('DIDL\0\0'));
  return undefined;
}

export async function create(agent, specifiedId = []) {
  const value = { amount: [100_000_000_000_000n], specified_id: specifiedId };
  const route = specifiedId[0] ?? ANYWHERE;
  const made = await manage(agent, route, 'provisional_create_canister_with_cycles', Creation, value, CanisterId);
  return made.canister_id;
}

export async function install(agent, canister, mode = 'install', wasm = probeWasm, arg = []) {
  const value = { mode: { [mode]: null }, canister_id: canister, wasm_module: wasm, arg };
  await manage(agent, canister, 'install_code', Install, value);
}

/** A canister that runs `probe.wat`. */
export async function probe(agent) {
  const canister = await create(agent);
  await install(agent, canister);
  return canister;
}

export async function update(agent, canister, methodName, arg = new Uint8Array()) {
  const { reply } = await agent.update(canister, { methodName, arg });
  return Buffer.from(reply);
}

/** The reply; throws an `Error` with the reject's `rejectCode` and `errorCode` where there is none. */
export async function query(agent, canister, methodName, arg = new Uint8Array()) {
  const answer = await agent.query(canister, { methodName, arg });
  if (answer.status === 'replied') return Buffer.from(answer.reply.arg);
  const error = new Error(answer.reject_message);
  error.rejectCode = answer.reject_code;
  error.rejectErrorCode = answer.error_code;
  throw error;
}

/** A little-endian number of eight bytes. */
export const number = (bytes, at = 0) => bytes.readBigUInt64LE(at);

/** The argument of the probe's `call` and its kin. */
export function callOf(canister, method, argument = new Uint8Array(), cycles = 0n) {
  const id = Buffer.from(canister.toUint8Array());
  const name = Buffer.from(method);
  const amount = Buffer.alloc(8);
  amount.writeBigUInt64LE(cycles);
  return Buffer.concat([Buffer.from([id.length]), id, Buffer.from([name.length]), name, amount, Buffer.from(argument)]);
}

/** What the probe answers to a call that it made. */
export function answerOf(reply) {
  return { code: Number(number(reply)), rest: reply.subarray(8) };
}

/** The IC's error code of a reject, wherever the agent keeps it. */
export function errorCodeOf(error) {
  return error.rejectErrorCode ?? error.code?.rejectErrorCode;
}

export async function rejectedWith(code, call) {
  await assert.rejects(call, (error) => {
    assert.equal(errorCodeOf(error), code, `${error}`);
    return true;
  });
}
