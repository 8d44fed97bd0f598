// The bytes of test files, which tests/interop.rs makes alike without passing them around.
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

export async function * content (size) {
  for (let n = 0; n * MIB < size; n++) yield chunkBytes(n, Math.min(MIB, size - n * MIB))
}
