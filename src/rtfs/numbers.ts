import { failure } from "./errors.ts"
import type { EvaluationMeter } from "./Meter.ts"
import { typeName } from "./typeName.ts"

/**
 * RTFS arithmetic beyond the fast path of generated code. Integers are numbers where these are exact (up to 2^53) and
 * bigints elsewhere; results go back and forth between the two by themselves. A number above 2^53 is a float.
 * No operation gives -0.
 */
export type Numeric = number | bigint

/** Integers of more bits are an error: some operations on them take time that grows faster than their size. */
const maximumBits = 262_144

export const isNumeric = (value: unknown): value is Numeric => typeof value === "number" || typeof value === "bigint"

/** Whether a value is an integer: a bigint, or a number without a fraction. */
export const isInteger = (value: unknown): value is Numeric =>
  typeof value === "bigint" || (typeof value === "number" && Number.isInteger(value))

const exact = (value: Numeric): value is Numeric => typeof value === "bigint" || (Number.isInteger(value) && Math.abs(value) <= limit)

/** The number where it is exact, else the bigint. */
export const demote = (value: bigint): Numeric => {
  return value >= -bigLimit && value <= bigLimit ? Number(value) : value
}

const limit = 2 ** 53
const bigLimit = 2n ** 53n

export const wrongNumber = (name: string, value: unknown): Error =>
  failure.type(`Type error in ${name}: expected number, got ${typeName(value)}`)

export const requireNumber = (name: string, value: unknown): Numeric => {
  if (!isNumeric(value)) throw wrongNumber(name, value)
  return value
}

const words = (value: Numeric): number => (typeof value === "bigint" ? bits(value) >> 5 : 1)

/** An upper bound of the bits of an integer, without writing it out. */
const bits = (value: bigint): number => {
  const number = Math.abs(Number(value))
  if (number !== Infinity) return Math.ceil(Math.log2(number + 1)) + 1
  return value.toString(16).length * 4
}

const checked = (meter: EvaluationMeter, estimate: number): void => {
  if (estimate > maximumBits) throw failure.argument(`The result is too large: an integer may have ${maximumBits} bits`)
  meter.charge(estimate >> 4)
  meter.allocate(estimate >> 3)
}

export const add = (meter: EvaluationMeter, a: unknown, b: unknown, name = "+"): Numeric => {
  const x = requireNumber(name, a)
  const y = requireNumber(name, b)
  if (!exact(x) || !exact(y)) return Number(x) + Number(y) + 0
  if (typeof x === "bigint" || typeof y === "bigint") checked(meter, (Math.max(words(x), words(y)) + 1) * 32)
  return demote(BigInt(x) + BigInt(y))
}

export const subtract = (meter: EvaluationMeter, a: unknown, b: unknown, name = "-"): Numeric => {
  const x = requireNumber(name, a)
  const y = requireNumber(name, b)
  if (!exact(x) || !exact(y)) return Number(x) - Number(y) + 0
  if (typeof x === "bigint" || typeof y === "bigint") checked(meter, (Math.max(words(x), words(y)) + 1) * 32)
  return demote(BigInt(x) - BigInt(y))
}

export const multiply = (meter: EvaluationMeter, a: unknown, b: unknown): Numeric => {
  const x = requireNumber("*", a)
  const y = requireNumber("*", b)
  if (!exact(x) || !exact(y)) return Number(x) * Number(y) + 0
  if (typeof x === "bigint" || typeof y === "bigint") {
    checked(meter, (words(x) + words(y) + 1) * 32)
    meter.charge((words(x) * words(y)) >> 8)
  }
  return demote(BigInt(x) * BigInt(y))
}

/** An integer whenever the quotient is whole, else a float. */
export const divide = (meter: EvaluationMeter, a: unknown, b: unknown): Numeric => {
  const x = requireNumber("/", a)
  const y = requireNumber("/", b)
  // eslint-disable-next-line eqeqeq -- zero of either kind
  if (y == 0) throw failure.divisionByZero()
  if (exact(x) && exact(y) && (typeof x === "bigint" || typeof y === "bigint")) {
    meter.charge(words(x) + words(y))
    const dividend = BigInt(x)
    const divisor = BigInt(y)
    if (dividend % divisor === 0n) return demote(dividend / divisor)
  }
  return Number(x) / Number(y) + 0
}

/** The truncated remainder: it has the sign of the dividend. */
export const remainder = (meter: EvaluationMeter, a: unknown, b: unknown): Numeric => {
  const x = requireNumber("mod", a)
  const y = requireNumber("mod", b)
  // eslint-disable-next-line eqeqeq -- zero of either kind
  if (y == 0) throw failure.divisionByZero()
  if (exact(x) && exact(y) && (typeof x === "bigint" || typeof y === "bigint")) {
    meter.charge(words(x) + words(y))
    return demote(BigInt(x) % BigInt(y))
  }
  return (Number(x) % Number(y)) + 0
}

export const power = (meter: EvaluationMeter, base: unknown, exponent: unknown): Numeric => {
  const x = requireNumber("pow", base)
  const y = requireNumber("pow", exponent)
  if (!exact(x) || !exact(y) || y < 0) return Number(x) ** Number(y) + 0
  const plain = Number(x) ** Number(y)
  if (Number.isSafeInteger(plain)) return plain + 0
  if (typeof y === "bigint") throw failure.argument("The result is too large: the exponent has more than 53 bits")
  const estimate = Math.ceil((typeof x === "bigint" ? bits(x) : Math.log2(Math.abs(x) + 1)) * y)
  checked(meter, estimate)
  meter.charge(((estimate >> 5) ** 2) >> 8)
  return demote(BigInt(x) ** BigInt(y))
}

export const factorial = (meter: EvaluationMeter, value: unknown): Numeric => {
  const n = requireNumber("factorial", value)
  if (!isInteger(n)) throw failure.type("Type error in factorial: expected integer, got float")
  if (n < 0) throw failure.argument("factorial of a negative number")
  if (n > 20_000) throw failure.argument(`The result is too large: an integer may have ${maximumBits} bits`)
  let result: Numeric = 1
  for (let factor = 2; factor <= Number(n); factor++) {
    meter.charge(1)
    result = multiply(meter, result, factor)
  }
  return result
}
