/**
 * About how much memory a value takes, in bytes, without encoding it: strings by length, numbers 8, a map 16 and its
 * entries. Cheap enough for each item; good for a bound, not for accounting. Values deeper than 64 count as flat.
 *
 * @param most where to stop counting. A part that is used twice counts twice, so a value of few parts can weigh more
 * than there are bytes in the world: who only wants to know whether it fits must not wait for the sum.
 * @returns the weight, or anything above `most`
 */
export const approximateBytes = (value: unknown, most: number): number => weigh(value, 0, most)

const weigh = (value: unknown, depth: number, most: number): number => {
  switch (typeof value) {
    case "string":
      return 16 + value.length
    case "object":
      break
    default:
      return 8
  }
  if (value === null || depth > 64) return 8
  if (ArrayBuffer.isView(value)) return 64 + value.byteLength
  let bytes = 16
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length && bytes <= most; i++) bytes += 8 + weigh(value[i], depth + 1, most - bytes)
  } else if (value instanceof Map) {
    for (const [key, entry] of value) {
      bytes += 32 + weigh(key, depth + 1, most - bytes)
      if (bytes > most) break
      bytes += weigh(entry, depth + 1, most - bytes)
      if (bytes > most) break
    }
  } else {
    for (const key in value) {
      if (bytes > most) break
      bytes += 8 + weigh((value as Record<string, unknown>)[key], depth + 1, most - bytes)
    }
  }
  return bytes
}
