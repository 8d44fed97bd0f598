/** What the registry would refuse, said while people type. The registry decides; this spares them the way there. */
import type { Described } from './manifest';

export interface Finding {
  readonly field: string;
  readonly reason: string;
}

const HANDLE = /^(?=.{2,39}$)[a-z0-9]+(?:-[a-z0-9]+)*$/;
const MODEL_NAME = /^(?=.{1,96}$)[A-Za-z0-9]+(?:[-_.][A-Za-z0-9]+)*$/;
const TASK = /^(?=.{1,64}$)[a-z0-9]+(?:-[a-z0-9]+)*$/;
const SEMVER = /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?(?:\+[0-9A-Za-z.-]+)?$/;
const BASIS_POINTS = 10_000;

export function checkHandle(handle: string): Finding[] {
  return HANDLE.test(handle) ? [] : [{ field: 'publisher', reason: '2 to 39 small letters and digits with single hyphens between them, as in my-lab' }];
}

export function checkDescribed(described: Described, files: readonly string[]): Finding[] {
  const findings: Finding[] = [];
  const add = (field: string, reason: string): number => findings.push({ field, reason });
  if (!MODEL_NAME.test(described.name)) add('name', 'letters and digits with single "-", "_" or "." between them, as in bert-base-1.5');
  if (!SEMVER.test(described.version)) add('version', 'three numbers, as in 1.0.0 (or 1.0.0-beta.1)');
  if (described.license.trim() === '') add('license', 'an SPDX identifier, as in MIT or Apache-2.0');
  if (!TASK.test(described.task)) add('task', 'what it does in small letters, as in image-classification');
  if (!files.includes(described.pipeline.model)) {
    add('model file', described.pipeline.model === '' ? 'choose the ONNX file that is run' : `${described.pipeline.model} is not among the files`);
  }
  if (described.signature.inputs.length === 0) add('inputs', 'at least one tensor');
  if (described.signature.outputs.length === 0) add('outputs', 'at least one tensor');
  for (const [side, tensors] of Object.entries(described.signature)) {
    for (const tensor of tensors) {
      if (tensor.name === '') add(side, 'each tensor has a name');
      for (const dimension of tensor.shape) {
        if ('Dynamic' in dimension && (dimension.Dynamic.max < 1n || dimension.Dynamic.name === '')) {
          add(`${side}: ${tensor.name}`, 'an open dimension has a name and the largest value that a caller may choose');
        }
      }
    }
  }
  const shares = described.royalties.reduce((sum, share) => sum + share.basis_points, 0);
  if (shares > BASIS_POINTS) add('royalties', `the shares add up to ${shares / 100} %, and 100 % is all there is`);
  return findings;
}
