/**
 * A manifest from `model.toml` and the files that it names; as the command line makes it, so that one folder gives one version
 * whichever of the two publishes it.
 */
import { Principal } from '@icp-sdk/core/principal';
import type { RegistryTypes } from '$lib/api/stoa';
import { fromHex } from '$lib/bytes';
import type { Card } from './card';
import type { HashedFile } from './content';

export type Manifest = RegistryTypes.Manifest;
export const MODEL_TOML = 'model.toml';

/** What of a manifest people write; files and card are read. */
export type Described = Omit<Manifest, 'files' | 'card' | 'publisher' | 'schema'>;

export interface ModelToml {
  readonly described: Described;
  readonly files: string[];
  readonly card: string | undefined;
}

/** `field` is where in the file, `reason` what to write instead. */
export class ManifestError extends Error {
  override readonly name = 'ManifestError';
  constructor(
    readonly field: string,
    readonly reason: string,
  ) {
    super(`${field}: ${reason}`);
  }
}

export const DATA_TYPES = [
  'BOOL', 'UINT8', 'UINT16', 'UINT32', 'UINT64', 'INT8', 'INT16', 'INT32', 'INT64', 'FP16', 'FP32', 'FP64', 'BYTES',
] as const;
const RELATIONS = ['Finetune', 'Adapter', 'Quantized', 'Merge', 'Distilled', 'Converted'];

/** A table of the file, which must be used up: an unknown field is a mistyped one. */
class Table {
  readonly #left: Map<string, unknown>;

  constructor(
    value: unknown,
    readonly where: string,
  ) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new ManifestError(where, 'a table is needed');
    this.#left = new Map(Object.entries(value));
  }

  static read<T>(value: unknown, where: string, read: (table: Table) => T): T {
    const table = new Table(value, where);
    const result = read(table);
    const [unknown] = table.#left.keys();
    if (unknown !== undefined) throw new ManifestError(table.at(unknown), 'there is no such field');
    return result;
  }

  at(field: string): string {
    return this.where === '' ? field : `${this.where}.${field}`;
  }

  take(field: string): unknown {
    const value = this.#left.get(field);
    this.#left.delete(field);
    return value;
  }

  text(field: string): string {
    const value = this.take(field);
    if (typeof value !== 'string') throw new ManifestError(this.at(field), 'a text is needed');
    return value;
  }

  optionalText(field: string): [] | [string] {
    const value = this.take(field);
    if (value === undefined) return [];
    if (typeof value !== 'string') throw new ManifestError(this.at(field), 'a text is needed');
    return [value];
  }

  natural(field: string): bigint {
    return natural(this.take(field), this.at(field));
  }

  flag(field: string): boolean {
    const value = this.take(field);
    if (typeof value !== 'boolean') throw new ManifestError(this.at(field), 'true or false is needed');
    return value;
  }

  list<T>(field: string, element: (value: unknown, where: string) => T, absent?: T[]): T[] {
    const value = this.take(field);
    if (value === undefined && absent !== undefined) return absent;
    if (!Array.isArray(value)) throw new ManifestError(this.at(field), 'a list is needed');
    return value.map((each, index) => element(each, `${this.at(field)}[${index}]`));
  }

  texts(field: string, absent?: string[]): string[] {
    return this.list(field, text, absent);
  }

  table<T>(field: string, read: (table: Table) => T): T {
    return Table.read(this.take(field), this.at(field), read);
  }

  /** A variant without payload, by its name. */
  unit<T>(field: string, names: readonly string[]): T {
    const value = this.take(field);
    if (typeof value !== 'string' || !names.includes(value)) throw new ManifestError(this.at(field), `one of ${names.join(', ')} is needed`);
    return { [value]: null } as T;
  }
}

function text(value: unknown, where: string): string {
  if (typeof value !== 'string') throw new ManifestError(where, 'a text is needed');
  return value;
}

function natural(value: unknown, where: string): bigint {
  if (typeof value === 'bigint' && value >= 0n) return value;
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw new ManifestError(where, 'a number without a sign or decimals is needed');
  return BigInt(value);
}

