// Reads a list of cases from standard input and prints the CID that ipfs-unixfs-importer gives to each,
// with the options that its `unixfs-v1-2025` profile sets and no others. A case is a list of {path, size}; a file's
// bytes are those of `pattern.mjs`, so that the two programs make them alike without passing gigabytes.
import { BlackHoleBlockstore } from 'blockstore-core/black-hole'
import { importer } from 'ipfs-unixfs-importer'
import { text } from 'node:stream/consumers'
import { content } from './pattern.mjs'

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
