import fc from "fast-check"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { Flow, StreamHost } from "rtfs-streams"
import { compileSchema } from "../src/capabilities/schemas/index.ts"
import { keyword } from "../src/serialization/index.ts"
import { errorsModel, type ModelSchema } from "./models/SchemaModel.ts"

const runs = { numRuns: Number(process.env["FC_RUNS"] ?? 200) }

let host: StreamHost
beforeAll(async () => void (host = await StreamHost.start()))
afterAll(() => host.stop({ timeout: 1000 }))

/** Names that every object of JavaScript has, names that are no identifiers, and few of them, so that they meet. */
const names = fc.constantFrom("a", "b", "constructor", "__proto__", "b0", '"\\ \u2028')

const { schema } = fc.letrec<{ schema: ModelSchema }>((tie) => ({
  schema: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.constantFrom<ModelSchema["type"]>("integer", "number", "string", "boolean", "nil", "any", "map", "vector").map((type) => ({ type })),
    fc
      .record({
        type: fc.constantFrom<ModelSchema["type"]>("map", "any"),
        more: fc.array(names, { maxLength: 2 }),
        properties: fields(tie("schema")),
        every: fc.nat(2)
      })
      // Some of those that are listed, and some that are not.
      .map(({ every, more, ...rest }) => ({
        ...rest,
        required: [...Object.keys(rest.properties).filter((_, index) => index % 3 <= every), ...more]
      })),
    fc.record({ type: fc.constantFrom<ModelSchema["type"]>("vector", "any"), items: tie("schema") })
  )
}))

function fields<Value>(value: fc.Arbitrary<Value>): fc.Arbitrary<Record<string, Value>> {
  return fc.array(fc.tuple(names, value), { maxLength: 4 }).map((entries) => Object.fromEntries(entries))
}

const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.constantFrom(1, 1.5, NaN, 5n, "x", "", true, null, [], {}),
    fields(tie("value")),
    fields(tie("value")).map((map) => new Map(Object.entries(map))),
    fc.array(tie("value"), { maxLength: 3 })
  )
}))

/** What is chosen on the way through a schema: 0 is something that it does not ask for. */
const choices = fc.array(fc.nat(5), { minLength: 1, maxLength: 30, size: "max" })

/** A value that a schema describes, but for a few parts. */
const nearlyOf = (written: ModelSchema, chosen: Iterator<number>): unknown => {
  const choice = chosen.next().value ?? 1
  if (choice === 0) return ["x", 1.5, {}, [], null][(chosen.next().value ?? 0) % 5]
  const { items, properties = {}, required = [], type } = written
  if (items !== undefined) return Array.from({ length: choice - 1 }, () => nearlyOf(items, chosen))
  if (type === "map" || Object.keys(properties).length > 0) {
    const entries = Object.entries(properties).map(([name, inner]) => [name, nearlyOf(inner, chosen)] as const)
    const others = required.filter((name) => !Object.hasOwn(properties, name)).map((name) => [name, choice] as const)
    return Object.fromEntries([...others, ...entries])
  }
  return { integer: 3, number: 0.5, string: "text", boolean: false, nil: null, any: 1, vector: [1] }[type]
}

const pathsOf = (errors: ReturnType<ReturnType<typeof compileSchema>>) =>
  errors.map(({ path }) => path.map((part) => (typeof part === "number" ? String(part) : part.name)).join(".")).sort()

describe("stream.validate-types", () => {
  it("VA-1: says exactly what is wrong with a value, and the generated test agrees with the one that finds errors", () =>
    fc.assert(
      fc.property(
        schema,
        fc.array(value, { maxLength: 4 }),
        fc.array(choices, { minLength: 1, maxLength: 4 }),
        fc.boolean(),
        (written, any, chosen, closed) => {
          const values = [...any, ...chosen.map((choices) => nearlyOf(written, choices.values()))]
          const validate = compileSchema(written, { closed })
          for (const each of values) {
            const expected = [...errorsModel(written, each, closed)].sort()
            expect(pathsOf(validate(each))).toEqual(expected)
            // Past the number after which its code is generated.
            for (let i = 0; i < 200; i++) validate(values[0])
            expect(pathsOf(validate(each))).toEqual(expected)
          }
        }
      ),
      runs
    ))

  it("VA-1: valid and invalid items together are the items, each once and in order, and no invalid one goes on", () =>
    fc.assert(
      fc.asyncProperty(schema, fc.array(value, { maxLength: 12 }), fc.boolean(), fc.boolean(), async (written, values, closed, waits) => {
        const invalid: Array<number> = []
        const numbered = values.map((each, index) => ({ each, index }))
        const whole = { type: "map", required: ["index"], properties: { each: written, index: { type: "integer" } } }
        const flow = Flow.from(numbered).validate(whole, {
          closed,
          onInvalid: (errors, item) => {
            expect(errors.length).toBeGreaterThan(0)
            const note = () => void invalid.push(item.index)
            return waits ? Promise.resolve().then(note) : note()
          }
        })
        const { value: valid } = await host.runFlow(flow)
        const good = values.map((each) => each === undefined || errorsModel(written, each, closed).length === 0)
        expect((valid as typeof numbered).map(({ index }) => index)).toEqual(
          numbered.filter(({ index }) => good[index]!).map(({ index }) => index)
        )
        expect(invalid).toEqual(numbered.filter(({ index }) => !good[index]!).map(({ index }) => index))
      }),
      { numRuns: Math.ceil(runs.numRuns / 2) }
    ))

  it("VA-1: type expressions mean the same as schema maps", () =>
    fc.assert(
      fc.property(schema, value, (written, each) => {
        const errors = compileSchema(asTypeExpression(written))(each)
        expect(errors.length === 0).toBe(errorsModel(written, each, false).length === 0)
      }),
      runs
    ))
})

/** The same schema, as `[:map [:a :int ?]]` and its kin. */
const asTypeExpression = ({ items, properties, required, type }: ModelSchema): unknown => {
  if (items !== undefined) {
    const vector = [keyword("vector"), asTypeExpression(items)]
    return type === "vector" ? vector : [keyword("union"), vector, ...others("vector")]
  }
  if (properties === undefined) return keyword(type)
  const fields = Object.entries(properties).map(([name, inner]) => [
    keyword(name),
    asTypeExpression(inner),
    ...(required!.includes(name) ? [] : [keyword("?")])
  ])
  const only = required!.filter((name) => !Object.hasOwn(properties, name)).map((name) => [keyword(name), keyword("any")])
  const map = [keyword("map"), ...fields, ...only]
  return type === "map" ? map : [keyword("union"), map, ...others("map")]
}

const others = (type: string): ReadonlyArray<unknown> =>
  ["map", "vector", "number", "string", "boolean", "nil"].filter((other) => other !== type).map((other) => keyword(other))
