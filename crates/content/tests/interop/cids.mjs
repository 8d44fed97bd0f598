// Reads a list of cases from standard input and prints the CID that ipfs-unixfs-importer gives to each,
// with the options that its `unixfs-v1-2025` profile sets and no others. A case is a list of {path, size}; a file's
// bytes are those of `chunkBytes`, so that the two programs make them alike without passing gigabytes.
import { BlackHoleBlockstore } from 'blockstore-core/black-hole'
import { importer } from 'ipfs-unixfs-importer'
import { text } from 'node:stream/consumers'

const MIB = 1 << 20

// Byte i of chunk n is (i * 31 + i >> 8) mod 256, but for the first four, which are n (little-endian).
const pattern = new Uint8Array(MIB)
for (let i = 0; i < MIB; i++) pattern[i] = (i * 31 + (i >> 8)) & 0xff

function chunkBytes (n, size) {
  const bytes = pattern.slice(0, size)
  const number = new Uint8Array(new Uint32Array([n]).buffer)
  bytes.set(number.subarray(0, Math.min(4, size)))
  return bytes
}

async function * content (size) {
  for (let n = 0; n * MIB < size; n++) yield chunkBytes(n, Math.min(MIB, size - n * MIB))
}

const blockstore = new BlackHoleBlockstore()
const answers = []
for (const files of JSON.parse(await text(process.stdin))) {
  const source = files.map(({ path, size }) => ({ path, content: content(size) }))
  const wrapWithDirectory = files.length > 1
  let root
  for await (const entry of importer(source, blockstore, { profile: 'unixfs-v1-2025', wrapWithDirectory })) root = entry
  answers.push({ cid: root.cid.toString(), cumulativeSize: Number(root.size) })
}
console.log(JSON.stringify(answers))
