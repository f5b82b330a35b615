import { UnencodableValue } from "./errors.ts"
import { ErrorValue } from "./ErrorValue.ts"
import { HostObject } from "./HostObject.ts"
import { Keyword } from "./Keyword.ts"
import { maxDepth, maxIntegerBytes, maxItemBytes } from "./limits.ts"
import { isPlainMap } from "./MapKey.ts"

/** What a writer throws. One object for all refusals, since the hot path knows neither path nor reason: `refusal` finds them afterwards. */
export const refused = new Error("the value can't be encoded")

/** What a writer throws instead when there is too much: looking at such a value once more would take as long again. */
export const tooLarge = new Error("the value takes too many bytes")

/** Turns a failure of a writer into one that says where and why, by looking at the value once more. */
export const refusal = (
  error: unknown,
  value: unknown,
  root: string,
  { index = -1, maxBytes = maxItemBytes }: { readonly index?: number; readonly maxBytes?: number } = {}
): unknown => {
  if (error === tooLarge) {
    return new UnencodableValue({
      path: root,
      problem: `it takes more than ${maxBytes / 1024 ** 2} MB; a part that is used in several places is written at each of them`,
      fix: "Send its parts one by one.",
      index
    })
  }
  if (error !== refused) return error
  const found = firstRefused(value, root, 0) ?? {
    path: root,
    problem: "it changed while it was encoded",
    fix: "Give it a value that stays as it is."
  }
  return new UnencodableValue({ ...found, index })
}

interface Refusal {
  readonly path: string
  readonly problem: string
  readonly fix: string
}

const firstRefused = (value: unknown, path: string, depth: number): Refusal | undefined => {
  const why = (problem: string, fix: string): Refusal => ({ path: path.length > 200 ? `${path.slice(0, 200)}…` : path, problem, fix })
  if (typeof value === "function") return why("it is a function", "Call it before, or pass what it would return.")
  if (typeof value === "symbol") return why("it is a symbol", "Use a keyword or a string.")
  if (typeof value === "string" && !value.isWellFormed())
    return why("the text holds half of a surrogate pair, which is no Unicode", "Repair it first, for example with toWellFormed().")
  if (typeof value === "bigint" && (value < 0n ? -value : value).toString(16).length > maxIntegerBytes * 2)
    return why(`the integer is longer than ${maxIntegerBytes} bytes`, "Send it as text.")
  if (typeof value !== "object" || value === null) return undefined
  if (depth >= maxDepth) return why(`it nests deeper than ${maxDepth} levels, or holds itself`, "Send a flatter value.")
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      const found = firstRefused(value[i], `${path}[${i}]`, depth + 1)
      if (found !== undefined) return found
    }
    return undefined
  }
  if (value instanceof Keyword) return value.name.isWellFormed() ? undefined : why("the keyword's name is no Unicode", "Rename it.")
  if (value instanceof HostObject) return why(`it is #<${value.label}>, which lives in this process only`, "Send a name or an id for it.")
  if (value instanceof Map) return refusedEntry(value, path, depth)
  if (value instanceof Uint8Array) return undefined
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? why("it is an invalid date", "Use nil for an unknown time.") : undefined
  if (value instanceof Error || value instanceof ErrorValue) {
    const error = value instanceof Error ? ErrorValue.of(value) : value
    return firstRefused([error.type, error.message, error.data, error.name], `${path}.error`, depth)
  }
  if (!isPlainMap(value))
    return why(`it is an instance of ${String(value.constructor?.name ?? "a class")}`, "Send a plain object or array of its data.")
  for (const key of Object.keys(value)) {
    if (!key.isWellFormed())
      return why(`its key ${JSON.stringify(key)} is no Unicode`, "Repair the key first, for example with toWellFormed().")
    const found = firstRefused(value[key], `${path}.${key}`, depth + 1)
    if (found !== undefined) return found
  }
  return undefined
}

const refusedEntry = (map: ReadonlyMap<unknown, unknown>, path: string, depth: number): Refusal | undefined => {
  for (const [key, value] of map) {
    const found = firstRefused(key, `${path}.(key)`, depth + 1) ?? firstRefused(value, `${path}.(value)`, depth + 1)
    if (found !== undefined) return found
  }
  return { path, problem: 'two of its keys are the same to RTFS, such as "a" and :a', fix: "Remove one of them." }
}
