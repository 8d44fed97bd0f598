/**
 * Forms from Candid types: what a person writes into the fields of a type, and the value that it makes. So that every kind of proposal
 * can be made, also with functions that this page was not written for, as long as it knows the interface.
 *
 * `Draft` mirrors the type and holds text, so that a half-written number is no error until it is used.
 */
import { IDL } from '@icp-sdk/core/candid';
import { Principal } from '@icp-sdk/core/principal';
import { fromHex } from '$lib/bytes';

export type Draft =
  | { kind: 'text' | 'number' | 'principal'; text: string }
  | { kind: 'blob'; text: string; file: Uint8Array | undefined }
  | { kind: 'bool'; checked: boolean }
  | { kind: 'nothing' }
  | { kind: 'opt'; present: boolean; inner: Draft }
  | { kind: 'vec'; items: Draft[] }
  | { kind: 'record'; fields: Record<string, Draft> }
  | { kind: 'variant'; tag: string; inner: Draft };

export class FormError extends Error {
  override readonly name = 'FormError';
}

/** Recursive types are followed this deep; no interface here is deeper. */
const DEPTH_MAX = 12;

/** The constructors of the library stay unexported in part; the shape of a type says what it is. */
type Inner = { _type: IDL.Type };
type Fields = { _fields: [string, IDL.Type][] };

export function isBlob(type: IDL.Type): boolean {
  const resolved = resolve(type);
  if (!(resolved instanceof IDL.VecClass)) return false;
  const inner = (resolved as unknown as Inner)._type;
  return inner instanceof IDL.FixedNatClass && inner._bits === 8;
}

export function resolve(type: IDL.Type): IDL.Type {
  if (!(type instanceof IDL.RecClass)) return type;
  const inner = type.getType();
  if (inner === undefined) throw new FormError('The interface has a type without a definition.');
  return inner;
}

export function fieldsOf(type: IDL.Type): [string, IDL.Type][] {
  return (resolve(type) as unknown as Fields)._fields;
}

export function innerOf(type: IDL.Type): IDL.Type {
  return (resolve(type) as unknown as Inner)._type;
}

export function emptyDraft(type: IDL.Type, depth = 0): Draft {
  const resolved = resolve(type);
  if (depth > DEPTH_MAX) return { kind: 'nothing' };
  if (isBlob(resolved)) return { kind: 'blob', text: '', file: undefined };
  if (resolved instanceof IDL.OptClass) return { kind: 'opt', present: false, inner: { kind: 'nothing' } };
  if (resolved instanceof IDL.VecClass) return { kind: 'vec', items: [] };
  if (resolved instanceof IDL.RecordClass) {
    return { kind: 'record', fields: Object.fromEntries(fieldsOf(resolved).map(([name, inner]) => [name, emptyDraft(inner, depth + 1)])) };
  }
  if (resolved instanceof IDL.VariantClass) {
    const [first] = fieldsOf(resolved);
    if (first === undefined) throw new FormError('The interface has a choice of nothing.');
    return { kind: 'variant', tag: first[0], inner: emptyDraft(first[1], depth + 1) };
  }
  if (resolved instanceof IDL.BoolClass) return { kind: 'bool', checked: false };
  if (resolved instanceof IDL.TextClass) return { kind: 'text', text: '' };
  if (resolved instanceof IDL.PrincipalClass) return { kind: 'principal', text: '' };
  if (resolved instanceof IDL.NullClass || resolved instanceof IDL.ReservedClass) return { kind: 'nothing' };
  return { kind: 'number', text: '' };
}

