// Every way to give a model its input: a text, a row, a picture from a file, from the camera, drawn. Each is answered by the chain and by this
// device, which prepare it by the same code and run it by different ones.

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { colourModel, png, publish, rowModel, textModel } from './models.mjs';
import { accessibilityProblems, freshName, launch, page, screenshot } from './world.mjs';

let browser;
let folder;
const handle = freshName();
before(async () => {
  // Chromium's own moving picture stands in for a camera, and is allowed without asking.
  browser = await launch({ camera: true });
  folder = await mkdtemp(join(tmpdir(), 'stoa-try-'));
  await textModel(join(folder, 'words'), 'words');
  await colourModel(join(folder, 'colours'), 'colours');
  await publish(join(folder, 'words'), handle, 'words');
  await publish(join(folder, 'colours'), handle, 'colours', { claimed: true });
  await rowModel(join(folder, 'rows'), 'rows');
  await publish(join(folder, 'rows'), handle, 'rows', { claimed: true });
});
after(async () => {
  await browser.close();
  await rm(folder, { recursive: true, force: true });
});

async function previewed(tab) {
  await tab.getByRole('button', { name: 'Preview for free' }).click();
  return tab.locator('[data-tid="preview"] [data-tid="answer"]');
}

/** Runs it here too; the page must find that the chain answered the same. */
async function runsAlike(tab) {
  await tab.getByRole('button', { name: 'Run on this device' }).click();
  const comparison = tab.locator('[data-tid="comparison"]');
  await comparison.waitFor({ timeout: 60_000 });
  assert.match(await comparison.innerText(), /^✓/);
  return tab.locator('[data-tid="on-device"] [data-tid="answer"]');
}

test('should understand texts, on the chain and on this device alike', async () => {
  const { context, tab, errors } = await browser.visitor();
  await tab.goto(`${page}/models/${handle}/words/try`);
  await tab.getByLabel('Texts, one a line').fill('Good morning!\nA rolling stone gathers no moss.\nGOOD   morning !');
  const answer = await previewed(tab);
  await answer.getByText('Text 3: 8 numbers').waitFor();
  // Case and spaces are the tokenizer's to take away.
  const rows = await answer.locator('table tr').evaluateAll((all) => all.map((row) => [...row.querySelectorAll('td')].map(({ textContent }) => textContent)));
  assert.equal(rows[0][2], '1.000');
  assert.notEqual(rows[0][1], '1.000');
  const here = await runsAlike(tab);
  await here.getByText('Text 3: 8 numbers').waitFor();
  await screenshot(tab, 'try-text');
  assert.deepEqual(await accessibilityProblems(tab), []);
  assert.deepEqual(errors, []);
  await context.close();
});

test('should judge a row of named cells, on the chain and on this device alike', async () => {
  const { context, tab, errors } = await browser.visitor();
  await tab.goto(`${page}/models/${handle}/rows/try`);
  const winners = async () => {
    const answer = await previewed(tab);
    await answer.locator('[data-tid="answer-top"]').waitFor();
    await runsAlike(tab);
    return Promise.all(['preview', 'on-device'].map((where) => tab.locator(`[data-tid="${where}"] [data-tid="answer"]`).innerText()));
  };
  await tab.getByLabel('age').fill('60');
  await tab.getByLabel('plan').selectOption('plus');
  // Scores of -1.5 and 1.5: softmax gives 1 / (1 + e^-3) to the second.
  for (const answer of await winners()) assert.match(answer, /^leaves\s[\s\S]*95\.26 %/);
  await screenshot(tab, 'try-row');
  assert.deepEqual(await accessibilityProblems(tab), []);

  // Without an age it is the one that the manifest names for that: scores of 1 and -1.
  await tab.getByLabel('age').fill('');
  await tab.getByLabel('plan').selectOption('basic');
  for (const answer of await winners()) assert.match(answer, /^stays\s[\s\S]*88\.08 %/);

  await tab.getByLabel('age').fill('old');
  await tab.getByRole('button', { name: 'Run on this device' }).click();
  await tab.getByRole('alert').getByText('age: "old" is no number').waitFor();
  assert.deepEqual(errors, []);
  await context.close();
});

