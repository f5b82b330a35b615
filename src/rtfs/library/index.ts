import { arithmetic } from "./arithmetic.ts"
import { associative } from "./associative.ts"
import type { Builtin } from "./Builtin.ts"
import { exchange } from "./exchange.ts"
import { higherOrders } from "./higherOrder.ts"
import { predicates } from "./predicates.ts"
import { sequences } from "./sequences.ts"
import { strings } from "./strings.ts"

/** The standard library: pure functions only. There is no clock, randomness, file or network among them. */
export const library: ReadonlyMap<string, Builtin> = new Map(
  [...arithmetic, ...predicates, ...strings, ...sequences, ...associative, ...higherOrders, ...exchange].map((one) => [one.name, one])
)
