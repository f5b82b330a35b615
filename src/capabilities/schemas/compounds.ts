import { keyword } from "../../serialization/index.ts"
import { compileRegex } from "./regex/Regex.ts"
import {
  type Check,
  entries,
  fits,
  isNumeric,
  isObject,
  keyName,
  nameOf,
  optional,
  type Path,
  primitives,
  read,
  show,
  structured,
  tested,
  text
} from "./Check.ts"

/** Makes the check of `[:name …]` from its parts; `compileInner` compiles a part that is a type. */
export type Compound = (args: ReadonlyArray<unknown>, shown: string, compileInner: (type: unknown) => Check) => Check

const one = (args: ReadonlyArray<unknown>, shown: string): unknown => {
  if (args.length !== 1) throw new Error(`${shown} needs exactly one part`)
  return args[0]
}

const vectorOf: Compound = (args, shown, inner) => {
  const item = inner(one(args, shown))
  return structured(shown, Array.isArray, (value: ReadonlyArray<unknown>, path, report) =>
    value.forEach((part, index) => item.run(part, [...path, index], report))
  )
}

interface Field {
  readonly name: string
  readonly check: Check
  readonly optional: boolean
}

const mapType: Compound = (args, shown, inner) => {
  const fields: Array<Field> = []
  let rest: Check | undefined
  for (const arg of args) {
    if (isObject(arg)) {
      for (const [key, type] of entries(arg)) fields.push({ name: keyName(key), check: inner(type), optional: false })
      continue
    }
    if (!Array.isArray(arg) || arg.length < 2) throw new Error(`${show(arg)} is no field of ${shown}: write [:key type] or [:key type ?]`)
    const name = nameOf(arg[0])
    if (name === "*") rest = inner(arg[1])
    else fields.push({ name: keyName(arg[0]), check: inner(arg[1]), optional: nameOf(arg[2]) === "?" })
  }
  const listed = new Set(fields.map(({ name }) => name))
  return structured(shown, isObject, (value: Record<string, unknown>, path, report) => {
    for (const { name, check, optional: skip } of fields) {
      const part = read(value, name)
      if (part === undefined && skip) continue
      if (part === undefined) report([...path, keyword(name)], check, undefined, "nothing: the key is missing")
      else check.run(part, [...path, keyword(name)], report)
    }
    if (rest === undefined) return
    for (const [key, part] of entries(value)) {
      if (typeof key !== "string" || !listed.has(key))
        rest.run(part, [...path, typeof key === "number" ? key : keyword(String(key))], report)
    }
  })
}

const mapOf: Compound = (args, shown, inner) => {
  if (args.length !== 2) throw new Error(`${shown} needs a type for keys and one for values`)
  const key = inner(args[0])
  const item = inner(args[1])
  return structured(shown, isObject, (value: Record<string, unknown>, path, report) => {
    for (const [name, part] of entries(value)) {
      const here: Path = [...path, typeof name === "number" ? name : keyword(String(name))]
      // A key is a keyword and a string at once.
      if (typeof name !== "string" || !(fits(key, name) || fits(key, keyword(name)))) {
        if (typeof name === "string" || !fits(key, name)) report(here, { ...key, expected: `a key of type ${text(key)}` }, name)
      }
      item.run(part, here, report)
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
  (test: (value: number | bigint, bound: number | bigint) => boolean): Compound =>
  (args, shown) => {
    const bound = number(args, shown)
    return tested(shown, (value) => isNumeric(value) && test(value, bound))
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
  tuple: (args, shown, inner) => {
    const items = args.map(inner)
    return structured(
      shown,
      (value) => Array.isArray(value) && value.length === items.length,
      (value: ReadonlyArray<unknown>, path, report) => items.forEach((item, index) => item.run(value[index], [...path, index], report))
    )
  },
  map: mapType,
  record: mapType,
  "map-of": mapOf,
  dict: mapOf,
  union: (args, shown, inner) => {
    const branches = args.map(inner)
    return tested(shown, (value) => branches.some((branch) => fits(branch, value)))
  },
  or: (args, shown, inner) => compounds["union"]!(args, shown, inner),
  enum: (args, shown) => tested(shown, (value) => args.some((item) => same(item, value))),
  val: (args, shown) => {
    const wanted = one(args, shown)
    return tested(shown, (value) => same(wanted, value))
  },
  and: (args, shown, inner) => {
    const all = args.map(inner)
    const [first, ...rest] = all
    if (first === undefined) throw new Error(`${shown} needs a type`)
    return {
      expected: shown,
      run: (value, path, report) => {
        // Predicates say nothing useful about a value of another type.
        if (!fits(first, value)) first.run(value, path, report)
        else for (const check of rest) check.run(value, path, report)
      }
    }
  },
  maybe: (args, shown, inner) => optional(inner(one(args, shown))),
  array: (args, shown, inner) => {
    const item = inner(args[0])
    const wanted = Array.isArray(args[1]) ? args[1] : args.slice(1)
    const lengths = wanted.map((length) => (isNumeric(length) ? Number(length) : undefined))
    if (lengths.length > 1) throw new Error(`${shown}: arrays of several dimensions are nested arrays`)
    const [length] = lengths
    return structured(
      shown,
      (value) => Array.isArray(value) && (length === undefined || value.length === length),
      (value: ReadonlyArray<unknown>, path, report) => value.forEach((part, index) => item.run(part, [...path, index], report))
    )
  },
  fn: functionType,
  "=>": functionType,
  resource: () => primitives.get("resource")!,
  stream: streamType,
  "stream-bi": streamType,
  "stream-duplex": streamType,

  ">": compared((value, bound) => value > bound),
  ">=": compared((value, bound) => value >= bound),
  "<": compared((value, bound) => value < bound),
  "<=": compared((value, bound) => value <= bound),
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
