import fc from "fast-check"
import { isPlainKey, keyword } from "../../src/serialization/index.ts"
import { atom, bytes, keywordValue, numeric, text, value } from "./Value.ts"

/** Values of one kind, as the columns of real data are, nil and strangers among them now and then. */
const column: fc.Arbitrary<fc.Arbitrary<unknown>> = fc
  .constantFrom<fc.Arbitrary<unknown>>(
    fc.integer(),
    fc.integer({ min: -2, max: 2 }),
    fc.double(),
    numeric,
    fc.boolean(),
    text,
    fc.constantFrom("red", "green", "blue", "ünï", keyword("red")),
    keywordValue,
    bytes,
    fc.date({ noInvalidDate: true }),
    fc.constant(null),
    fc.constantFrom(0, -0, 1, 1.5),
    value
  )
  .chain((kind) =>
    fc.constantFrom<fc.Arbitrary<unknown>>(
      kind,
      kind,
      fc.option(kind),
      fc.oneof({ weight: 30, arbitrary: kind }, { weight: 1, arbitrary: atom })
    )
  )

const plainKey = fc
  .oneof(fc.constantFrom("id", "constructor", "toString", "a b", "\u2028", "hasOwnProperty", "then", "é"), fc.string({ maxLength: 5 }))
  .filter(isPlainKey)

/** Items as a sender emits them: records of one shape, values of one kind, or a mixture of shapes. */
export const items: fc.Arbitrary<Array<unknown>> = fc
  .array(
    fc.oneof(
      {
        weight: 3,
        arbitrary: fc.dictionary(plainKey, column, { maxKeys: 5 }).map((columns) => fc.record(columns, { noNullPrototype: true }))
      },
      { weight: 2, arbitrary: column },
      {
        weight: 2,
        arbitrary: fc
          .tuple(fc.dictionary(plainKey, column, { minKeys: 1, maxKeys: 3 }), column)
          .map(
            ([inner, outer]) =>
              fc.record({ inner: fc.record(inner, { noNullPrototype: true }), outer }, { noNullPrototype: true }) as fc.Arbitrary<unknown>
          )
      },
      { weight: 1, arbitrary: fc.constant(value) }
    ),
    { minLength: 1, maxLength: 3 }
  )
  .chain((shapes) =>
    fc.array(shapes.length === 1 ? shapes[0]! : fc.oneof(...(shapes as [fc.Arbitrary<unknown>])), { maxLength: 80, size: "max" })
  )
