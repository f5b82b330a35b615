import { isPlainMap } from "../../serialization/index.ts"

/** What becomes of a value of one column; left out, it stays as it is. */
export type ColumnReader = ((value: never) => unknown) | undefined

/*
 * The only place of this folder that generates code: reading and making each row with its own hidden class is several times
 * faster than a loop over its columns. All names are `letter + number`; what comes from outside, the names of columns, is a
 * string literal made by JSON.stringify.
 */

/**
 * Makes a map of a row's values. Null stays null, whatever the reader.
 *
 * @param names each once, and none is `__proto__`
 */
export const compileRowReader = (
  names: ReadonlyArray<string>,
  readers: ReadonlyArray<ColumnReader>
): ((values: ReadonlyArray<unknown>) => Record<string, unknown>) => {
  const fields = names.map((name, i) => {
    const value = readers[i] === undefined ? `v[${i}]` : `v[${i}] === null ? null : R${i}(v[${i}])`
    return `${JSON.stringify(name)}: ${value}`
  })
  return compile("R", readers, [], [], `return (v) => ({ ${fields.join(", ")} })`)
}

/**
 * Makes a row of a map: an array of what the writers give, or one line of their texts.
 *
 * @param writers are called with `undefined` where the map lacks the column
 * @param otherwise makes the row of what is no plain map
 * @param more hears of a map that has more keys than it has of the columns; left out, nobody minds
 */
export const compileRowWriter = <Row>(
  names: ReadonlyArray<string>,
  writers: ReadonlyArray<(value: unknown) => unknown>,
  as: "values" | "line",
  { more, otherwise }: { readonly otherwise: (item: unknown) => Row; readonly more: ((item: object) => void) | undefined }
): ((item: unknown) => Row) => {
  // What every object has from its prototype is no value of a row.
  const read = (name: string) => {
    const literal = JSON.stringify(name)
    return name in Object.prototype ? `Object.hasOwn(m, ${literal}) ? m[${literal}] : undefined` : `m[${literal}]`
  }
  const values = names.map((name, i) => `const v${i} = ${read(name)};`).join("\n")
  const row =
    as === "values"
      ? `[${names.map((_, i) => `W${i}(v${i})`).join(", ")}]`
      : `${names.map((_, i) => `W${i}(v${i})`).join(' + "\\t" + ')} + "\\n"`
  const found = names.map((_, i) => `(v${i} === undefined ? 0 : 1)`).join(" + ")
  // Counted only: most rows have the columns and nothing else.
  const counted = more === undefined ? "" : `let count = 0; for (const key in m) count++; if (count > ${found}) more(m);`
  const body = `return (m) => {
    if (typeof m !== "object" || m === null || (Object.getPrototypeOf(m) !== Object.prototype && !isPlainMap(m))) return otherwise(m);
    ${values}
    const row = ${row};
    ${counted}
    return row;
  }`
  return compile("W", writers, ["isPlainMap", "otherwise", "more"], [isPlainMap, otherwise, more], body)
}

let compiled = 0

/** V8 shares what it has learnt between functions of one text, so each has a text of its own. */
const compile = <F>(
  letter: string,
  functions: ReadonlyArray<unknown>,
  names: ReadonlyArray<string>,
  values: ReadonlyArray<unknown>,
  body: string
): F =>
  new Function(...functions.map((_, i) => `${letter}${i}`), ...names, `"use strict"; ${body} //${++compiled}`)(...functions, ...values) as F
