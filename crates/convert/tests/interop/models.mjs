// Makes models with TensorFlow.js, saves them as it saves them, and writes down what it computes with them.
//
//   node models.mjs make <folder>              each model below as <folder>/<name>/{model.json, weights.bin, cases.json}
//   node models.mjs run <folder> <cases.json>  a model that is there, on the inputs of the file; answers on standard output
//
// Weights and inputs come from a generator with a fixed seed, so that every run makes the same files.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';

const { layers } = tfl;

/** Mulberry32: 32 bits of state, evenly spread over [0, 1). */
function generator(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

const chain = (inputShape, ...rest) => {
  const [first, ...others] = rest;
  const model = tfl.sequential();
  model.add(layers.inputLayer({ inputShape }));
  model.add(first);
  for (const layer of others) model.add(layer);
  return model;
};

const ACTIVATIONS = [
  'linear', 'relu', 'relu6', 'sigmoid', 'hardSigmoid', 'tanh', 'elu', 'selu', 'softplus', 'softsign', 'softmax',
  'logSoftmax', 'swish', 'mish', 'gelu', 'gelu_new',
];

const MODELS = {
  'text-average': () => {
    const model = tfl.sequential();
    model.add(layers.embedding({ inputDim: 50, outputDim: 7, inputLength: 20 }));
    model.add(layers.globalAveragePooling1d());
    model.add(layers.dense({ units: 7, activation: 'relu' }));
    model.add(layers.dropout({ rate: 0.2 }));
    model.add(layers.dense({ units: 2, activation: 'softmax' }));
    return model;
  },
  'text-convolution': () => {
    const model = tfl.sequential();
    model.add(layers.embedding({ inputDim: 30, outputDim: 8, inputLength: 16 }));
    model.add(layers.spatialDropout1d({ rate: 0.1 }));
    model.add(layers.conv1d({ filters: 6, kernelSize: 3, padding: 'same', dilationRate: 2, activation: 'tanh' }));
    model.add(layers.conv1d({ filters: 5, kernelSize: 4, padding: 'same', strides: 2, activation: 'relu' }));
    model.add(layers.maxPooling1d({ poolSize: 3, strides: 2, padding: 'same' }));
    model.add(layers.conv1d({ filters: 4, kernelSize: 2, useBias: false }));
    model.add(layers.averagePooling1d({ poolSize: 2 }));
    model.add(layers.globalMaxPooling1d());
    model.add(layers.dense({ units: 1, activation: 'sigmoid' }));
    return model;
  },
  'image-plain': () =>
    chain(
      [15, 13, 3],
      layers.conv2d({ filters: 8, kernelSize: [3, 5], strides: 2, padding: 'same', activation: 'relu' }),
      layers.batchNormalization(),
      layers.maxPooling2d({ poolSize: 2 }),
      layers.conv2d({ filters: 6, kernelSize: 2, dilationRate: 2, padding: 'same', activation: 'relu6' }),
      layers.averagePooling2d({ poolSize: [2, 3], strides: 1, padding: 'same' }),
      layers.flatten(),
      layers.dense({ units: 10, activation: 'softmax' }),
    ),
  'image-mobile': () =>
    chain(
      [16, 16, 3],
      layers.zeroPadding2d({ padding: [[0, 1], [2, 1]] }),
      layers.conv2d({ filters: 8, kernelSize: 3, strides: 2, useBias: false }),
      layers.batchNormalization({ scale: false, epsilon: 0.01 }),
      layers.reLU({ maxValue: 6 }),
      layers.depthwiseConv2d({ kernelSize: 3, padding: 'same', depthMultiplier: 2 }),
      layers.separableConv2d({ filters: 5, kernelSize: 3, strides: 2, padding: 'same', depthMultiplier: 2 }),
      layers.leakyReLU({ alpha: 0.1 }),
      layers.globalAveragePooling2d({}),
      layers.dense({ units: 4 }),
      layers.softmax({ axis: -1 }),
    ),
  'image-up': () =>
    chain(
      [4, 5, 2],
      layers.upSampling2d({ size: [2, 3] }),
      layers.cropping2D({ cropping: [[1, 0], [2, 3]] }),
      layers.conv2d({ filters: 3, kernelSize: 3, padding: 'valid' }),
      layers.prelu({ sharedAxes: [1, 2] }),
      layers.globalMaxPooling2d({}),
      layers.thresholdedReLU({ theta: 0.05 }),
    ),
  shapes: () =>
    chain(
      [4, 6],
      layers.reshape({ targetShape: [2, 4, 3] }),
      layers.permute({ dims: [3, 1, 2] }),
      layers.layerNormalization(),
      layers.elu(),
      layers.flatten(),
      layers.dense({ units: 5 }),
      layers.repeatVector({ n: 3 }),
      layers.dense({ units: 2, activation: 'softsign' }),
      layers.gaussianNoise({ stddev: 1 }),
      layers.reshape({ targetShape: [2, -1] }),
    ),
  activations: () => {
    const input = tf.tidy(() => tfl.input({ shape: [6] }));
    const branches = ACTIVATIONS.map((activation, index) =>
      layers.activation({ activation, name: `branch_${index}` }).apply(input),
    );
    return tfl.model({ inputs: input, outputs: branches });
  },
  branches: () => {
    const left = tfl.input({ shape: [8], name: 'left' });
    const right = tfl.input({ shape: [8], name: 'right' });
    const shared = layers.dense({ units: 6, activation: 'tanh', name: 'shared' });
    const [a, b] = [shared.apply(left), shared.apply(right)];
    const merged = [
      layers.add().apply([a, b]),
      layers.multiply().apply([a, b]),
      layers.average().apply([a, b]),
      layers.maximum().apply([a, b]),
      layers.minimum().apply([a, b]),
    ];
    const joined = layers.concatenate().apply(merged);
    const first = layers.dense({ units: 3, name: 'first' }).apply(joined);
    const second = layers.dense({ units: 2, name: 'second', activation: 'softmax' }).apply(joined);
    return tfl.model({ inputs: [left, right], outputs: [first, second] });
  },
  // As transfer learning makes them: models as layers of a model.
  nested: () => {
    const base = tfl.sequential({ name: 'base' });
    base.add(layers.conv2d({ inputShape: [8, 8, 1], filters: 4, kernelSize: 3, activation: 'relu', name: 'stem' }));
    base.add(layers.globalAveragePooling2d({ name: 'pool' }));
    const head = tfl.sequential({ name: 'head' });
    head.add(layers.dense({ inputShape: [4], units: 3, activation: 'softmax', name: 'classes' }));
    const model = tfl.sequential();
    model.add(base);
    model.add(head);
    return model;
  },
};

function fill(model, random) {
  for (const weight of model.weights) {
    const size = weight.shape.reduce((product, extent) => product * extent, 1);
    const isVariance = weight.name.includes('variance');
    const data = Float32Array.from({ length: size }, () => (isVariance ? 0.5 + random() : random() * 1.2 - 0.6));
    weight.write(tf.tensor(data, weight.shape));
  }
}

/** Two rows of each input; indices where an Embedding reads them. */
function example(model, random) {
  const first = model.layers.find((layer) => layer.getClassName() !== 'InputLayer');
  const isIndex = first.getClassName() === 'Embedding';
  return model.inputs.map((input) => {
    const shape = input.shape.map((extent) => extent ?? 2);
    const size = shape.reduce((product, extent) => product * extent, 1);
    const value = () => (isIndex ? Math.floor(random() * first.inputDim) : random() * 8 - 4);
    return { shape, data: Array.from({ length: size }, () => Math.fround(value())), type: isIndex ? 'int32' : 'float32' };
  });
}

function compute(model, inputs) {
  const tensors = inputs.map(({ shape, data, type }) => tf.tensor(data, shape, type));
  const answer = model.predict(tensors.length === 1 ? tensors[0] : tensors);
  return [answer].flat().map((tensor) => ({ shape: tensor.shape, data: Array.from(tensor.dataSync()) }));
}

async function make(folder) {
  for (const [name, build] of Object.entries(MODELS)) {
    const random = generator(2026);
    const model = build();
    fill(model, random);
    const own = join(folder, name);
    mkdirSync(own, { recursive: true });
    await model.save(
      tf.io.withSaveHandler(async ({ modelTopology, weightSpecs, weightData, format }) => {
        // Two shards, cut where no tensor ends.
        const bytes = Buffer.from(tf.io.CompositeArrayBuffer?.join?.(weightData) ?? weightData);
        const cut = Math.min(bytes.length, 37);
        writeFileSync(join(own, 'a.bin'), bytes.subarray(0, cut));
        writeFileSync(join(own, 'b.bin'), bytes.subarray(cut));
        const weightsManifest = [{ paths: ['a.bin', 'b.bin'], weights: weightSpecs }];
        writeFileSync(join(own, 'model.json'), JSON.stringify({ format, modelTopology, weightsManifest }));
        return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: 'JSON' } };
      }),
    );
    const inputs = example(model, random);
    writeFileSync(join(own, 'cases.json'), JSON.stringify([{ inputs, outputs: compute(model, inputs) }]));
  }
}

async function run(folder, file) {
  const { modelTopology, weightsManifest } = JSON.parse(readFileSync(join(folder, 'model.json'), 'utf8'));
  const shards = weightsManifest.flatMap(({ paths }) => paths.map((path) => readFileSync(join(folder, path))));
  const bytes = Buffer.concat(shards);
  const weightData = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
  const weightSpecs = weightsManifest.flatMap(({ weights }) => weights);
  const model = await tfl.loadLayersModel(tf.io.fromMemory({ modelTopology, weightSpecs, weightData }));
  const cases = JSON.parse(readFileSync(file, 'utf8'));
  console.log(JSON.stringify(cases.map(({ inputs }) => ({ inputs, outputs: compute(model, inputs) }))));
}

const [command, ...rest] = process.argv.slice(2);
await tf.setBackend('cpu');
if (command === 'make') await make(...rest);
else if (command === 'run') await run(...rest);
else throw new Error('usage: node models.mjs make <folder> | run <folder> <cases.json>');