test('should say what is wrong with a text, and with a file that is no picture', async () => {
  const { context, tab, errors } = await browser.visitor();
  await tab.goto(`${page}/models/${handle}/words/try`);
  await tab.getByRole('button', { name: 'Preview for free' }).click();
  await tab.getByText('Write a text first').waitFor();
  await tab.getByLabel('Texts, one a line').fill(Array.from({ length: 9 }, () => 'hello').join('\n'));
  await tab.getByRole('button', { name: 'Run on this device' }).click();
  await tab.getByText('from 1 to 8 are allowed').waitFor();
  await tab.goto(`${page}/models/${handle}/colours/try`);
  await tab.getByRole('button', { name: 'Picture file' }).click();
  await tab.locator('input[type=file]').setInputFiles({ name: 'not.png', mimeType: 'image/png', buffer: Buffer.from('not a picture') });
  await tab.getByRole('button', { name: 'Run on this device' }).click();
  await tab.getByRole('alert').getByText(/images\[0\]/).waitFor();
  assert.deepEqual(errors, []);
  await context.close();
});

test('should see what is in a picture file, PNG and JPEG, on the chain and on this device alike', async () => {
  const { context, tab, errors } = await browser.visitor();
  await tab.goto(`${page}/models/${handle}/colours/try`);
  await tab.getByRole('button', { name: 'Picture file' }).click();
  const file = tab.locator('input[type=file]');
  await file.setInputFiles({ name: 'red.png', mimeType: 'image/png', buffer: png(37, 23, (x, y) => [200 + (x % 50), (y * 7) % 60, (x * y) % 90]) });
  await tab.getByText('red.png').waitFor();
  await previewed(tab);
  await tab.locator('[data-tid="preview"] [data-tid="answer-top"]').getByText('red', { exact: true }).waitFor();
  await runsAlike(tab);
  assert.equal(await tab.locator('[data-tid="on-device"] [data-tid="answer-top"]').innerText(), 'red');
  // A JPEG as cameras make them, from the browser's own encoder.
  const jpeg = await tab.evaluate(async () => {
    const canvas = new OffscreenCanvas(120, 90);
    const drawing = canvas.getContext('2d');
    for (let x = 0; x < 120; x += 1) {
      drawing.fillStyle = `rgb(${x / 3}, ${(x * 2) % 60}, ${150 + (x % 100)})`;
      drawing.fillRect(x, 0, 1, 90);
    }
    const blob = await canvas.convertToBlob({ type: 'image/jpeg', quality: 0.9 });
    return [...new Uint8Array(await blob.arrayBuffer())];
  });
  await file.setInputFiles({ name: 'blue.jpg', mimeType: 'image/jpeg', buffer: Buffer.from(jpeg) });
  await previewed(tab);
  await tab.locator('[data-tid="preview"] [data-tid="answer-top"]').getByText('blue', { exact: true }).waitFor();
  await runsAlike(tab);
  assert.equal(await tab.locator('[data-tid="on-device"] [data-tid="answer-top"]').innerText(), 'blue');
  await screenshot(tab, 'try-picture');
  // As large as a telephone takes them, in pixels and in bytes: grain is what makes photographs large.
  const photograph = await tab.evaluate(async () => {
    const canvas = new OffscreenCanvas(4_000, 3_000);
    const drawing = canvas.getContext('2d');
    const pixels = drawing.createImageData(4_000, 3_000);
    for (let at = 0; at < pixels.data.length; at += 4) {
      const grain = Math.random() * 60;
      pixels.data.set([200 - grain, grain, 60 - grain, 255], at);
    }
    drawing.putImageData(pixels, 0, 0);
    const blob = await canvas.convertToBlob({ type: 'image/jpeg', quality: 0.9 });
    const text = new FileReader();
    return new Promise((resolve) => {
      text.onload = () => resolve(text.result.split(',')[1]);
      text.readAsDataURL(blob);
    });
  });
  const large = Buffer.from(photograph, 'base64');
  assert.ok(large.length > 2 << 20, `${large.length} bytes`);
  await file.setInputFiles({ name: 'red.jpg', mimeType: 'image/jpeg', buffer: large });
  await tab.getByText(/red\.jpg, .*: made smaller for a call to carry it, 1024 by 768 pixels/).waitFor();
  await previewed(tab);
  await tab.locator('[data-tid="preview"] [data-tid="answer-top"]').getByText('red', { exact: true }).waitFor();
  await runsAlike(tab);
  assert.deepEqual(errors, []);
  await context.close();
});

