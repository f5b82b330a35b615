import { Keyword } from "./Keyword.ts"
import type { Column, Shape } from "./ColumnShape.ts"

/** One leaf of a shape, and where its values stand in the columns. */
export interface Leaf extends Column {
  readonly path: ReadonlyArray<string>
  /** Which of the columns of doubles, of 32-bit integers or of bytes holds it; −1 for none. */
  readonly double: number
  readonly integer: number
  readonly byte: number
  /** Which column of bytes says where it is nil; −1 for none, also for symbols, where the code 0 is nil. */
  readonly presence: number
  /** Which of the parts behind the columns belongs to it; −1 for none. */
  readonly tail: number
}

/** The columns of a shape, in the order in which a frame holds them. */
export interface Layout {
  readonly shape: Shape
  readonly leaves: ReadonlyArray<Leaf>
  readonly doubles: number
  readonly integers: number
  readonly bytes: number
  readonly tails: number
}

/** The symbols of one column: a code from 1 to 255 for each string or keyword, the same from frame to frame of a sender. */
export interface Symbols {
  readonly codes: Map<unknown, number>
  /** The code of a symbol met for the first time; −1 if it is none or there are too many. */
  add(value: unknown): number
}

/**
 * Puts items into columns.
 *
 * @returns `to`, or the index of the first item that does not have the shape
 */
export type ColumnWriter = (
  items: ReadonlyArray<unknown>,
  from: number,
  to: number,
  columns: ColumnViews,
  symbols: ReadonlyArray<Symbols | undefined>,
  parts: ColumnParts
) => number

/** What a writer gathers for the parts behind the columns, by the number of the part. */
export interface ColumnParts {
  readonly texts: Array<string>
  readonly values: Array<Array<unknown>>
}

/** Makes items from columns. @returns whether the columns were consistent */
export type ColumnReader = (count: number, columns: ColumnViews, tails: ReadonlyArray<any>, into: Array<unknown>) => boolean

/** The three kinds of columns, and where in them the columns of a frame begin. */
export interface ColumnViews {
  doubles: Float64Array
  doublesFrom: number
  integers: Int32Array
  integersFrom: number
  bytes: Uint8Array
  bytesFrom: number
}

export const layoutOf = (shape: Shape): Layout => {
  const leaves: Array<Leaf> = []
  const counts = { doubles: 0, integers: 0, bytes: 0, tails: 0 }
  const visit = (inner: Shape, path: ReadonlyArray<string>): void => {
    if (inner.kind === "map") return inner.keys.forEach((key, i) => visit(inner.shapes[i]!, [...path, key]))
    const { kind, nullable } = inner
    leaves.push({
      kind,
      nullable,
      path,
      double: kind === "double" || kind === "time" ? counts.doubles++ : -1,
      integer: kind === "integer" || kind === "text" || kind === "bytes" ? counts.integers++ : -1,
      byte: kind === "boolean" || kind === "symbol" ? counts.bytes++ : -1,
      presence: nullable && kind !== "symbol" ? counts.bytes++ : -1,
      tail: kind === "text" || kind === "symbol" || kind === "bytes" || kind === "any" ? counts.tails++ : -1
    })
  }
  visit(shape, [])
  return { shape, leaves, ...counts }
}

/*
 * With CopyCode the only place of this folder that generates code. All names are `letter + number`, and all that comes from outside,
 * the keys of maps, is a string literal made by JSON.stringify, whose output is JavaScript since ES2019. `__proto__`
 * is no key of a shape. Generated code is several times faster than a loop over the leaves, because it reads and makes
 * each object with its own hidden class.
 */

export const literal = (text: string): string => JSON.stringify(text)

export const compile = <F>(
  parameters: ReadonlyArray<string>,
  free: ReadonlyArray<string>,
  values: ReadonlyArray<unknown>,
  body: string
): F => new Function(...free, `"use strict"; return function(${parameters.join(",")}) {${body}}`)(...values) as F

const columnBases = (layout: Layout): string => {
  const bases: Array<string> = []
  for (let i = 0; i < layout.doubles; i++) bases.push(`const df${i} = c.doublesFrom + ${i} * n`)
  for (let i = 0; i < layout.integers; i++) bases.push(`const di${i} = c.integersFrom + ${i} * n`)
  for (let i = 0; i < layout.bytes; i++) bases.push(`const db${i} = c.bytesFrom + ${i} * n`)
  return `const F = c.doubles, I = c.integers, B = c.bytes; ${bases.join("; ")};`
}

