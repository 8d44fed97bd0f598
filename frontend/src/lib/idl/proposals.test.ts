/** Every kind of proposal that the canisters' interfaces know can be filled in and is encoded as they decode it. */
import { IDL } from '@icp-sdk/core/candid';
import { describe, expect, it } from 'vitest';
import { argumentType, argumentTypes, methods, type KnownCanister } from '$lib/api/interfaces';
import { emptyDraft, fieldsOf, innerOf, isBlob, resolve, valueOf, type Draft } from './form';

/** Something in every field; of a choice the one that is asked for where it has it. */
function filled(type: IDL.Type, tag?: string, depth = 0): Draft {
  const resolved = resolve(type);
  if (isBlob(resolved)) return { kind: 'blob', text: '00ff10', file: undefined };
  if (resolved instanceof IDL.OptClass) {
    return depth > 8 ? emptyDraft(type) : { kind: 'opt', present: true, inner: filled(innerOf(type), tag, depth + 1) };
  }
  if (resolved instanceof IDL.VecClass) return { kind: 'vec', items: depth > 8 ? [] : [filled(innerOf(type), tag, depth + 1)] };
  if (resolved instanceof IDL.RecordClass) {
    return { kind: 'record', fields: Object.fromEntries(fieldsOf(type).map(([name, inner]) => [name, filled(inner, tag, depth + 1)])) };
  }
  if (resolved instanceof IDL.VariantClass) {
    const fields = fieldsOf(type);
    const chosen = fields.find(([name]) => name === tag) ?? fields[0];
    if (chosen === undefined) throw new Error('a choice of nothing');
    return { kind: 'variant', tag: chosen[0], inner: filled(chosen[1], tag, depth + 1) };
  }
  const empty = emptyDraft(type);
  if (empty.kind === 'number') return { kind: 'number', text: '7' };
  if (empty.kind === 'text') return { kind: 'text', text: 'a text' };
  if (empty.kind === 'principal') return { kind: 'principal', text: 'ryjl3-tyaaa-aaaaa-aaaba-cai' };
  if (empty.kind === 'bool') return { kind: 'bool', checked: true };
  return empty;
}

function comesBack(type: IDL.Type, tag?: string): void {
  const value = valueOf(type, filled(type, tag));
  const [decoded] = IDL.decode([type], IDL.encode([type], [value]));
  expect(IDL.encode([type], [decoded])).toEqual(IDL.encode([type], [value]));
}

const field = (type: IDL.Type, name: string): IDL.Type => {
  const found = fieldsOf(type).find(([each]) => each === name);
  if (found === undefined) throw new Error(`no ${name}`);
  return found[1];
};
const command = innerOf(field(argumentType('governance', 'manage_neuron'), 'command'));
const action = innerOf(field(field(command, 'MakeProposal'), 'action'));

describe('a form of a proposal', () => {
  const kinds = fieldsOf(action).map(([name]) => name);

  it.each(kinds)('should make %s', (kind) => {
    comesBack(action, kind);
  });

  // A function of the DAO is a method with one beside it that checks its argument.
  const functions = (['governance', 'registry', 'inference'] as KnownCanister[]).flatMap((canister) =>
    methods(canister)
      .filter((name) => name.startsWith('validate_'))
      .map((name) => [canister, name.slice('validate_'.length)] as const),
  );

  it.each(functions)('should make the argument of %s.%s, and of what checks it', (canister, method) => {
    const types = argumentTypes(canister, method);
    const checked = argumentTypes(canister, `validate_${method}`);
    if (types === undefined || checked === undefined) throw new Error(`${canister} has no ${method}`);
    expect(types.map((type) => type.display())).toEqual(checked.map((type) => type.display()));
    for (const type of types) comesBack(type);
  });

  it('should know as many kinds and functions as there are', () => {
    expect(kinds).toContain('TransferSnsTreasuryFunds');
    expect(kinds.length).toBe(11);
    expect(functions.length).toBeGreaterThan(20);
  });
});
