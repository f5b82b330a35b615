import { checkMap, compile, type Layout, type Leaf, literal } from "./ColumnCode.ts"
import type { Shape } from "./ColumnShape.ts"
import { Keyword } from "./Keyword.ts"

/**
 * Copies items, as their bytes would give them back.
 *
 * @returns what the copies take in memory, about; −1 if an item does not have the shape, or has text that is not Unicode
 */
export type ItemCopier = (items: ReadonlyArray<unknown>, from: number, to: number, into: Array<unknown>) => number

/** @returns `undefined` for shapes with values of many kinds in one place, and with bytes */
export const compileCopier = (layout: Layout): ItemCopier | undefined => {
  if (layout.leaves.some(({ kind }) => kind === "any" || kind === "bytes")) return undefined
  const lines: Array<string> = []
  let next = 0
  let nextLeaf = 0
  let bytes = 0

  /** Checks what has this name. @returns the expression of its copy */
  const copy = (shape: Shape, name: string, owner: string | undefined): string => {
    if (shape.kind !== "map") {
      const leaf = layout.leaves[nextLeaf++]!
      bytes += valueBytes[leaf.kind] ?? 0
      lines.push(...check(leaf, name, owner))
      return leaf.kind !== "time" ? name : leaf.nullable ? `${name} === null ? null : new Date(${name})` : `new Date(${name})`
    }
    bytes += objectBytes + shape.keys.length * fieldBytes
    lines.push(...checkMap(name, `k${next++}`, shape.keys.length, "-1"))
    const fields = shape.keys.map((key, i) => {
      const inner = `v${next++}`
      lines.push(`let ${inner} = ${name}[${literal(key)}];`)
      return `${literal(key)}: ${copy(shape.shapes[i]!, inner, name)}`
    })
    return `{${fields.join(", ")}}`
  }
  const copied = copy(layout.shape, "r", undefined)
  return compile<ItemCopier>(
    ["items", "from", "to", "into"],
    ["Keyword", "prototypeOf", "hasOwn"],
    [Keyword, Object.getPrototypeOf, Object.hasOwn],
    `let units = 0;
    for (let i = from, j = 0; i < to; i++, j++) {
      let r = items[i];
      ${lines.join("\n      ")}
      into[j] = ${copied};
    }
    return (to - from) * ${fieldBytes + bytes} + units * 2;`
  )
}

const objectBytes = 24
const fieldBytes = 8
/** Beside the field that points to them. */
const valueBytes: Readonly<Partial<Record<Leaf["kind"], number>>> = { double: 16, time: 96, text: 16, symbol: 16 }

const check = (leaf: Leaf, name: string, owner: string | undefined): ReadonlyArray<string> => {
  if (leaf.kind === "nothing") {
    // A key that is missing reads as undefined. Elsewhere the check of the type finds it.
    const missing = owner === undefined ? "" : `if (!hasOwn(${owner}, ${literal(leaf.path.at(-1)!)})) return -1;`
    return [`if (${name} === undefined) { ${missing} ${name} = null; } else if (${name} !== null) return -1;`]
  }
  const line = checkKind(leaf, name)
  return leaf.nullable ? [`if (${name} !== null) { ${line} }`] : [line]
}

const checkKind = ({ kind }: Leaf, name: string): string => {
  switch (kind) {
    case "integer":
    case "double":
      return `if (typeof ${name} !== "number") return -1;`
    case "time":
      // From here on the number that it stands for.
      return `if (!(${name} instanceof Date) || (${name} = ${name}.getTime()) !== ${name}) return -1;`
    case "boolean":
      return `if (typeof ${name} !== "boolean") return -1;`
    case "text":
      return `if (typeof ${name} !== "string" || !${name}.isWellFormed()) return -1; units += ${name}.length;`
    case "symbol":
      return `if (typeof ${name} === "string") { if (!${name}.isWellFormed()) return -1; units += ${name}.length; } else if (!(${name} instanceof Keyword)) return -1;`
    default:
      return ""
  }
}
