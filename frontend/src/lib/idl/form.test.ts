import { IDL } from '@icp-sdk/core/candid';
import { Principal } from '@icp-sdk/core/principal';
import { describe, expect, it } from 'vitest';
import { draftOf, emptyDraft, valueOf, type Draft } from './form';

const TYPE = IDL.Record({
  name: IDL.Text,
  small: IDL.Nat8,
  big: IDL.Nat64,
  any: IDL.Nat,
  signed: IDL.Int32,
  who: IDL.Principal,
  bytes: IDL.Vec(IDL.Nat8),
  maybe: IDL.Opt(IDL.Text),
  list: IDL.Vec(IDL.Nat64),
  choice: IDL.Variant({ A: IDL.Null, B: IDL.Record({ x: IDL.Float64 }) }),
  flag: IDL.Bool,
  pair: IDL.Tuple(IDL.Nat64, IDL.Text),
});
const VALUE = {
  name: 'n', small: 255, big: 2n ** 63n, any: 10n ** 30n, signed: -5, who: Principal.fromText('ryjl3-tyaaa-aaaaa-aaaba-cai'),
  bytes: Uint8Array.of(1, 2), maybe: ['m'], list: [1n, 2n], choice: { B: { x: 0.5 } }, flag: true, pair: [7n, 'seven'],
};

describe('a form from a Candid type', () => {
  it('should give back the value that it was made from, as Candid takes it', () => {
    const value = valueOf(TYPE, draftOf(TYPE, VALUE));
    expect(value).toEqual(VALUE);
    expect(IDL.encode([TYPE], [value])).toEqual(IDL.encode([TYPE], [VALUE]));
  });

  it('should begin with the first choice, nothing optional and no items', () => {
    const draft = emptyDraft(TYPE);
    expect(draft).toMatchObject({ fields: { maybe: { present: false }, list: { items: [] }, choice: { tag: 'A' } } });
  });

  it.each<[IDL.Type, Draft, string]>([
    [IDL.Nat8, { kind: 'number', text: '256' }, 'not between 0 and 255'],
    [IDL.Nat64, { kind: 'number', text: '-1' }, 'a whole number'],
    [IDL.Nat64, { kind: 'number', text: '1.5' }, 'a whole number'],
    [IDL.Float64, { kind: 'number', text: '' }, 'no number'],
    [IDL.Principal, { kind: 'principal', text: 'x' }, 'no principal'],
    [IDL.Vec(IDL.Nat8), { kind: 'blob', text: 'xyz', file: undefined }, 'hexadecimal'],
  ])('should say what is wrong (%#)', (type, draft, reason) => {
    expect(() => valueOf(type, draft, 'field')).toThrow(reason);
  });

  it('should follow a recursive type', () => {
    const list = IDL.Rec();
    list.fill(IDL.Opt(IDL.Record({ head: IDL.Nat, tail: list })));
    const value = [{ head: 1n, tail: [{ head: 2n, tail: [] }] }];
    expect(valueOf(list, draftOf(list, value))).toEqual(value);
  });
});
