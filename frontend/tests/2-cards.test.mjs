// A card is written by a stranger, who may mean harm: nothing of it runs, looks like the page, tells who reads, or takes the browser down.

import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile, cp } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { bombPng, png, publish } from './models.mjs';
import { freshName, launch, page, screenshot } from './world.mjs';

let browser;
let folder;
/** Where a card would report to, and what was asked there. */
let listener;
const told = [];
before(async () => {
  browser = await launch();
  folder = await mkdtemp(join(tmpdir(), 'stoa-card-'));
  listener = createServer((request, response) => {
    told.push(request.url);
    response.end();
  });
  await new Promise((resolve) => listener.listen(0, '127.0.0.1', resolve));
});
after(async () => {
  await browser.close();
  listener.close();
  await rm(folder, { recursive: true, force: true });
});

function hostileCard(elsewhere) {
  const small = `data:image/png;base64,${png(8, 8, () => [255, 0, 0]).toString('base64')}`;
  const bomb = `data:image/png;base64,${bombPng(20_000).toString('base64')}`;
  return `# A card that means harm

The text itself is to be read.

<script>window.harmed = 'script';</script>
<img src="x" onerror="window.harmed = 'onerror'">
<img src="${elsewhere}/picture.png" alt="counts readers">
<svg onload="window.harmed = 'svg'"><script>window.harmed = 'svg script'</script><use href="${elsewhere}/use.svg#x"></use></svg>
<math><mtext><table><mglyph><style><img src=x onerror="window.harmed = 'mutation'"></style></mglyph></table></mtext></math>
<iframe src="${elsewhere}/frame" srcdoc="<script>parent.harmed = 'frame'</script>"></iframe>
<object data="${elsewhere}/object"></object><embed src="${elsewhere}/embed">
<form action="${elsewhere}/form"><input name="seed" placeholder="Your seed phrase"><button>Sign in with Internet Identity</button></form>
<style>main { display: none } .verified { background: url(${elsewhere}/style) }</style>
<link rel="stylesheet" href="${elsewhere}/sheet.css"><meta http-equiv="refresh" content="0; url=${elsewhere}/gone"><base href="${elsewhere}/">
<div style="position: fixed; inset: 0; z-index: 9999" class="verified" data-tid="verified" id="content">✓ Verified</div>
<video src="${elsewhere}/video" poster="${elsewhere}/poster" autoplay></video><audio src="${elsewhere}/audio" autoplay></audio>

<a href="javascript:window.harmed='link'">A script</a> [Another](javascript:window.harmed='markdown') [And another](  java\tscript:alert(1) "x")
[A page in a text](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==) <a href="${elsewhere}/left" target="_self" ping="${elsewhere}/ping" onclick="window.harmed='click'">Elsewhere</a>

![](${elsewhere}/markdown.png) ![a red square](${small}) ![a bomb](${bomb})

${'> '.repeat(30)}deep ${'<b>'.repeat(5_000)}bold

| a | ${'b | '.repeat(300)}
|---|${'---|'.repeat(300)}
`;
}

async function publishCard(text) {
  const name = `card-${freshName()}`;
  const path = join(folder, name);
  await cp(new URL('../../examples/models/digits/', import.meta.url), path, { recursive: true });
  const toml = await readFile(join(path, 'model.toml'), 'utf8');
  await writeFile(join(path, 'model.toml'), toml.replace('name = "digits"', `name = "${name}"`));
  await writeFile(join(path, 'README.md'), text);
  const handle = freshName();
  await publish(path, handle, name, { load: false });
  return `${page}/models/${handle}/${name}`;
}

test('should show the text of a hostile card, and none of the harm in it', async () => {
  const elsewhere = `http://127.0.0.1:${listener.address().port}`;
  const address = await publishCard(hostileCard(elsewhere));
  // The page's policy stands behind the sanitiser; a browser says what it would stop already where the text is only taken apart.
  const { context, tab, errors } = await browser.visitor({ expectedErrors: [/Content Security Policy/] });
  const dialogs = [];
  tab.on('dialog', (dialog) => {
    dialogs.push(dialog.message());
    void dialog.dismiss();
  });
  await tab.goto(address);
  const card = tab.locator('section', { has: tab.getByRole('heading', { name: 'Card', exact: true }) });
  await card.getByText('The text itself is to be read.').waitFor();
  // Long enough for what would run late.
  await tab.waitForTimeout(1_000);
  assert.equal(new URL(tab.url()).origin, page);
  assert.equal(await tab.evaluate(() => globalThis.harmed), undefined);
  assert.deepEqual(dialogs, []);
  const found = await card.evaluate((section) => {
    const elements = [...section.querySelectorAll('.markdown *')];
    return {
      tags: [...new Set(elements.map(({ localName }) => localName))],
      attributes: [...new Set(elements.flatMap((element) => element.getAttributeNames()))],
      links: [...section.querySelectorAll('a')].map((link) => ({ href: link.getAttribute('href'), rel: link.rel, target: link.target })),
      pictures: [...section.querySelectorAll('img')].map(({ alt, naturalWidth, src }) => ({ alt, naturalWidth, source: src.slice(0, 11) })),
    };
  });
  for (const tag of ['script', 'style', 'iframe', 'form', 'input', 'button', 'svg', 'math', 'object', 'embed', 'link', 'meta', 'base', 'video', 'audio', 'div']) {
    assert.ok(!found.tags.includes(tag), tag);
  }
  for (const attribute of found.attributes) assert.match(attribute, /^(href|src|alt|title|start|align|target|rel|tabindex)$/);
  for (const { href, rel, target } of found.links) {
    if (href === null) continue;
    assert.match(href, /^(https?:|mailto:|ipfs:|#)/);
    assert.equal(target, '_blank');
    assert.match(rel, /noopener noreferrer/);
  }
  assert.deepEqual(found.pictures, [{ alt: 'a red square', naturalWidth: 8, source: 'data:image/' }]);
  await card.getByText('[picture: a bomb]').waitFor();
  // The page's own badge is the only one.
  assert.equal(await tab.locator('[data-tid="verified"]').count(), 1);
  await card.getByText('A script', { exact: true }).click();
  assert.equal(await tab.evaluate(() => globalThis.harmed), undefined);
  const overflow = await tab.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.ok(overflow <= 1, `${overflow} pixels wider than the window`);
  await screenshot(tab, 'failure-hostile-card');
  assert.deepEqual(told, []);
  assert.deepEqual(errors, []);
  await context.close();
});