/** The value that is encoded; says which field is wrong. */
export function valueOf(type: IDL.Type, draft: Draft, where = 'value'): unknown {
  const resolved = resolve(type);
  switch (draft.kind) {
    case 'nothing':
      return null;
    case 'bool':
      return draft.checked;
    case 'text':
      return draft.text;
    case 'blob':
      if (draft.file !== undefined) return draft.file;
      try {
        return fromHex(draft.text.replace(/^0x/, ''));
      } catch {
        throw new FormError(`${where}: bytes are written in hexadecimal, or chosen as a file`);
      }
    case 'principal':
      try {
        return Principal.fromText(draft.text.trim());
      } catch {
        throw new FormError(`${where}: "${draft.text}" is no principal`);
      }
    case 'number':
      return numberOf(resolved, draft.text, where);
    case 'opt':
      return draft.present ? [valueOf(innerOf(resolved), draft.inner, where)] : [];
    case 'vec':
      return draft.items.map((item, index) => valueOf(innerOf(resolved), item, `${where} ${index + 1}`));
    case 'record': {
      const values = fieldsOf(resolved).map(([name, inner]): [string, unknown] => {
        const field = draft.fields[name];
        if (field === undefined) throw new FormError(`BUG: no draft of ${name}`);
        return [name, valueOf(inner, field, `${where === 'value' ? '' : `${where}, `}${name.replaceAll('_', ' ')}`)];
      });
      // The library has records without names as lists.
      return resolved instanceof IDL.TupleClass ? values.map(([, value]) => value) : Object.fromEntries(values);
    }
    case 'variant': {
      const found = fieldsOf(resolved).find(([name]) => name === draft.tag);
      if (found === undefined) throw new FormError(`BUG: no choice ${draft.tag}`);
      return { [draft.tag]: valueOf(found[1], draft.inner, draft.tag) };
    }
  }
}

function numberOf(type: IDL.Type, text: string, where: string): bigint | number {
  const digits = text.replace(/[\s_]/g, '');
  if (type instanceof IDL.FloatClass) {
    const value = Number(digits);
    if (digits === '' || !Number.isFinite(value)) throw new FormError(`${where}: "${text}" is no number`);
    return value;
  }
  const signed = type instanceof IDL.IntClass || type instanceof IDL.FixedIntClass;
  if (!(signed ? /^-?\d+$/ : /^\d+$/).test(digits)) throw new FormError(`${where}: a whole number is needed`);
  const value = BigInt(digits);
  const bits = type instanceof IDL.FixedNatClass || type instanceof IDL.FixedIntClass ? type._bits : undefined;
  if (bits === undefined) return value;
  const [min, max] = signed ? [-(2n ** BigInt(bits - 1)), 2n ** BigInt(bits - 1) - 1n] : [0n, 2n ** BigInt(bits) - 1n];
  if (value < min || value > max) throw new FormError(`${where}: ${value} is not between ${min} and ${max}`);
  // As the library has them: up to 32 bits numbers, above big integers.
  return bits <= 32 ? Number(value) : value;
}

/** What a value looks like in a form: the parameters as they are, to be changed. */
export function draftOf(type: IDL.Type, value: unknown): Draft {
  const resolved = resolve(type);
  const empty = emptyDraft(resolved);
  switch (empty.kind) {
    case 'bool':
      return { kind: 'bool', checked: value === true };
    case 'text':
      return { kind: 'text', text: String(value) };
    case 'number':
      return { kind: 'number', text: String(value) };
    case 'principal':
      return { kind: 'principal', text: String(value) };
    case 'blob':
      return { kind: 'blob', text: '', file: Uint8Array.from(value as Uint8Array) };
    case 'opt': {
      const [inner] = value as unknown[];
      return inner === undefined ? empty : { kind: 'opt', present: true, inner: draftOf(innerOf(resolved), inner) };
    }
    case 'vec':
      return { kind: 'vec', items: Array.from(value as unknown[], (item) => draftOf(innerOf(resolved), item)) };
    case 'record': {
      const of = (name: string, index: number): unknown =>
        resolved instanceof IDL.TupleClass ? (value as unknown[])[index] : (value as Record<string, unknown>)[name];
      return { kind: 'record', fields: Object.fromEntries(fieldsOf(resolved).map(([name, inner], index) => [name, draftOf(inner, of(name, index))])) };
    }
    case 'variant': {
      const [tag = '', payload] = Object.entries(value as object)[0] ?? [];
      const found = fieldsOf(resolved).find(([name]) => name === tag);
      return found === undefined ? empty : { kind: 'variant', tag, inner: draftOf(found[1], payload) };
    }
    default:
      return empty;
  }
}
