import { keyword } from "../../serialization/index.ts"
import { type Check, entries, isObject, type Path, read, type Report, step } from "./Check.ts"
import { type CheckText, mapText, propertyText } from "./checkText.ts"

/** A map as schemas look at it. */
export type Entries = Record<string, unknown> | Map<unknown, unknown>

/** A key that a schema lists, and what its value must be where there is one. */
export interface Field {
  readonly name: string
  readonly check: Check
  /** It must be there; `nil` counts as there. */
  readonly required: boolean
}

/** What other keys are in a map that is closed. */
export const noOtherKey: Check = {
  expected: "no such key",
  test: () => false,
  run: (value, path, report) => report(path, noOtherKey, value)
}

/**
 * The checks of a map's entries, for `structured`.
 *
 * @param rest what the values of keys must be that are not listed; without it they may be anything
 */
export const checkFields = (fields: ReadonlyArray<Field>, rest: Check | undefined) => {
  const listed = new Set(fields.map(({ name }) => name))
  // Only a text or a keyword can be a listed key.
  const isListed = (key: unknown): boolean => listed.has(typeof key === "string" ? key : nameOfKey(key))
  const run = (value: Entries, path: Path, report: Report): void => {
    for (const { check, name, required } of fields) {
      const part = read(value, name)
      if (part !== undefined) check.run(part, [...path, keyword(name)], report)
      else if (required) report([...path, keyword(name)], check, undefined, missing)
    }
    if (rest === undefined) return
    for (const [key, part] of entries(value)) if (!isListed(key)) rest.run(part, [...path, step(key)], report)
  }
  const test = (value: Entries): boolean => {
    for (const { check, name, required } of fields) {
      const part = read(value, name)
      if (part === undefined ? required : !check.test(part)) return false
    }
    return rest === undefined || entries(value).every(([key, part]) => isListed(key) || rest.test(part))
  }
  const code: CheckText = (value, scope) =>
    mapText(
      value,
      scope,
      () => {
        const each = fields.map(({ check, name, required }) => {
          const part = scope.local()
          const inner = scope.expression(check, part)
          const assigned = `(${part} = ${propertyText(value, name, scope)})`
          if (required) return inner === "true" ? `${assigned} !== undefined` : `${assigned} !== undefined && ${inner}`
          return inner === "true" ? "true" : `(${assigned} === undefined || ${inner})`
        })
        const others =
          rest === undefined
            ? []
            : [
                `${scope.bind((map: Record<string, unknown>) => Object.keys(map).every((key) => listed.has(key) || rest.test(map[key])))}(${value})`
              ]
        return [...each, ...others].join(" && ") || "true"
      },
      (map: Map<unknown, unknown>) => test(map)
    )
  return { run, test: (value: Entries) => isObject(value) && test(value), code }
}

/** The reason in the error of a key that is not there. */
export const missing = "nothing: the key is missing"

const nameOfKey = (key: unknown): string => (key as { readonly name?: string } | null)?.name ?? ""
