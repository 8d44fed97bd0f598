// After the build: takes the script that starts the page out of the HTML, because the page forbids inline scripts, and puts
// compressed copies beside the files that gain from them. Equal sources give equal files: the canister's hash covers them.

import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, unlink, writeFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

const BUILD = new URL('../build/', import.meta.url).pathname;
const COMPRESSED = new Set(['.html', '.js', '.css', '.svg', '.json', '.wasm', '.mjs', '.webmanifest']);
/** Larger ones (the inference runtime) are kept compressed alone, and served so to everybody: each browser takes gzip. */
const LARGE_BYTES = 2_000_000;
/** A copy that saves less than this is not worth its place. */
const GAIN_MIN = 0.9;

async function externaliseStart() {
  const page = join(BUILD, 'index.html');
  const html = await readFile(page, 'utf8');
  const inline = [...html.matchAll(/<script>([\s\S]*?)<\/script>/g)];
  if (inline.length !== 1) {
    throw new Error(`index.html has ${inline.length} inline scripts, where one starts the page`);
  }
  const [element, code] = inline[0];
  // `document.currentScript.parentElement` is how the script finds where to put the page; a module has none.
  const script = code.replaceAll('document.currentScript.parentElement', 'document.querySelector(".page")');
  if (/currentScript/.test(script)) throw new Error('the start script asks for currentScript in a way that is not known');
  const hash = createHash('sha256').update(script).digest('hex').slice(0, 12);
  const name = `_app/immutable/start.${hash}.js`;
  await mkdir(join(BUILD, '_app/immutable'), { recursive: true });
  await writeFile(join(BUILD, name), script.trim() + '\n');
  await writeFile(page, html.replace(element, `<script defer src="/${name}"></script>`));
}

async function* files(folder) {
  for (const entry of (await readdir(folder, { withFileTypes: true })).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* files(path);
    else yield path;
  }
}

async function compress() {
  let total = 0;
  for await (const path of files(BUILD)) {
    const bytes = await readFile(path);
    const gzip = gzipSync(bytes, { level: 9 });
    if (bytes.length > LARGE_BYTES) {
      await writeFile(`${path}.gz`, gzip);
      await unlink(path);
      total += gzip.length;
      continue;
    }
    total += bytes.length;
    if (!COMPRESSED.has(extname(path))) continue;
    const brotli = brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } });
    if (brotli.length < bytes.length * GAIN_MIN) await writeFile(`${path}.br`, brotli);
    if (gzip.length < bytes.length * GAIN_MIN) await writeFile(`${path}.gz`, gzip);
  }
  console.log(`${BUILD}: ${total} bytes`);
}

await externaliseStart();
await compress();
