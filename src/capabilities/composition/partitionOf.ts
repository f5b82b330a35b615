import { isKeyword, keyOf } from "../../serialization/index.ts"

/**
 * Which of `count` partitions a key belongs to: the same for equal keys (as RTFS calls them equal), in every process.
 * Only keys that hold functions, streams or other things of the host differ from process to process.
 *
 * **Fails** as `keyOf` does, for keys that are too deep or too large.
 */
export const partitionOf = (key: unknown, count: number): number => hashOf(keyOf(key)) % count

const hashOf = (key: unknown): number => {
  if (typeof key === "string") return mixed(hashOfText(key))
  if (typeof key === "number") return mixed(hashOfNumber(key))
  // Other than the text of the same letters.
  if (isKeyword(key)) return mixed(hashOfText(key.name) ^ 0x5bd1e995)
  return mixed(hashOfText(`${typeof key} ${String(key)}`))
}

/** FNV-1a over the 16-bit units. */
const hashOfText = (text: string): number => {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash
}

const double = new DataView(new ArrayBuffer(8))

const hashOfNumber = (value: number): number => {
  // −0 equals 0.
  if ((value | 0) === value) return value | 0
  double.setFloat64(0, value)
  return double.getInt32(0) ^ Math.imul(double.getInt32(4), 0x9e3779b1)
}

/** Each bit of the result depends on each bit: neighbours go to different partitions. The last step of MurmurHash3. */
const mixed = (hash: number): number => {
  let bits = hash
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b)
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35)
  return (bits ^ (bits >>> 16)) >>> 0
}
