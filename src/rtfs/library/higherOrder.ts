import { failure } from "../errors.ts"
import { heldKey, isMap, MapBuilder, sizeOf } from "../maps.ts"
import { compareValues } from "../equality.ts"
import { type Builtin, builtin, type Context, higherOrder } from "./Builtin.ts"
import { chargeRow, requireRow, requireSequence, sorted } from "./sequences.ts"

const truthy = (value: unknown): boolean => value !== null && value !== undefined && value !== false

/** Calls a function with one argument many times: looks up once what each call would. */
const map = (context: Context, f: unknown, value: unknown): unknown => {
  const row = requireSequence(context, "map", value)
  context.meter.charge(row.length)
  chargeRow(context, row.length)
  const result: Array<unknown> = []
  const args: [unknown] = [null]
  for (let index = 0; index < row.length; index++) {
    args[0] = row[index]
    result.push(context.call(f, args))
  }
  return result
}

const keeping = (name: string, keep: boolean): Builtin =>
  higherOrder(
    name,
    2,
    2,
    [0],
    function* (context, f, value) {
      const row = requireSequence(context, name, value)
      context.meter.charge(row.length)
      const result: Array<unknown> = []
      for (const item of row) if (truthy(yield [f, [item]]) === keep) result.push(item)
      return result
    },
    (context, f, value) => {
      const row = requireSequence(context, name, value)
      context.meter.charge(row.length)
      chargeRow(context, row.length)
      return row.filter((item) => truthy(context.call(f, [item])) === keep)
    }
  )

const mapping = (name: string): Builtin =>
  higherOrder(
    name,
    2,
    2,
    [0],
    function* (context, f, value) {
      const row = requireSequence(context, name, value)
      context.meter.charge(row.length)
      chargeRow(context, row.length)
      const result: Array<unknown> = []
      for (const item of row) result.push(yield [f, [item]])
      return result
    },
    map
  )

export const higherOrders: ReadonlyArray<Builtin> = [
  mapping("map"),
  mapping("mapv"),
  higherOrder("map-indexed", 2, 2, [0], function* (context, f, value) {
    const row = requireSequence(context, "map-indexed", value)
    context.meter.charge(row.length)
    chargeRow(context, row.length)
    const result: Array<unknown> = []
    for (let index = 0; index < row.length; index++) result.push(yield [f, [index, row[index]]])
    return result
  }),
  keeping("filter", true),
  keeping("remove", false),
  higherOrder(
    "reduce",
    2,
    3,
    [0],
    function* (context, f, ...rest) {
      const row = requireSequence(context, "reduce", rest.at(-1))
      context.meter.charge(row.length)
      if (rest.length === 1 && row.length === 0) throw failure.argument("reduce of an empty collection needs an initial value")
      let result: unknown = rest.length === 1 ? row[0] : rest[0]
      for (let index = rest.length === 1 ? 1 : 0; index < row.length; index++) result = yield [f, [result, row[index] ?? null]]
      return result
    },
    (context, f, ...rest) => {
      const row = requireSequence(context, "reduce", rest.at(-1))
      context.meter.charge(row.length)
      if (rest.length === 1 && row.length === 0) throw failure.argument("reduce of an empty collection needs an initial value")
      let result: unknown = rest.length === 1 ? row[0] : rest[0]
      for (let index = rest.length === 1 ? 1 : 0; index < row.length; index++) result = context.call(f, [result, row[index] ?? null])
      return result
    }
  ),
  higherOrder("apply", 2, Infinity, [0], function* (context, f, ...args) {
    const last = requireRow("apply", args.at(-1))
    if (last.length > 10_000) throw failure.argument("apply: at most 10000 arguments")
    context.meter.charge(last.length)
    return yield [f, [...args.slice(0, -1), ...last]]
  }),
  higherOrder("every?", 2, 2, [0], function* (context, f, value) {
    for (const item of requireSequence(context, "every?", value)) {
      context.meter.charge(1)
      if (!truthy(yield [f, [item]])) return false
    }
    return true
  }),
  higherOrder("some?", 2, 2, [0], function* (context, f, value) {
    for (const item of requireSequence(context, "some?", value)) {
      context.meter.charge(1)
      if (truthy(yield [f, [item]])) return true
    }
    return false
  }),
  higherOrder("some", 2, 2, [0], function* (context, f, value) {
    for (const item of requireSequence(context, "some", value)) {
      context.meter.charge(1)
      const result = yield [f, [item]]
      if (truthy(result)) return result
    }
    return null
  }),
  higherOrder("sort-by", 2, 2, [0], function* (context, f, value) {
    const row = requireRow("sort-by", value)
    chargeRow(context, row.length * 2)
    const keyed: Array<readonly [unknown, unknown]> = []
    for (const item of row) keyed.push([yield [f, [item]], item])
    const order = (a: unknown, b: unknown) =>
      compareValues((a as ReadonlyArray<unknown>)[0], (b as ReadonlyArray<unknown>)[0], (steps) => context.meter.charge(steps))
    return sorted(context, keyed, order).map((pair) => (pair as ReadonlyArray<unknown>)[1])
  }),
  higherOrder("group-by", 2, 2, [0], function* (context, f, value) {
    const row = requireRow("group-by", value)
    context.meter.charge(row.length)
    chargeRow(context, row.length * 2)
    const groups = new MapBuilder()
    for (const item of row) {
      const key = heldKey(yield [f, [item]])
      const group = groups.get(key) as Array<unknown> | undefined
      if (group === undefined) groups.set(key, [item])
      else group.push(item)
    }
    return groups.done()
  }),
  builtin("frequencies", 1, 1, (context, value) => {
    const row = requireSequence(context, "frequencies", value)
    context.meter.charge(row.length)
    context.meter.allocate(row.length * 16)
    const counts = new MapBuilder()
    for (const item of row) {
      // Keys that are vectors or maps are found by comparing them with each other.
      if (typeof item === "object" && item !== null && (Array.isArray(item) || isMap(item)))
        context.meter.charge(sizeOf(isMap(item) ? item : {}) + 10)
      const key = heldKey(item)
      counts.set(key, ((counts.get(key) as number | undefined) ?? 0) + 1)
    }
    return counts.done()
  })
]
