import fc from "fast-check"
import { keyword } from "../../src/serialization/index.ts"
import { twin, value } from "./Value.ts"

const lookalikes: ReadonlyArray<unknown> = [
  "a", keyword("a"), "overflow", keyword("overflow"), "1", 1, 0, -0, NaN, [NaN], [0], null, "__proto__", "constructor"
]

/** Keys of which some are equal to others, in the same form or in another one. */
export const keys: fc.Arbitrary<ReadonlyArray<unknown>> = fc
  .array(fc.oneof(value, fc.constantFrom(...lookalikes)), { minLength: 1, maxLength: 6 })
  .chain((pool) =>
    fc.array(
      fc.tuple(fc.nat(pool.length - 1), fc.boolean()).map(([index, isTwin]) => (isTwin ? twin(pool[index]) : pool[index])),
      { maxLength: 30 }
    )
  )

/** How the items are cut into frames on their way to an operator: not at all, or by a buffer of so many. */
export const framing: fc.Arbitrary<{ readonly bufferSize?: number }> = fc
  .option(fc.integer({ min: 1, max: 8 }), { nil: undefined })
  .map((bufferSize) => (bufferSize === undefined ? {} : { bufferSize }))
