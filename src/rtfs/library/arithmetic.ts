import { compareStrings, equals } from "../equality.ts"
import { failure } from "../errors.ts"
import { integerValue } from "../Reader.ts"
import * as numbers from "../numbers.ts"
import { typeName } from "../typeName.ts"
import { builtin, type Builtin, type Context } from "./Builtin.ts"

const order = (name: string, a: unknown, b: unknown): number => {
  if (numbers.isNumeric(a) && numbers.isNumeric(b)) return a < b ? -1 : a > b ? 1 : a == b ? 0 : NaN // eslint-disable-line eqeqeq -- bigint and number
  if (typeof a === "string" && typeof b === "string") return compareStrings(a, b)
  const [expected, got] = numbers.isNumeric(a) ? ["number", b] : typeof a === "string" ? ["string", b] : ["number", a]
  throw failure.type(`Type error in ${name}: expected ${expected}, got ${typeName(got)}`)
}

type Operate = (context: Context, a: unknown, b: unknown) => unknown

/** Over any number of arguments; two numbers with an exact sum, as `reduce` gives them, without a row of arguments. */
const fold =
  (name: string, plain: (a: number, b: number) => number, operate: Operate) =>
  (context: Context, a: unknown, b: unknown, ...rest: ReadonlyArray<unknown>): unknown => {
    if (b === undefined) return numbers.requireNumber(name, a)
    if (typeof a === "number" && typeof b === "number" && rest.length === 0) {
      const result = plain(a, b) + 0
      if (result <= Number.MAX_SAFE_INTEGER && result >= Number.MIN_SAFE_INTEGER) return result
    }
    return rest.reduce((left, right) => operate(context, left, right), operate(context, a, b))
  }

const whole = (name: string, value: unknown): numbers.Numeric => {
  if (!numbers.isInteger(value)) throw failure.type(`Type error in ${name}: expected integer, got ${typeName(value)}`)
  return value
}

const isEven = (value: numbers.Numeric): boolean => (typeof value === "number" ? value % 2 === 0 : value % 2n === 0n)

const best =
  (name: string, better: (a: numbers.Numeric, b: numbers.Numeric) => boolean) =>
  (_: Context, ...args: ReadonlyArray<unknown>): unknown => {
    let result = numbers.requireNumber(name, args[0])
    for (const arg of args) {
      const value = numbers.requireNumber(name, arg)
      if (Number.isNaN(value) || better(value, result)) result = value
    }
    return result
  }

const parseInteger = (text: unknown): numbers.Numeric | null => {
  if (typeof text !== "string") throw failure.type(`Type error in parse-int: expected string, got ${typeName(text)}`)
  const trimmed = text.trim()
  return /^[+-]?[0-9]+$/.test(trimmed) && trimmed.length <= 20_000 ? integerValue(trimmed) : null
}

const parseFloating = (text: unknown): number | null => {
  if (typeof text !== "string") throw failure.type(`Type error in parse-float: expected string, got ${typeName(text)}`)
  const trimmed = text.trim()
  return /^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?$/.test(trimmed) ? Number(trimmed) : null
}

/** Cuts the fraction off; 0 for what is no number. */
const toInteger = (value: unknown): unknown => {
  if (typeof value === "bigint") return value
  if (typeof value === "number") return Number.isFinite(value) ? Math.trunc(value) + 0 : 0
  if (typeof value === "boolean") return value ? 1 : 0
  if (typeof value !== "string") return 0
  const parsed = parseInteger(value) ?? parseFloating(value)
  return typeof parsed === "number" ? (Number.isFinite(parsed) ? Math.trunc(parsed) + 0 : 0) : (parsed ?? 0)
}

const toFloat = (value: unknown): unknown => {
  if (numbers.isNumeric(value)) return Number(value)
  if (typeof value === "boolean") return value ? 1 : 0
  return typeof value === "string" ? (parseFloating(value) ?? 0) : 0
}

export const arithmetic: ReadonlyArray<Builtin> = [
  builtin(
    "+",
    1,
    Infinity,
    fold(
      "+",
      (a, b) => a + b,
      (context, a, b) => numbers.add(context.meter, a, b)
    )
  ),
  builtin(
    "*",
    1,
    Infinity,
    fold(
      "*",
      (a, b) => a * b,
      (context, a, b) => numbers.multiply(context.meter, a, b)
    )
  ),
  builtin("-", 1, Infinity, (context, ...args) =>
    args.length === 1 ? numbers.subtract(context.meter, 0, args[0]) : args.reduce((a, b) => numbers.subtract(context.meter, a, b))
  ),
  builtin("/", 1, Infinity, (context, ...args) =>
    args.length === 1 ? numbers.divide(context.meter, 1, args[0]) : args.reduce((a, b) => numbers.divide(context.meter, a, b))
  ),
  builtin("inc", 1, 1, (context, a) => numbers.add(context.meter, a, 1, "inc")),
  builtin("dec", 1, 1, (context, a) => numbers.subtract(context.meter, a, 1, "dec")),
  builtin("mod", 2, 2, (context, a, b) => numbers.remainder(context.meter, a, b)),
  builtin(
    "max",
    1,
    Infinity,
    best("max", (a, b) => a > b)
  ),
  builtin(
    "min",
    1,
    Infinity,
    best("min", (a, b) => a < b)
  ),
  builtin("abs", 1, 1, (context, a) =>
    numbers.requireNumber("abs", a) < 0 ? numbers.subtract(context.meter, 0, a) : a + (typeof a === "bigint" ? 0n : 0)
  ),
  builtin("sqrt", 1, 1, (_, a) => {
    const value = Number(numbers.requireNumber("sqrt", a))
    if (value < 0) throw failure.argument("sqrt of a negative number")
    return Math.sqrt(value)
  }),
  builtin("pow", 2, 2, (context, a, b) => numbers.power(context.meter, a, b)),
  builtin("factorial", 1, 1, (context, n) => numbers.factorial(context.meter, n)),
  builtin("even?", 1, 1, (_, a) => isEven(whole("even?", a))),
  builtin("odd?", 1, 1, (_, a) => !isEven(whole("odd?", a))),
  // eslint-disable-next-line eqeqeq -- zero of either kind
  builtin("zero?", 1, 1, (_, a) => numbers.requireNumber("zero?", a) == 0),
  builtin("pos?", 1, 1, (_, a) => numbers.requireNumber("pos?", a) > 0),
  builtin("neg?", 1, 1, (_, a) => numbers.requireNumber("neg?", a) < 0),

  builtin("<", 2, 2, (_, a, b) => order("<", a, b) < 0),
  builtin(">", 2, 2, (_, a, b) => order(">", a, b) > 0),
  builtin("<=", 2, 2, (_, a, b) => order("<=", a, b) <= 0),
  builtin(">=", 2, 2, (_, a, b) => order(">=", a, b) >= 0),
  builtin("=", 1, Infinity, (context, first, ...rest) =>
    rest.every((other) => equals(first, other, (steps) => context.meter.charge(steps)))
  ),
  builtin("!=", 2, 2, (context, a, b) => !equals(a, b, (steps) => context.meter.charge(steps))),
  builtin("not=", 2, 2, (context, a, b) => !equals(a, b, (steps) => context.meter.charge(steps))),

  builtin("parse-int", 1, 1, (_, text) => parseInteger(text)),
  builtin("parse-float", 1, 1, (_, text) => parseFloating(text)),
  builtin("int", 1, 1, (_, value) => toInteger(value)),
  builtin("float", 1, 1, (_, value) => toFloat(value))
]