export const compileWriter = (layout: Layout): ColumnWriter => {
  const lines: Array<string> = []
  let next = 0
  let nextLeaf = 0

  const write = (shape: Shape, name: string, owner: string | undefined): void => {
    if (shape.kind !== "map") {
      lines.push(writeLeaf(layout.leaves[nextLeaf++]!, name, owner))
      return
    }
    lines.push(...checkMap(name, `k${next++}`, shape.keys.length, "i"))
    for (const [i, key] of shape.keys.entries()) {
      const inner = `v${next++}`
      lines.push(`const ${inner} = ${name}[${literal(key)}];`)
      write(shape.shapes[i]!, inner, name)
    }
  }
  write(layout.shape, "r", undefined)

  const texts = layout.leaves.filter((leaf) => leaf.kind === "text")
  const symbols = layout.leaves.filter((leaf) => leaf.kind === "symbol")
  const kept = layout.leaves.filter((leaf) => leaf.kind === "any" || leaf.kind === "bytes")
  return compile<ColumnWriter>(
    ["items", "from", "to", "c", "symbols", "parts"],
    ["Keyword", "prototypeOf", "hasOwn"],
    [Keyword, Object.getPrototypeOf, Object.hasOwn],
    `const n = to - from; ${columnBases(layout)}
    ${texts.map((leaf) => `let t${leaf.tail} = "";`).join(" ")}
    ${symbols.map((leaf) => `const s${leaf.tail} = symbols[${leaf.tail}], m${leaf.tail} = s${leaf.tail}.codes;`).join(" ")}
    ${kept.map((leaf) => `const w${leaf.tail} = parts.values[${leaf.tail}];`).join(" ")}
    for (let i = from, j = 0; i < to; i++, j++) {
      const r = items[i];
      ${lines.join("\n      ")}
    }
    ${texts.map((leaf) => `parts.texts[${leaf.tail}] = t${leaf.tail};`).join(" ")}
    return to;`
  )
}

/** As many own keys as the shape; each key of the shape has to be there, too: so they are the same keys, in any order. */
export const checkMap = (name: string, count: string, keys: number, otherwise: string): ReadonlyArray<string> => [
  `if (typeof ${name} !== "object" || ${name} === null) return ${otherwise};`,
  `if (${name}.constructor !== Object && (${name}.constructor !== undefined || prototypeOf(${name}) !== null)) return ${otherwise};`,
  `let ${count} = 0; for (const k in ${name}) ${count}++; if (${count} !== ${keys}) return ${otherwise};`
]

/** Checks and stores one value, or returns from the loop with the index of the item that is different. */
const writeLeaf = (leaf: Leaf, name: string, owner: string | undefined): string => {
  const store = storeLeaf(leaf, name)
  if (leaf.kind === "any" || leaf.kind === "nothing") {
    // A key that is missing reads as undefined. Elsewhere the check of the type finds it.
    const missing = owner === undefined ? "" : `if (${name} === undefined && !hasOwn(${owner}, ${literal(leaf.path.at(-1)!)})) return i;`
    return leaf.kind === "any"
      ? `${missing} w${leaf.tail}[j] = ${name};`
      : `${missing} if (${name} !== null && ${name} !== undefined) return i;`
  }
  if (!leaf.nullable) return store
  if (leaf.kind === "bytes")
    return `if (${name} === null) { B[db${leaf.presence} + j] = 1; I[di${leaf.integer} + j] = 0; w${leaf.tail}[j] = null; } else { B[db${leaf.presence} + j] = 0; ${store} }`
  if (leaf.kind === "symbol") return `if (${name} === null) B[db${leaf.byte} + j] = 0; else { ${store} }`
  const zero =
    leaf.integer >= 0 ? `I[di${leaf.integer} + j] = 0;` : leaf.double >= 0 ? `F[df${leaf.double} + j] = 0;` : `B[db${leaf.byte} + j] = 0;`
  return `if (${name} === null) { B[db${leaf.presence} + j] = 1; ${zero} } else { B[db${leaf.presence} + j] = 0; ${store} }`
}

