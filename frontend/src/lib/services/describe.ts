/** What a folder already says of the model in it: `model.toml` where there is one, else the card's front matter and the ONNX file. */
import { emptyCard, frontMatterValue, parseCard, type Card } from './card';
import type { Folder } from './folder';
import { MODEL_TOML, readModelToml, type Described } from './manifest';
import { readSignature } from './onnx';

export interface Beginning {
  readonly described: Described;
  readonly card: Card;
  /** Paths of the files that go into the version. */
  readonly files: string[];
  readonly fromToml: boolean;
}

const CARD = 'README.md';

export async function describe(folder: Folder): Promise<Beginning> {
  const toml = folder.files.get(MODEL_TOML);
  if (toml !== undefined) {
    const { parse } = await import('smol-toml');
    const { described, files, card } = readModelToml(parse(await toml.text()));
    const missing = files.find((path) => !folder.files.has(path));
    if (missing !== undefined) throw new Error(`${MODEL_TOML} names ${missing}, which is not in the folder.`);
    const cardFile = card === undefined ? undefined : folder.files.get(card);
    if (card !== undefined && cardFile === undefined) throw new Error(`${MODEL_TOML} names the card ${card}, which is not in the folder.`);
    return { described, card: cardFile === undefined ? emptyCard() : parseCard(await cardFile.text()), files, fromToml: true };
  }
  const paths = [...folder.files.keys()].sort();
  const model = paths.find((path) => path.endsWith('.onnx')) ?? '';
  const cardText = (await folder.files.get(CARD)?.text()) ?? '';
  const modelFile = folder.files.get(model);
  const signature = modelFile === undefined ? { inputs: [], outputs: [] } : await readSignature(modelFile);
  return {
    described: {
      name: folder.name.replace(/[^A-Za-z0-9]+/g, '-').replace(/^-|-$/g, ''),
      version: '1.0.0',
      license: frontMatterValue(cardText, 'license') ?? '',
      task: frontMatterValue(cardText, 'pipeline_tag') ?? '',
      pipeline: { model, kind: { Tensors: null }, labels: [] },
      signature,
      lineage: { parents: [], datasets: [], code_revision: [], service_endpoints: [] },
      royalties: [],
      claims: [],
    },
    card: parseCard(cardText),
    files: paths,
    fromToml: false,
  };
}
