import { keyword } from "../../serialization/index.ts"
import {
  type Check,
  entries,
  isNumeric,
  isObject,
  keyName,
  nameOf,
  optional,
  type Path,
  primitives,
  read,
  type Report,
  show,
  step,
  structured,
  tested,
  text
} from "./Check.ts"
import { type CheckText, compileTest } from "./checkText.ts"
import { checkFields, type Entries, type Field, noOtherKey } from "./fields.ts"
import { compileRegex } from "./regex/Regex.ts"

/** Makes the check of `[:name …]` from its parts. */
export type Compound = (args: ReadonlyArray<unknown>, shown: string, parts: PartCompiler) => Check

export interface PartCompiler {
  /** Compiles a part that is a type. `place` says where it stands, for messages. */
  readonly type: (type: unknown, place: string) => Check
  /** Whether maps may have only the keys that their schema lists. */
  readonly closed: boolean
}

const one = (args: ReadonlyArray<unknown>, shown: string): unknown => {
  if (args.length !== 1) throw new Error(`${shown} needs exactly one part`)
  return args[0]
}

/** Of `[:name first second …]`: the position of a part, behind the name. */
const place = (index: number): string => String(index + 1)

/** Every element of an array. */
export const everyElement = (item: Check) => ({
  run: (value: ReadonlyArray<unknown>, path: Path, report: Report) =>
    value.forEach((part, index) => item.run(part, [...path, index], report)),
  test: (value: ReadonlyArray<unknown>) => value.every(item.test),
  code: ((value, scope) => {
    const test = compileTest(item)
    const every = (items: ReadonlyArray<unknown>) => {
      for (let index = 0; index < items.length; index++) if (!test(items[index])) return false
      return true
    }
    return `(${scope.bind(Array.isArray)}(${value}) && ${scope.bind(every)}(${value}))`
  }) satisfies CheckText
})

const vectorOf: Compound = (args, shown, parts) => structured(shown, Array.isArray, everyElement(parts.type(one(args, shown), place(0))))

const mapType: Compound = (args, shown, parts) => {
  const fields: Array<Field> = []
  let rest: Check | undefined
  args.forEach((arg, index) => {
    if (isObject(arg)) {
      for (const [key, type] of entries(arg)) {
        const name = keyName(key)
        fields.push({ name, check: parts.type(type, `:${name}`), required: true })
      }
      return
    }
    if (!Array.isArray(arg) || arg.length < 2) throw new Error(`${show(arg)} is no field of ${shown}: write [:key type] or [:key type ?]`)
    const name = nameOf(arg[0])
    if (name === "*") rest = parts.type(arg[1], place(index))
    else fields.push({ name: keyName(arg[0]), check: parts.type(arg[1], `:${keyName(arg[0])}`), required: nameOf(arg[2]) !== "?" })
  })
  return structured(shown, isObject, checkFields(fields, rest ?? (parts.closed ? noOtherKey : undefined)))
}

const mapOf: Compound = (args, shown, parts) => {
  if (args.length !== 2) throw new Error(`${shown} needs a type for keys and one for values`)
  const key = parts.type(args[0], place(0))
  const item = parts.type(args[1], place(1))
  // A key that is a text is a keyword and a string at once.
  const isKey = (name: unknown): boolean => key.test(name) || (typeof name === "string" && key.test(keyword(name)))
  return structured<Entries>(shown, isObject, {
    test: (value) => entries(value).every(([name, part]) => isKey(name) && item.test(part)),
    run: (value, path, report) => {
      for (const [name, part] of entries(value)) {
        const here: Path = [...path, step(name)]
        if (!isKey(name)) report(here, { ...key, expected: `a key of type ${text(key)}` }, name)
        item.run(part, here, report)
      }
    }
  })
}

const size = (value: unknown): number =>
  typeof value === "string" ? [...value].length : Array.isArray(value) ? value.length : isObject(value) ? entries(value).length : -1

const number = (args: ReadonlyArray<unknown>, shown: string): number | bigint => {
  const value = one(args, shown)
  if (!isNumeric(value)) throw new Error(`${shown} needs a number`)
  return value
}

const compared =
  (operator: string, test: (value: number | bigint, bound: number | bigint) => boolean): Compound =>
  (args, shown) => {
    const bound = number(args, shown)
    return tested(
      shown,
      (value) => isNumeric(value) && test(value, bound),
      (value, scope) => `((typeof ${value} === "number" || typeof ${value} === "bigint") && ${value} ${operator} ${scope.bind(bound)})`
    )
  }

const sized =
  (is: (value: unknown) => boolean, test: (length: number, bound: number | bigint) => boolean): Compound =>
  (args, shown) => {
    const bound = number(args, shown)
    return tested(shown, (value) => is(value) && test(size(value), bound))
  }

/** Whether a value is a literal of the schema. */
export const same = (a: unknown, b: unknown): boolean => {
  // eslint-disable-next-line eqeqeq -- a number and a bigint
  if (a === b || (isNumeric(a) && isNumeric(b) && a == b) || ((a ?? null) === null && (b ?? null) === null)) return true
  if (Array.isArray(a)) return Array.isArray(b) && a.length === b.length && a.every((part, index) => same(part, b[index]))
  return (
    isObject(a)
    && isObject(b)
    && entries(a).length === entries(b).length
    && entries(a).every(([key, part]) => typeof key === "string" && same(part, read(b, key)))
  )
}