const storeLeaf = (leaf: Leaf, name: string): string => {
  switch (leaf.kind) {
    case "integer":
      return `if (typeof ${name} !== "number" || (${name} | 0) !== ${name} || (${name} === 0 && 1 / ${name} < 0)) return i; I[di${leaf.integer} + j] = ${name};`
    case "double":
      return `if (typeof ${name} !== "number") return i; F[df${leaf.double} + j] = ${name};`
    case "time":
      return `if (!(${name} instanceof Date) || ${name}.getTime() !== ${name}.getTime()) return i; F[df${leaf.double} + j] = ${name}.getTime();`
    case "boolean":
      return `if (typeof ${name} !== "boolean") return i; B[db${leaf.byte} + j] = ${name} ? 1 : 0;`
    case "text":
      return `if (typeof ${name} !== "string") return i; t${leaf.tail} += ${name}; I[di${leaf.integer} + j] = ${name}.length;`
    case "symbol":
      return `let x${leaf.tail} = m${leaf.tail}.get(${name}); if (x${leaf.tail} === undefined && (x${leaf.tail} = s${leaf.tail}.add(${name})) < 0) return i; B[db${leaf.byte} + j] = x${leaf.tail};`
    case "bytes":
      return `if (!(${name} instanceof Uint8Array)) return i; I[di${leaf.integer} + j] = ${name}.length; w${leaf.tail}[j] = ${name};`
    default:
      return ""
  }
}

export const compileReader = (layout: Layout): ColumnReader => {
  const before: Array<string> = []
  const inside: Array<string> = []
  const checks: Array<string> = []
  let next = 0
  const read = (shape: Shape): string =>
    shape.kind === "map"
      ? `{${shape.keys.map((key, i) => `${literal(key)}: ${read(shape.shapes[i]!)}`).join(", ")}}`
      : readLeaf(layout.leaves[next++]!, before, inside, checks)
  const item = read(layout.shape)
  return compile<ColumnReader>(
    ["n", "c", "tails", "into"],
    [],
    [],
    `${columnBases(layout)} let bits = 0; ${before.join(" ")}
    for (let j = 0; j < n; j++) {
      ${inside.join(" ")}
      into[j] = ${item};
    }
    return ${["bits >= 0", ...checks].join(" && ")};`
  )
}

/**
 * Makes maps with these keys of values that stand one after the other.
 *
 * @param keys all different, and none is `__proto__`
 */
export const compileRecords = (keys: ReadonlyArray<string>): RecordMaker =>
  compile<RecordMaker>(
    ["v", "n"],
    [],
    [],
    `const into = new Array(n);
    for (let i = 0, j = 0; i < n; i++, j += ${keys.length}) into[i] = {${keys.map((key, i) => `${literal(key)}: v[j + ${i}]`).join(", ")}};
    return into;`
  )

export type RecordMaker = (values: ReadonlyArray<unknown>, count: number) => Array<unknown>

/** The expression for one value. Lengths must add up to their text and codes must be known, else the frame is damaged. */
const readLeaf = (leaf: Leaf, before: Array<string>, inside: Array<string>, checks: Array<string>): string => {
  const value = readValue(leaf, before, inside, checks)
  return leaf.presence >= 0 ? `B[db${leaf.presence} + j] !== 0 ? null : ${value}` : value
}

const readValue = (leaf: Leaf, before: Array<string>, inside: Array<string>, checks: Array<string>): string => {
  const { tail } = leaf
  switch (leaf.kind) {
    case "integer":
      return `I[di${leaf.integer} + j]`
    case "double":
      return `F[df${leaf.double} + j]`
    case "time":
      return `new Date(F[df${leaf.double} + j])`
    case "boolean":
      return `B[db${leaf.byte} + j] !== 0`
    case "nothing":
      return "null"
    case "any":
      before.push(`const a${tail} = tails[${tail}];`)
      checks.push(`a${tail}.length === n`)
      return `a${tail}[j]`
    case "symbol":
      before.push(`const y${tail} = tails[${tail}]; let x${tail} = 0;`)
      inside.push(`if (B[db${leaf.byte} + j] > x${tail}) x${tail} = B[db${leaf.byte} + j];`)
      checks.push(`x${tail} < y${tail}.length`)
      return `y${tail}[B[db${leaf.byte} + j]]`
    default:
      before.push(`const t${tail} = tails[${tail}]; let p${tail} = 0;`)
      inside.push(`const q${tail} = p${tail}; bits |= I[di${leaf.integer} + j]; p${tail} += I[di${leaf.integer} + j];`)
      checks.push(`p${tail} === t${tail}.length`)
      return leaf.kind === "text" ? `t${tail}.substring(q${tail}, p${tail})` : `t${tail}.subarray(q${tail}, p${tail})`
  }
}
