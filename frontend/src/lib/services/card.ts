/** The front matter of a card, in the small part of YAML that cards use; as the command line reads it, so that both give equal manifests. */

export interface Card {
  markdown: string;
  language: string[];
  tags: string[];
  datasets: string[];
  metrics: string[];
  base_model: [] | [string];
  library_name: [] | [string];
  license_name: [] | [string];
  license_link: [] | [string];
}

const LISTS = ['language', 'tags', 'datasets', 'metrics'] as const;
const SINGLE = ['base_model', 'library_name', 'license_name', 'license_link'] as const;
const KNOWN: ReadonlySet<string> = new Set([...LISTS, ...SINGLE]);

export function emptyCard(markdown = ''): Card {
  return {
    markdown,
    language: [],
    tags: [],
    datasets: [],
    metrics: [],
    base_model: [],
    library_name: [],
    license_name: [],
    license_link: [],
  };
}

export function parseCard(source: string): Card {
  const text = source.replaceAll('\r\n', '\n');
  const [matter, markdown] = split(text);
  if (matter === undefined) return emptyCard(text);
  const card = emptyCard(markdown.replace(/^\n+/, ''));
  for (const [key, values] of fields(matter)) {
    if ((LISTS as readonly string[]).includes(key)) card[key as (typeof LISTS)[number]] = values;
    const single = SINGLE.find((name) => name === key);
    const [first, ...others] = values;
    if (single === undefined || first === undefined) continue;
    if (others.length > 0) {
      throw new Error(
        single === 'base_model'
          ? 'base_model names several models: put them into model.toml as lineage'
          : `${single} has ${values.length} values, and one is the most`,
      );
    }
    card[single] = [first];
  }
  return card;
}

/** One value of any field of the front matter. */
export function frontMatterValue(source: string, key: string): string | undefined {
  const [matter] = split(source.replaceAll('\r\n', '\n'));
  const line = matter?.split('\n').find((each) => each.startsWith(`${key}:`));
  const values = line === undefined ? [] : inlineValues(line.slice(key.length + 1).trim());
  return values.length === 1 ? values[0] : undefined;
}

function split(text: string): [string | undefined, string] {
  if (!text.startsWith('---\n')) return [undefined, text];
  const rest = text.slice(4);
  const end = rest.indexOf('\n---\n');
  return end < 0 ? [undefined, text] : [rest.slice(0, end), rest.slice(end + 5)];
}

function fields(matter: string): [string, string[]][] {
  const found: [string, string[]][] = [];
  for (const line of matter.split('\n')) {
    const trimmed = line.trim();
    if (trimmed === '' || trimmed.startsWith('#')) continue;
    if (trimmed.startsWith('- ')) {
      const last = found.at(-1);
      if (last === undefined) throw new Error(`a list without a key: ${trimmed}`);
      // Lists of records, as under `model-index`, are not read as texts.
      if (KNOWN.has(last[0])) last[1].push(scalar(trimmed.slice(2)));
    } else if (!/^[ \t]/.test(line)) {
      const colon = trimmed.indexOf(':');
      if (colon < 0) throw new Error(`not a field of front matter: ${trimmed}`);
      found.push([trimmed.slice(0, colon).trim(), inlineValues(trimmed.slice(colon + 1).trim())]);
    }
  }
  return found;
}

function inlineValues(value: string): string[] {
  const list = value.startsWith('[') && value.endsWith(']') ? value.slice(1, -1).split(',') : [value];
  return list.map(scalar).filter((text) => text !== '');
}

function scalar(source: string): string {
  const text = source.trim();
  const quoted = /^"(.*)"$/s.exec(text) ?? /^'(.*)'$/s.exec(text);
  return quoted?.[1] ?? text;
}
