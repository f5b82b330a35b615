import { ValueTooDeep } from "./errors.ts"
import { ErrorValue } from "./ErrorValue.ts"
import { isPlainMap } from "./MapKey.ts"
import { maxDepth } from "./limits.ts"
import type { TextBuffer } from "./ValueWriter.ts"

/**
 * The same text in memory of its own.
 *
 * Texts out of a frame are slices: one of 20 characters keeps the frame's whole text alive. So whoever keeps a text
 * longer than its frame (the keys of `distinct` and `group-by`, caches, state) keeps a detached one.
 */
export const detachString = (text: string): string => {
  const { length } = text
  if (length < 13) return text // V8 copies short slices by itself
  const bytes = length * 2 <= scratch.length ? scratch : (Buffer.allocUnsafeSlow(length * 2) as TextBuffer)
  bytes.latin1Write(text, 0)
  const narrow = bytes.latin1Slice(0, length)
  if (narrow === text) return narrow
  bytes.write(text, 0, "utf16le") // and not UTF-8, which would replace half surrogate pairs
  return bytes.toString("utf16le", 0, length * 2)
}

const scratch = Buffer.allocUnsafeSlow(4096) as TextBuffer

/**
 * A copy of a value that shares no memory with the frame it came from. Keywords, functions and host objects stay.
 *
 * **Fails** with `ValueTooDeep` beyond 512 levels.
 */
export const detach = <Value>(value: Value): Value => detached(value, 0) as Value

const detached = (value: unknown, depth: number): unknown => {
  if (typeof value === "string") return detachString(value)
  if (typeof value !== "object" || value === null) return value
  if (depth >= maxDepth) throw new ValueTooDeep({ limit: maxDepth })
  if (Array.isArray(value)) return value.map((item) => detached(item, depth + 1))
  if (value instanceof Uint8Array) return new Uint8Array(value)
  if (value instanceof Map) return new Map(Array.from(value, ([key, held]) => [detached(key, depth + 1), detached(held, depth + 1)]))
  if (value instanceof ErrorValue)
    return new ErrorValue({
      type: value.type,
      message: detachString(value.message),
      data: detached(value.data, depth + 1),
      name: value.name === null ? null : detachString(value.name)
    })
  if (!isPlainMap(value)) return value
  const copy: Record<string, unknown> = {}
  for (const key of Object.keys(value)) {
    // Defined and not assigned: the host may have made a plain object with an own key `__proto__`.
    if (key === "__proto__")
      Object.defineProperty(copy, key, { value: detached(value[key], depth + 1), enumerable: true, writable: true, configurable: true })
    else copy[key] = detached(value[key], depth + 1)
  }
  return copy
}