/** `parsed` is what a TOML parser makes of the file. */
export function readModelToml(parsed: unknown): ModelToml {
  return Table.read(parsed, '', (top) => {
    const described: Described = {
      name: top.text('name'),
      version: top.text('version'),
      license: top.text('license'),
      task: top.text('task'),
      pipeline: top.table('pipeline', pipeline),
      signature: top.table('signature', (table) => ({ inputs: table.list('inputs', tensor), outputs: table.list('outputs', tensor) })),
      lineage: Table.read(top.take('lineage') ?? {}, 'lineage', (table) => ({
        parents: table.list('parents', parent, []),
        datasets: table.texts('datasets', []),
        code_revision: table.optionalText('code_revision'),
        service_endpoints: table.texts('service_endpoints', []),
      })),
      royalties: top.list('royalties', royalty, []),
      claims: top.list(
        'claims',
        (value, where) =>
          Table.read(value, where, (table) => ({
            dataset: table.text('dataset'),
            split: table.text('split'),
            metric: table.text('metric'),
            value: table.text('value'),
          })),
        [],
      ),
    };
    return { described, files: top.texts('files'), card: top.optionalText('card')[0] };
  });
}

export function buildManifest(publisher: string, described: Described, card: Card, files: readonly HashedFile[]): Manifest {
  return {
    schema: 1,
    publisher,
    ...described,
    card,
    // In the order in which a manifest lists them.
    files: [...files].sort((left, right) => (left.path < right.path ? -1 : 1)),
  };
}

function tensor(value: unknown, where: string): RegistryTypes.TensorSpec {
  return Table.read(value, where, (table) => ({
    name: table.text('name'),
    datatype: table.unit<RegistryTypes.DataType>('datatype', DATA_TYPES),
    shape: table.list('shape', dimension),
  }));
}

function dimension(value: unknown, where: string): RegistryTypes.Dimension {
  if (typeof value === 'number' || typeof value === 'bigint') return { Fixed: natural(value, where) };
  return Table.read(value, where, (table) => ({ Dynamic: { name: table.text('name'), max: table.natural('max') } }));
}

function parent(value: unknown, where: string): RegistryTypes.Parent {
  return Table.read(value, where, (table) => {
    const relation = table.text('relation');
    const name = RELATIONS.find((each) => each.toLowerCase() === relation);
    if (name === undefined) throw new ManifestError(table.at('relation'), `one of ${RELATIONS.join(', ').toLowerCase()} is needed`);
    return { version: digest(table.text('version'), table.at('version')), relation: { [name]: null } as RegistryTypes.Relation };
  });
}

function royalty(value: unknown, where: string): RegistryTypes.RoyaltyShare {
  return Table.read(value, where, (table) => {
    const owner = table.text('owner');
    const [subaccount] = table.optionalText('subaccount');
    try {
      return {
        owner: Principal.fromText(owner),
        subaccount: subaccount === undefined ? [] : [digest(subaccount, table.at('subaccount'))],
        basis_points: Number(table.natural('basis_points')),
      };
    } catch (error) {
      throw error instanceof ManifestError ? error : new ManifestError(table.at('owner'), `"${owner}" is no principal`);
    }
  });
}

function digest(value: string, where: string): Uint8Array {
  if (!/^[0-9a-fA-F]{64}$/.test(value)) throw new ManifestError(where, '64 hexadecimal digits are needed');
  return fromHex(value);
}

function pipeline(table: Table): RegistryTypes.Pipeline {
  const kind = table.text('kind');
  const tables = { text: table.take('text'), image: table.take('image'), tabular: table.take('tabular') };
  for (const [name, value] of Object.entries(tables)) {
    if (value !== undefined && name !== kind) throw new ManifestError(table.at(name), `the kind is ${kind}`);
  }
  return { model: table.text('model'), kind: pipelineKind(kind, tables, table.at('kind')), labels: table.texts('labels', []) };
}

