// What does it cost to validate an item, against a check that is written by hand?
//
// Ratios of thread CPU time on 10,000 items, all of them valid: 0.3 means that ours needs three times as long.
import { deepStrictEqual } from "node:assert/strict"
import { compileSchema } from "../src/capabilities/schemas/index.ts"
import type { Row } from "./Row.ts"

const rounds = 15
const integer = { type: "integer" }
const text = { type: "string" }

interface Case {
  readonly name: string
  readonly schema: unknown
  readonly byHand: (item: any) => boolean
  readonly item: (index: number) => unknown
  readonly target?: number
}

const isMap = (value: unknown): boolean => typeof value === "object" && value !== null && !Array.isArray(value)

const cases: ReadonlyArray<Case> = [
  {
    name: "{id, name}",
    schema: { type: "map", required: ["id", "name"], properties: { id: integer, name: text } },
    byHand: (item) => isMap(item) && Number.isInteger(item.id) && typeof item.name === "string",
    item: (index) => ({ id: index, name: `name ${index}`, value: index * 1.5 }),
    target: 0.2
  },
  {
    name: "nested, with a vector of texts",
    schema: {
      type: "map",
      required: ["id", "user"],
      properties: {
        id: integer,
        user: { type: "map", required: ["name"], properties: { name: text, age: integer } },
        tags: { type: "vector", items: text }
      }
    },
    byHand: (item) =>
      isMap(item)
      && Number.isInteger(item.id)
      && isMap(item.user)
      && typeof item.user.name === "string"
      && (item.user.age === undefined || Number.isInteger(item.user.age))
      && (item.tags === undefined || (Array.isArray(item.tags) && item.tags.every((tag: unknown) => typeof tag === "string"))),
    item: (index) => ({ id: index, user: { name: `name ${index}`, age: index % 90 }, tags: ["a", `b${index}`, "c"] }),
    target: 0.2
  }
]

export const run = async (): Promise<ReadonlyArray<Row>> =>
  cases.map(({ byHand, item, name, schema, target }) => {
    const validate = compileSchema(schema)
    const items = Array.from({ length: 10_000 }, (_, index) => item(index))
    const ours = () => items.filter((each) => validate(each).length === 0).length
    const peer = () => items.filter((each) => byHand(each)).length
    const ratios: Array<number> = []
    const micros: Array<number> = []
    for (let round = 0; round < rounds; round++) {
      const own = microsOf(ours)
      const theirs = microsOf(peer)
      if (round < 3) continue
      ratios.push(theirs / own)
      micros.push(own)
    }
    deepStrictEqual(ours(), items.length)
    deepStrictEqual(peer(), items.length)
    return {
      name,
      ratio: median(ratios),
      worst: Math.min(...ratios),
      ...(target === undefined ? {} : { target }),
      unit: `× (ours ${((median(micros) * 1000) / items.length).toFixed(0)} ns per item)`
    }
  })

const microsOf = (call: () => unknown): number => {
  const { threadCpuUsage } = process as unknown as { readonly threadCpuUsage: (this: void) => { readonly user: number; readonly system: number } }
  const before = threadCpuUsage()
  for (let i = 0; i < 30; i++) call()
  const after = threadCpuUsage()
  return (after.user + after.system - before.user - before.system) / 30
}

const median = (values: ReadonlyArray<number>): number => values.toSorted((one, other) => one - other)[values.length >> 1]!
