/** A schema in the form of the specification, as the model reads it. */
export interface ModelSchema {
  readonly type: "map" | "vector" | "integer" | "number" | "string" | "boolean" | "nil" | "any"
  readonly required?: ReadonlyArray<string>
  readonly properties?: Readonly<Record<string, ModelSchema>>
  readonly items?: ModelSchema
}

/** The paths of all errors of a value, joined by dots, in any order. The slow and obvious way. */
export const errorsModel = (
  schema: ModelSchema,
  value: unknown,
  closed: boolean,
  path: ReadonlyArray<string> = []
): ReadonlyArray<string> => {
  if (!isOfType(schema.type, value)) return [path.join(".")]
  const found: Array<string> = []
  if (isMap(value) && (schema.required !== undefined || schema.properties !== undefined)) {
    const entries = new Map(value instanceof Map ? value : Object.entries(value))
    const properties = new Map(Object.entries(schema.properties ?? {}))
    for (const name of new Set(schema.required)) if (entries.get(name) === undefined) found.push([...path, name].join("."))
    for (const [name, inner] of properties) {
      if (entries.get(name) !== undefined) found.push(...errorsModel(inner, entries.get(name), closed, [...path, name]))
    }
    if (closed) {
      for (const key of entries.keys())
        if (!properties.has(key as string) && !(schema.required ?? []).includes(key as string)) found.push([...path, String(key)].join("."))
    }
  }
  if (Array.isArray(value) && schema.items !== undefined) {
    for (const [index, part] of value.entries()) found.push(...errorsModel(schema.items, part, closed, [...path, String(index)]))
  }
  return found
}

const isMap = (value: unknown): value is Record<string, unknown> | Map<unknown, unknown> =>
  value instanceof Map || (typeof value === "object" && value !== null && !Array.isArray(value))

const isOfType = (type: ModelSchema["type"], value: unknown): boolean => {
  switch (type) {
    case "any":
      return true
    case "nil":
      return value === null || value === undefined
    case "map":
      return isMap(value)
    case "vector":
      return Array.isArray(value)
    case "integer":
      return typeof value === "bigint" || Number.isInteger(value)
    case "number":
      return typeof value === "number" || typeof value === "bigint"
    default:
      return typeof value === type
  }
}
