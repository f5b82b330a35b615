import { Keyword } from "./Keyword.ts"
import { isPlainKey } from "./MapKey.ts"

/**
 * How a column is stored.
 *
 * `integer` 32 bits · `double` 64 bits, for all other numbers · `time` a double · `boolean` a byte · `text` a length
 * here, the text with those of the other rows · `symbol` a byte that points into the frame's own list of up to 255
 * strings and keywords · `bytes` as text · `nothing` nil in every row · `any` as in rows
 */
export type ColumnKind = "integer" | "double" | "time" | "boolean" | "text" | "symbol" | "bytes" | "nothing" | "any"

/** How the items of a frame look: all of one kind, or maps with the same keys. */
export type Shape = Column | MapShape

export interface Column {
  readonly kind: ColumnKind
  /** Some rows are nil; a byte for each row says which. */
  readonly nullable: boolean
}

export interface MapShape {
  readonly kind: "map"
  readonly keys: ReadonlyArray<string>
  readonly shapes: ReadonlyArray<Shape>
}

// Beyond these, generated code grows for little gain, and rows do.
const maxShapeDepth = 4
const maxKeys = 64

const any: Column = { kind: "any", nullable: false }
const nothing: Column = { kind: "nothing", nullable: false }

/** The shape that all of `items[from]` up to `items[to]` have in common with `known`. */
export const shapeOf = (items: ReadonlyArray<unknown>, from: number, to: number, known?: Shape): Shape => {
  let shape = known
  for (let i = from; i < to; i++) {
    const next = shapeOfItem(items[i], 0)
    shape = shape === undefined ? next : join(shape, next)
    if (shape.kind === "any") return any
  }
  return shape ?? any
}

const shapeOfItem = (item: unknown, depth: number): Shape => {
  switch (typeof item) {
    case "number":
      return (item | 0) === item && !Object.is(item, -0) ? integer : double
    case "string":
      return text
    case "boolean":
      return boolean
    case "object":
      return item === null ? nothing : shapeOfObject(item, depth)
    default:
      return any
  }
}

const integer: Column = { kind: "integer", nullable: false }
const double: Column = { kind: "double", nullable: false }
const boolean: Column = { kind: "boolean", nullable: false }
const text: Column = { kind: "text", nullable: false }
const symbol: Column = { kind: "symbol", nullable: false }
const time: Column = { kind: "time", nullable: false }
const bytes: Column = { kind: "bytes", nullable: false }

const shapeOfObject = (item: object, depth: number): Shape => {
  if (item instanceof Keyword) return symbol
  if (item instanceof Date) return time
  if (item instanceof Uint8Array) return bytes
  const prototype = Object.getPrototypeOf(item)
  if ((prototype !== Object.prototype && prototype !== null) || depth >= maxShapeDepth) return any
  const keys = Object.keys(item)
  if (keys.length === 0 || keys.length > maxKeys || !keys.every((key) => isPlainKey(key) && key.isWellFormed())) return any
  return { kind: "map", keys, shapes: keys.map((key) => shapeOfItem((item as Record<string, unknown>)[key], depth + 1)) }
}

const join = (a: Shape, b: Shape): Shape => {
  if (a.kind === "map") return b.kind === "map" ? joinMaps(a, b) : any
  if (b.kind === "map") return any
  if (a.kind === "any" || b.kind === "any") return any
  if (a.kind === "nothing") return b.kind === "nothing" ? a : { kind: b.kind, nullable: true }
  if (b.kind === "nothing") return a.nullable ? a : { kind: a.kind, nullable: true }
  const nullable = a.nullable || b.nullable
  if (a.kind === b.kind) return nullable === a.nullable ? a : b
  const kinds = new Set([a.kind, b.kind])
  if (kinds.has("integer") && kinds.has("double")) return { kind: "double", nullable }
  if (kinds.has("text") && kinds.has("symbol")) return { kind: "symbol", nullable }
  return any
}

const joinMaps = (a: MapShape, b: MapShape): Shape => {
  if (a.keys.length !== b.keys.length) return any
  const shapes: Array<Shape> = []
  for (const [i, key] of a.keys.entries()) {
    const other = b.keys[i] === key ? i : b.keys.indexOf(key)
    if (other < 0) return any
    shapes.push(join(a.shapes[i]!, b.shapes[other]!))
  }
  return { kind: "map", keys: a.keys, shapes }
}

/** The same shape with each text column put as `decide` says: as text, or as symbols where few texts repeat. */
export const withSymbols = (shape: Shape, decide: (path: ReadonlyArray<string>) => boolean, path: ReadonlyArray<string> = []): Shape => {
  if (shape.kind === "map")
    return { ...shape, shapes: shape.shapes.map((inner, i) => withSymbols(inner, decide, [...path, shape.keys[i]!])) }
  return shape.kind === "text" && decide(path) ? { kind: "symbol", nullable: shape.nullable } : shape
}

/** What stands at a path of map keys, without ever leaving an item's own properties. */
export const at = (item: unknown, path: ReadonlyArray<string>): unknown => {
  let found = item
  for (const key of path)
    found = typeof found === "object" && found !== null && Object.hasOwn(found, key) ? (found as Record<string, unknown>)[key] : undefined
  return found
}

const letters: Readonly<Record<ColumnKind, string>> = {
  integer: "i",
  double: "f",
  time: "m",
  boolean: "b",
  text: "t",
  symbol: "s",
  bytes: "x",
  nothing: "n",
  any: "a"
}
const kindByLetter = new Map(Object.entries(letters).map(([kind, letter]) => [letter, kind as ColumnKind]))

/** A shape as it is written in each frame: JSON, `"i"` or `["id","i","at",["x","f?"]]`. */
export const shapeToText = (shape: Shape): string => JSON.stringify(toJson(shape))

const toJson = (shape: Shape): unknown =>
  shape.kind === "map" ? shape.keys.flatMap((key, i) => [key, toJson(shape.shapes[i]!)]) : letters[shape.kind] + (shape.nullable ? "?" : "")

/** The shape that a frame names, or `undefined` for what no `shapeToText` wrote. */
export const shapeFromText = (written: string): Shape | undefined => {
  try {
    return fromJson(JSON.parse(written), 0)
  } catch {
    return undefined
  }
}

const fromJson = (json: unknown, depth: number): Shape | undefined => {
  if (typeof json === "string") {
    const kind = kindByLetter.get(json.slice(0, 1))
    const nullable = json.length === 2 && json[1] === "?"
    if (kind === undefined || (json.length !== 1 && !nullable)) return undefined
    return nullable && (kind === "any" || kind === "nothing") ? undefined : { kind, nullable }
  }
  if (!Array.isArray(json) || json.length === 0 || json.length % 2 !== 0 || json.length > maxKeys * 2 || depth > maxShapeDepth)
    return undefined
  const keys: Array<string> = []
  const shapes: Array<Shape> = []
  for (let i = 0; i < json.length; i += 2) {
    const key: unknown = json[i]
    const shape = fromJson(json[i + 1], depth + 1)
    if (typeof key !== "string" || !isPlainKey(key) || keys.includes(key) || shape === undefined) return undefined
    keys.push(key)
    shapes.push(shape)
  }
  return { kind: "map", keys, shapes }
}
