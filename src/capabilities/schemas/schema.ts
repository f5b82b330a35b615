import { type Keyword, keyword, nearest } from "../../serialization/index.ts"
import {
  type Check,
  describeValue,
  entries,
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
import { type CheckText, compileTest } from "./checkText.ts"
import { compounds, everyElement, same } from "./compounds.ts"
import { checkFields, type Field, missing, noOtherKey } from "./fields.ts"
import { InvalidSchema, within } from "./InvalidSchema.ts"
import { refinement } from "./refinement.ts"

/** One way in which a value is not what a schema asks for. */
export interface SchemaError {
  /** Keywords and indexes from the value's root to the offending part. */
  readonly path: ReadonlyArray<Keyword | number>
  /** The keyword of a simple type, else the type as text. */
  readonly expected: Keyword | string
  readonly actual: Keyword
  /** The value where it is short, else its kind; `nothing` for a key that is missing. */
  readonly got: string
  readonly message: string
}

/** Checks a value; an empty result means that it fits. Gives all errors, at most 1000. */
export type Validator = (value: unknown) => ReadonlyArray<SchemaError>

export interface SchemaOptions {
  /** Maps have no other keys than those that their schema lists. */
  readonly closed?: boolean
}

/**
 * Compiles a schema: either `{:type :map :required [:id] :properties {:id {:type :integer}}}` or a type expression
 * such as `[:map [:id int] [:name string ?]]`. Both become the same kind of validator.
 *
 * A function in the place of a type is a refinement: it takes the value, and anything but `false` and `nil` accepts it.
 * What it throws is thrown by the validator.
 *
 * **Fails** with `InvalidSchema`, which says what is wrong and where in the schema.
 */
export const compileSchema = (schema: unknown, options: SchemaOptions = {}): Validator =>
  validator(atRoot(() => compileAny(schema, { depth: 0, closed: options.closed === true })))

/** Compiles a type expression. Symbols in it are given as keywords or strings. **Fails** as `compileSchema` does. */
export const compileType = (type: unknown): Validator => validator(atRoot(() => compile(type, { depth: 0, closed: false })))

const maximumErrors = 1000

const maximumDepth = 100

/** So many values are checked by closures before their code is generated: most annotations see fewer. */
const compilingPays = 200

const none: ReadonlyArray<SchemaError> = []

const validator = (check: Check): Validator => {
  let { test } = check
  let untilCompiled = compilingPays
  return (value) => {
    if (untilCompiled > 0 && --untilCompiled === 0) test = compileTest(check)
    return test(value) ? none : allErrors(check, value)
  }
}

const allErrors = (check: Check, value: unknown): ReadonlyArray<SchemaError> => {
  const errors: Array<SchemaError> = []
  check.run(value, [], (path, failed, actual, reason) => {
    if (errors.length >= maximumErrors) return
    const kind = kindOf(actual)
    const place = path.length === 0 ? "" : `${path.map((part) => (typeof part === "number" ? String(part) : part.name)).join(".")}: `
    const wanted = typeof failed.expected === "string" ? failed.expected : failed.expected.name
    errors.push({
      path,
      expected: failed.expected,
      actual: keyword(kind),
      got: reason === missing ? "nothing" : describeValue(actual),
      message: `${place}expected ${wanted}, got ${reason ?? kind}`
    })
  })
  return errors
}

interface Context {
  readonly depth: number
  readonly closed: boolean
}

const deeper = ({ closed, depth }: Context): Context => ({ closed, depth: depth + 1 })

const atRoot = (make: () => Check): Check => {
  try {
    return make()
  } catch (error) {
    if (error instanceof InvalidSchema || error instanceof RangeError) throw error
    throw new InvalidSchema(error instanceof Error ? error.message : String(error), [], error)
  }
}

const compile = (type: unknown, context: Context): Check => {
  if (context.depth > maximumDepth) throw new Error("The type is nested more than 100 deep")
  const name = nameOf(type)
  if (name !== undefined) return named(name, type)
  if (type === null || type === undefined) return primitives.get("nil")!
  if (Array.isArray(type)) return compound(type, context)
  if (typeof type === "function") return refinement(type as (value: unknown) => unknown)
  if (isObject(type)) return compileProperties(type, context)
  throw new Error(`${show(type)} is no type`)
}

const named = (name: string, type: unknown): Check => {
  const known = primitives.get(name) ?? primitives.get(name.charAt(0).toLowerCase() + name.slice(1))
  if (known !== undefined) return known
  if (name.endsWith("?") && name.length > 1) return optional(named(name.slice(0, -1), type))
  const near = nearest(name, primitives.keys())
  throw new Error(
    `Unknown type: ${show(type)}. ${near === undefined ? `Known are ${[...primitives.keys()].join(", ")}` : `Did you mean ${near}?`}`
  )
}

const compound = (type: ReadonlyArray<unknown>, context: Context): Check => {
  const head = nameOf(type[0])
  const make = head === undefined || !Object.hasOwn(compounds, head) ? undefined : compounds[head]
  if (make === undefined) {
    const near = head === undefined ? undefined : nearest(head, Object.keys(compounds))
    throw new Error(`Unknown type: ${show(type)}${near === undefined ? "" : `. Did you mean [:${near} …]?`}`)
  }
  return make(type.slice(1), show(type), {
    closed: context.closed,
    type: (inner, place) => within(place, () => compile(inner, deeper(context)))
  })
}

/** The keys of the form that the specification uses: `{:type :map :required [...] :properties {...}}`. */
const known = ["type", "required", "properties", "items", "enum"]

const compileProperties = (schema: Record<string, unknown> | Map<unknown, unknown>, context: Context): Check => {
  if (context.depth > maximumDepth) throw new Error("The schema is nested more than 100 deep")
  for (const [key] of entries(schema)) {
    const name = keyName(key)
    if (known.includes(name)) continue
    const near = nearest(name, known)
    throw new Error(
      `Unknown key in a schema: :${name}. ${near === undefined ? `Known are ${known.map((one) => `:${one}`).join(", ")}` : `Did you mean :${near}?`}`
    )
  }
  const type = read(schema, "type")
  const base = type === undefined ? primitives.get("any")! : within(":type", () => compileAny(type, deeper(context)))
  const allowed = read(schema, "enum")
  if (allowed !== undefined && !Array.isArray(allowed)) throw new Error(":enum needs a vector of values")
  const items = read(schema, "items")
  const listed = fieldsOf(read(schema, "required"), read(schema, "properties"), context)
  const parts: Array<Check> = []
  if (allowed !== undefined) parts.push(tested(`one of ${show(allowed)}`, (value) => allowed.some((item) => same(item, value))))
  // The text of these says that the value is a map, or a vector, so that of the type need not.
  const isMap = base === primitives.get("map") && listed !== undefined
  const isVector = base === primitives.get("vector") && items !== undefined
  if (listed !== undefined) parts.push(onlyFor(isObject, checkFields(listed, context.closed ? noOtherKey : undefined), isMap))
  if (items !== undefined)
    parts.push(onlyFor(Array.isArray, everyElement(within(":items", () => compileAny(items, deeper(context)))), isVector))
  return {
    expected: base.expected,
    test: (value) => base.test(value) && parts.every((part) => part.test(value)),
    code: (value, scope) =>
      `(${[...(isMap || isVector ? [] : [base]), ...parts].map((part) => scope.expression(part, value)).join(" && ")})`,
    run: (value, path, report) => {
      if (!base.test(value)) return base.run(value, path, report)
      for (const part of parts) part.run(value, path, report)
    }
  }
}

const compileAny = (schema: unknown, context: Context): Check => compile(typeof schema === "string" ? keyword(schema) : schema, context)

/** `undefined` where the schema says nothing of keys. */
const fieldsOf = (required: unknown, properties: unknown, context: Context): ReadonlyArray<Field> | undefined => {
  if ((required ?? undefined) === undefined && (properties ?? undefined) === undefined) return undefined
  if (required !== undefined && required !== null && !Array.isArray(required)) throw new Error(":required needs a vector of keys")
  if (properties !== undefined && properties !== null && !isObject(properties))
    throw new Error(":properties needs a map from keys to schemas")
  const fields = new Map<string, Field>()
  for (const key of required ?? []) fields.set(keyName(key), { name: keyName(key), check: primitives.get("any")!, required: true })
  for (const [key, schema] of properties === undefined || properties === null ? [] : entries(properties)) {
    const name = keyName(key)
    const check = within(":properties", () => within(`:${name}`, () => compileAny(schema, deeper(context))))
    fields.set(name, { name, check, required: fields.has(name) })
  }
  return [...fields.values()]
}

interface Form<Whole> {
  readonly run: (value: Whole, path: Path, report: Report) => void
  readonly test: (value: Whole) => boolean
  readonly code: CheckText
}

/** What is said of values of one form only; others pass. `isGiven`: the type of the whole is that form already. */
const onlyFor = <Whole>(is: (value: unknown) => boolean, form: Form<Whole>, isGiven: boolean): Check => ({
  expected: "",
  test: (value) => !is(value) || form.test(value as Whole),
  code: isGiven ? form.code : (value, scope) => `(!${scope.bind(is)}(${value}) || ${form.code(value, scope)})`,
  run: (value, path, report) => {
    if (is(value)) form.run(value as Whole, path, report)
  }
})
