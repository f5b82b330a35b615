import { type Keyword, keyword } from "../../serialization/index.ts"
import {
  type Check,
  entries,
  fits,
  isObject,
  keyName,
  kindOf,
  nameOf,
  optional,
  type Path,
  primitives,
  read,
  type Report,
  show,
  tested
} from "./Check.ts"
import { compounds, same } from "./compounds.ts"

/** One way in which a value is not what a schema asks for. */
export interface SchemaError {
  /** Keywords and indexes from the value's root to the offending part. */
  readonly path: ReadonlyArray<Keyword | number>
  /** The keyword of a simple type, else the type as text. */
  readonly expected: Keyword | string
  readonly actual: Keyword
  readonly message: string
}

/** Checks a value; an empty result means that it fits. Gives all errors, at most 1000. */
export type Validator = (value: unknown) => ReadonlyArray<SchemaError>

/**
 * Compiles a schema: either `{:type :map :required [:id] :properties {:id {:type :integer}}}` or a type expression
 * such as `[:map [:id int] [:name string ?]]`. Both become the same kind of validator.
 *
 * **Fails** with an error that names what is wrong with the schema.
 */
export const compileSchema = (schema: unknown): Validator => validator(isObject(schema) ? compileProperties(schema, 0) : compile(schema, 0))

/** Compiles a type expression. Symbols in it are given as keywords or strings. **Fails** as `compileSchema` does. */
export const compileType = (type: unknown): Validator => validator(compile(type, 0))

const maximumErrors = 1000

const maximumDepth = 100

const validator =
  (check: Check): Validator =>
  (value) => {
    const errors: Array<SchemaError> = []
    check.run(value, [], (path, failed, actual, reason) => {
      if (errors.length >= maximumErrors) return
      const kind = kindOf(actual)
      const place = path.length === 0 ? "" : `${path.map((part) => (typeof part === "number" ? String(part) : part.name)).join(".")}: `
      const wanted = typeof failed.expected === "string" ? failed.expected : failed.expected.name
      errors.push({ path, expected: failed.expected, actual: keyword(kind), message: `${place}expected ${wanted}, got ${reason ?? kind}` })
    })
    return errors
  }

const compile = (type: unknown, depth: number): Check => {
  if (depth > maximumDepth) throw new Error("The type is nested more than 100 deep")
  const name = nameOf(type)
  if (name !== undefined) return named(name, type)
  if (type === null || type === undefined) return primitives.get("nil")!
  if (Array.isArray(type)) return compound(type, depth)
  if (isObject(type)) return compileProperties(type, depth)
  throw new Error(`${show(type)} is no type`)
}

const named = (name: string, type: unknown): Check => {
  /** The keys of the form that the specification uses: `{:type :map :required [...] :properties {...}}`. */
  const known = primitives.get(name) ?? primitives.get(name.charAt(0).toLowerCase() + name.slice(1))
  if (known !== undefined) return known
  if (name.endsWith("?") && name.length > 1) return optional(named(name.slice(0, -1), type))
  throw new Error(`Unknown type: ${show(type)}. Known are ${[...primitives.keys()].join(", ")}`)
}

const compound = (type: ReadonlyArray<unknown>, depth: number): Check => {
  const head = nameOf(type[0])
  const make = head === undefined ? undefined : compounds[head]
  if (head === undefined || make === undefined || !Object.hasOwn(compounds, head)) throw new Error(`Unknown type: ${show(type)}`)
  return make(type.slice(1), show(type), (inner) => compile(inner, depth + 1))
}

const known = new Set(["type", "required", "properties", "items", "enum"])

const compileProperties = (schema: Record<string, unknown> | Map<unknown, unknown>, depth: number): Check => {
  if (depth > maximumDepth) throw new Error("The schema is nested more than 100 deep")
  for (const [key] of entries(schema)) {
    const name = keyName(key)
    if (!known.has(name)) throw new Error(`Unknown key in a schema: :${name}. Known are ${[...known].map((one) => `:${one}`).join(", ")}`)
  }
  const type = read(schema, "type")
  const base = type === undefined ? primitives.get("any")! : compile(typeof type === "string" ? keyword(type) : type, depth + 1)
  const required = requiredNames(read(schema, "required"))
  const properties = propertyChecks(read(schema, "properties"), depth)
  const items = read(schema, "items") === undefined ? undefined : compileAny(read(schema, "items"), depth + 1)
  const allowed = read(schema, "enum")
  if (allowed !== undefined && !Array.isArray(allowed)) throw new Error(":enum needs a vector of values")
  const choice = allowed === undefined ? undefined : tested(`one of ${show(allowed)}`, (value) => allowed.some((item) => same(item, value)))
  return {
    expected: base.expected,
    run: (value, path, report) => {
      if (!fits(base, value)) return base.run(value, path, report)
      choice?.run(value, path, report)
      if (isObject(value)) checkProperties(value, path, report, required, properties)
      if (items !== undefined && Array.isArray(value)) value.forEach((part, index) => items.run(part, [...path, index], report))
    }
  }
}

const compileAny = (schema: unknown, depth: number): Check =>
  isObject(schema) ? compileProperties(schema, depth) : compile(typeof schema === "string" ? keyword(schema) : schema, depth)

const requiredNames = (names: unknown): ReadonlyArray<string> => {
  if (names === undefined || names === null) return []
  if (!Array.isArray(names)) throw new Error(":required needs a vector of keys")
  return names.map(keyName)
}

const propertyChecks = (properties: unknown, depth: number): ReadonlyMap<string, Check> => {
  if (properties === undefined || properties === null) return new Map()
  if (!isObject(properties)) throw new Error(":properties needs a map from keys to schemas")
  return new Map(entries(properties).map(([key, schema]) => [keyName(key), compileAny(schema, depth + 1)]))
}

const checkProperties = (
  value: Record<string, unknown> | Map<unknown, unknown>,
  path: Path,
  report: Report,
  required: ReadonlyArray<string>,
  properties: ReadonlyMap<string, Check>
): void => {
  for (const name of required) {
    if (read(value, name) === undefined)
      report([...path, keyword(name)], properties.get(name) ?? primitives.get("any")!, undefined, "nothing: the key is missing")
  }
  for (const [name, check] of properties) {
    const part = read(value, name)
    if (part !== undefined) check.run(part, [...path, keyword(name)], report)
  }
}