function pipelineKind(
  kind: string,
  tables: { text: unknown; image: unknown; tabular: unknown },
  where: string,
): RegistryTypes.PipelineKind {
  switch (kind) {
    case 'tensors':
      return { Tensors: null };
    case 'text':
      return { Text: Table.read(tables.text, 'pipeline.text', textPipeline) };
    case 'image':
      return { Image: Table.read(tables.image, 'pipeline.image', imagePipeline) };
    case 'tabular':
      return {
        Tabular: Table.read(tables.tabular, 'pipeline.tabular', (table) => ({
          columns: table.list('columns', column),
          answer: answer(table),
        })),
      };
    default:
      throw new ManifestError(where, 'one of tensors, text, image, tabular is needed');
  }
}

function textPipeline(table: Table): RegistryTypes.TextPipeline {
  return {
    tokenizer: table.text('tokenizer'),
    ids: table.text('ids'),
    mask: table.optionalText('mask'),
    types: table.optionalText('types'),
    tokens_max: table.natural('tokens_max'),
    padding: table.table('padding', (padding) => ({
      token: padding.text('token'),
      side: padding.unit<RegistryTypes.Side>('side', ['Left', 'Right']),
      length: padding.unit<RegistryTypes.PaddingLength>('length', ['Longest', 'Fixed']),
    })),
    answer: answer(table),
  };
}

const extent = (table: Table): RegistryTypes.Extent => ({ width: table.natural('width'), height: table.natural('height') });

function imagePipeline(table: Table): RegistryTypes.ImagePipeline {
  const crop = table.take('crop');
  return {
    input: table.text('input'),
    colours: table.unit('colours', ['Rgb', 'Bgr', 'Grey']),
    layout: table.unit('layout', ['Nchw', 'Nhwc']),
    resize: table.table('resize', (resize): RegistryTypes.Resize => {
      const exact = resize.take('Exact');
      if (exact !== undefined) return { Exact: Table.read(exact, resize.at('Exact'), extent) };
      return { ShortestSide: resize.natural('ShortestSide') };
    }),
    filter: table.unit('filter', ['Nearest', 'Bilinear', 'Bicubic']),
    crop: crop === undefined ? [] : [Table.read(crop, table.at('crop'), extent)],
    scale: table.text('scale'),
    mean: table.texts('mean'),
    deviation: table.texts('deviation'),
    answer: answer(table),
  };
}

function column(value: unknown, where: string): RegistryTypes.Column {
  return Table.read(value, where, (table) => ({ name: table.text('name'), input: table.text('input'), kind: columnKind(table) }));
}

function columnKind(table: Table): RegistryTypes.ColumnKind {
  const value = table.take('kind');
  if (value === 'Text') return { Text: null };
  return Table.read(value, table.at('kind'), (kind): RegistryTypes.ColumnKind => {
    const number = kind.take('Number');
    if (number !== undefined) {
      return {
        Number: Table.read(number, kind.at('Number'), (each) => ({
          mean: each.text('mean'),
          deviation: each.text('deviation'),
          missing: each.optionalText('missing'),
        })),
      };
    }
    return {
      Category: kind.table('Category', (each) => ({
        values: each.texts('values'),
        encoding: each.unit<RegistryTypes.CategoryEncoding>('encoding', ['OneHot', 'Index']),
      })),
    };
  });
}

function answer(table: Table): RegistryTypes.AnswerKind {
  const value = table.take('answer');
  if (value === undefined || value === 'Tensors') return { Tensors: null };
  return Table.read(value, table.at('answer'), (kind): RegistryTypes.AnswerKind => {
    const embedding = kind.take('Embedding');
    if (embedding !== undefined) {
      return {
        Embedding: Table.read(embedding, kind.at('Embedding'), (each) => ({
          output: each.text('output'),
          pooling: each.unit<RegistryTypes.Pooling>('pooling', ['None', 'Mean', 'Max', 'First', 'Last']),
          normalise: each.flag('normalise'),
        })),
      };
    }
    return {
      Classes: kind.table('Classes', (each) => ({
        output: each.text('output'),
        activation: each.unit<RegistryTypes.Activation>('activation', ['None', 'Softmax', 'Sigmoid']),
        top: each.natural('top'),
      })),
    };
  });
}
