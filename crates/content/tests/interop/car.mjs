// CAR files against @ipld/car. `car.mjs read <file>` prints its roots and blocks, each hashed again; `car.mjs write <file>` reads
// a list of {path, size} from standard input, imports it with the `unixfs-v1-2025` profile and writes every block, in the
// order in which the importer made them (children first).
import { CarReader, CarWriter } from '@ipld/car'
import { BaseBlockstore } from 'blockstore-core'
import { importer } from 'ipfs-unixfs-importer'
import { CID } from 'multiformats/cid'
import { sha256 } from 'multiformats/hashes/sha2'
import { createReadStream, createWriteStream } from 'node:fs'
import { Readable } from 'node:stream'
import { finished } from 'node:stream/promises'
import { text } from 'node:stream/consumers'
import { content } from './pattern.mjs'

const [, , command, path] = process.argv

if (command === 'read') {
  const reader = await CarReader.fromIterable(createReadStream(path))
  const blocks = []
  for await (const { cid, bytes } of reader.blocks()) {
    const hash = CID.createV1(cid.code, await sha256.digest(bytes))
    if (!hash.equals(cid)) throw new Error(`${cid} hashes to ${hash}`)
    blocks.push(cid.toString())
  }
  console.log(JSON.stringify({ version: reader.version, roots: (await reader.getRoots()).map(String), blocks }))
} else {
  const blocks = new Map()
  class Collected extends BaseBlockstore {
    async put (cid, bytes) { blocks.set(cid.toString(), { cid, bytes: await whole(bytes) }); return cid }
  }
  async function whole (bytes) {
    if (bytes instanceof Uint8Array) return bytes
    const parts = []
    for await (const part of bytes) parts.push(part)
    return Buffer.concat(parts)
  }
  const files = JSON.parse(await text(process.stdin))
  const source = files.map(({ path, size }) => ({ path, content: content(size) }))
  let root
  for await (const entry of importer(source, new Collected(), { profile: 'unixfs-v1-2025', wrapWithDirectory: files.length > 1 })) root = entry
  const { writer, out } = CarWriter.create([root.cid])
  const file = createWriteStream(path)
  const done = finished(Readable.from(out).pipe(file))
  for (const block of blocks.values()) await writer.put(block)
  await writer.close()
  await done
  console.log(JSON.stringify({ root: root.cid.toString() }))
}