test('should take a picture with the camera and let go of the camera', async () => {
  const { context, tab, errors } = await browser.visitor();
  await tab.goto(`${page}/models/${handle}/colours/try`);
  await tab.getByRole('button', { name: 'Camera', exact: true }).click();
  await tab.getByRole('button', { name: 'Take a picture' }).click();
  await tab.getByRole('img', { name: 'What the camera saw' }).waitFor();
  assert.equal(await tab.locator('video').count(), 0);
  await previewed(tab);
  // Its background is green.
  await tab.locator('[data-tid="preview"] [data-tid="answer-top"]').getByText('green', { exact: true }).waitFor();
  await runsAlike(tab);
  await screenshot(tab, 'try-camera');
  assert.deepEqual(errors, []);
  await context.close();
});

test('should say what to do where there is no camera', async () => {
  const without = await launch();
  const { context, tab } = await without.visitor();
  await tab.goto(`${page}/models/${handle}/colours/try`);
  await tab.getByRole('button', { name: 'Camera', exact: true }).click();
  await tab.getByRole('alert').getByText('choose a file instead').waitFor();
  await context.close();
  await without.close();
});

test('should run a drawing on this device as on the chain', async () => {
  const { context, tab, errors } = await browser.visitor();
  await tab.goto(`${page}/models/stoa/digits/try`);
  const pad = tab.locator('[data-tid="draw-pad"]');
  await pad.waitFor();
  const box = await pad.boundingBox();
  await tab.mouse.move(box.x + box.width * 0.55, box.y + box.height * 0.08);
  await tab.mouse.down();
  await tab.mouse.move(box.x + box.width * 0.5, box.y + box.height * 0.92, { steps: 12 });
  await tab.mouse.up();
  await runsAlike(tab);
  assert.equal(await tab.locator('[data-tid="on-device"] [data-tid="answer-top"]').innerText(), '1');
  assert.deepEqual(errors, []);
  await context.close();
});

test('should draw with a finger on a phone, and with the arrow keys', async () => {
  const { context, tab, errors } = await browser.visitor({ viewport: { width: 390, height: 844 }, touch: true });
  await tab.goto(`${page}/models/stoa/digits/try`);
  const pad = tab.locator('[data-tid="draw-pad"]');
  await pad.waitFor();
  await pad.scrollIntoViewIfNeeded();
  const scrolledTo = await tab.evaluate(() => globalThis.scrollY);
  const box = await pad.boundingBox();
  const session = await context.newCDPSession(tab);
  const touch = (type, ...points) =>
    session.send('Input.dispatchTouchEvent', { type, touchPoints: points.map(([x, y]) => ({ x: box.x + box.width * x, y: box.y + box.height * y })) });
  await touch('touchStart', [0.55, 0.08]);
  for (let step = 1; step <= 12; step += 1) await touch('touchMove', [0.55 - 0.05 * (step / 12), 0.08 + 0.84 * (step / 12)]);
  await touch('touchEnd');
  // The finger drew; the page did not scroll below it.
  assert.equal(await tab.evaluate(() => globalThis.scrollY), scrolledTo);
  await previewed(tab);
  const top = tab.locator('[data-tid="preview"] [data-tid="answer-top"]');
  await top.getByText('1', { exact: true }).waitFor();
  await screenshot(tab, 'try-phone-drawn');

  await tab.getByRole('button', { name: 'Clear the drawing' }).focus();
  await tab.keyboard.press('Enter');
  await pad.focus();
  for (let column = 0; column < 3; column += 1) await tab.keyboard.press('ArrowRight');
  for (let row = 0; row < 8; row += 1) {
    await tab.keyboard.press(' ');
    await tab.keyboard.press('ArrowDown');
  }
  await previewed(tab);
  await top.getByText('1', { exact: true }).waitFor();
  assert.deepEqual(errors, []);
  await context.close();
});