const isString = (value: unknown): boolean => typeof value === "string"

const isCollection = (value: unknown): boolean => Array.isArray(value) || isObject(value)

const functionType: Compound = () => primitives.get("fn")!

const streamType: Compound = () => primitives.get("stream")!

/** The types and predicates that are written as vectors, by the keyword in front. */
export const compounds: Readonly<Record<string, Compound>> = {
  vector: vectorOf,
  list: vectorOf,
  tuple: (args, shown, parts) => {
    const items = args.map((arg, index) => parts.type(arg, place(index)))
    return structured<ReadonlyArray<unknown>>(shown, (value) => Array.isArray(value) && value.length === items.length, {
      run: (value, path, report) => items.forEach((item, index) => item.run(value[index], [...path, index], report)),
      test: (value) => items.every((item, index) => item.test(value[index]))
    })
  },
  map: mapType,
  record: mapType,
  "map-of": mapOf,
  dict: mapOf,
  union: (args, shown, parts) => {
    const branches = args.map((arg, index) => parts.type(arg, place(index)))
    return tested(
      shown,
      (value) => branches.some((branch) => branch.test(value)),
      (value, scope) => (branches.length === 0 ? "false" : `(${branches.map((branch) => scope.expression(branch, value)).join(" || ")})`)
    )
  },
  or: (args, shown, parts) => compounds["union"]!(args, shown, parts),
  enum: (args, shown) => tested(shown, (value) => args.some((item) => same(item, value))),
  val: (args, shown) => {
    const wanted = one(args, shown)
    return tested(shown, (value) => same(wanted, value))
  },
  and: (args, shown, parts) => {
    const all = args.map((arg, index) => parts.type(arg, place(index)))
    const [first, ...rest] = all
    if (first === undefined) throw new Error(`${shown} needs a type`)
    return {
      expected: shown,
      test: (value) => all.every((check) => check.test(value)),
      code: (value, scope) => `(${all.map((check) => scope.expression(check, value)).join(" && ")})`,
      run: (value, path, report) => {
        // Predicates say nothing useful about a value of another type.
        if (!first.test(value)) first.run(value, path, report)
        else for (const check of rest) check.run(value, path, report)
      }
    }
  },
  maybe: (args, shown, parts) => optional(parts.type(one(args, shown), place(0))),
  array: (args, shown, parts) => {
    const item = parts.type(args[0], place(0))
    const wanted = Array.isArray(args[1]) ? args[1] : args.slice(1)
    const lengths = wanted.map((length) => (isNumeric(length) ? Number(length) : undefined))
    if (lengths.length > 1) throw new Error(`${shown}: arrays of several dimensions are nested arrays`)
    const [length] = lengths
    const { run, test } = everyElement(item)
    return structured(shown, (value) => Array.isArray(value) && (length === undefined || value.length === length), { run, test })
  },
  fn: functionType,
  "=>": functionType,
  resource: () => primitives.get("resource")!,
  stream: streamType,
  "stream-bi": streamType,
  "stream-duplex": streamType,

  ">": compared(">", (value, bound) => value > bound),
  ">=": compared(">=", (value, bound) => value >= bound),
  "<": compared("<", (value, bound) => value < bound),
  "<=": compared("<=", (value, bound) => value <= bound),
  "=": (args, shown) => {
    const wanted = one(args, shown)
    return tested(shown, (value) => same(wanted, value))
  },
  "!=": (args, shown) => {
    const wanted = one(args, shown)
    return tested(shown, (value) => !same(wanted, value))
  },
  "min-length": sized(isString, (length, bound) => length >= bound),
  "max-length": sized(isString, (length, bound) => length <= bound),
  length: sized(isString, (length, bound) => BigInt(length) === BigInt(bound)),
  "min-count": sized(isCollection, (length, bound) => length >= bound),
  "max-count": sized(isCollection, (length, bound) => length <= bound),
  count: sized(isCollection, (length, bound) => BigInt(length) === BigInt(bound)),
  "non-empty": (_, shown) => tested(shown, (value) => size(value) > 0),
  "matches-regex": (args, shown) => {
    const pattern = one(args, shown)
    if (typeof pattern !== "string") throw new Error(`${shown} needs a pattern`)
    const regex = compileRegex(pattern)
    return tested(shown, (value) => typeof value === "string" && regex.find(value, 0) !== undefined)
  },
  "in-range": (args, shown) => {
    const [low, high] = args
    if (!isNumeric(low) || !isNumeric(high)) throw new Error(`${shown} needs two numbers`)
    return tested(shown, (value) => isNumeric(value) && value >= low && value <= high)
  },
  "has-key": (args, shown) => {
    const name = keyName(one(args, shown))
    return tested(shown, (value) => isObject(value) && read(value, name) !== undefined)
  },
  "required-keys": (args, shown) => {
    const names = one(args, shown)
    if (!Array.isArray(names)) throw new Error(`${shown} needs a vector of keys`)
    const wanted = names.map(keyName)
    return tested(shown, (value) => isObject(value) && wanted.every((name) => read(value, name) !== undefined))
  }
}
