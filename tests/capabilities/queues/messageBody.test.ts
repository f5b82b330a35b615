import { describe, expect, it } from "vitest"
import { jsonBodiesOf, messageOf } from "../../../src/capabilities/queues/messageBody.ts"
import { JsonLineParser } from "../../../src/serialization/index.ts"
import type { Delivery } from "../../../src/state/index.ts"

const delivery = (body: string, contentType: string | undefined = "application/json"): Delivery => ({
  id: "1",
  receipt: undefined,
  attempts: 1,
  time: undefined,
  body: Buffer.from(body),
  contentType,
  headers: {}
})

const together = (bodies: ReadonlyArray<string>) =>
  jsonBodiesOf(
    bodies.map((body) => delivery(body)),
    "auto",
    new JsonLineParser("utf8")
  )

describe("bodies that are read together", () => {
  it("are what each is alone, also where they are more than one block", () => {
    const bodies = Array.from({ length: 3000 }, (_, id) => JSON.stringify({ id, label: `größe ${id}`, nothing: null, deep: [{ id }] }))
    expect(together(bodies)).toEqual(bodies.map((body) => messageOf(delivery(body), "auto")["body"]))
  })

  it.each([
    ["has line feeds", ["1\n2", "3", "4", "5"]],
    ["is empty beside one of two lines", ["1\n2", "", "4", "5"]],
    ["is no JSON", ["1", "2", "}", "4"]],
    ["joins with the next", ["[1", "2]", "3", "4"]],
    ["has an integer that JSON.parse loses", ["1", "2", "3", "12345678901234567890"]],
    ["is too long", ["1", "2", "3", JSON.stringify("x".repeat(100_000))]]
  ])("are read one by one where one of them %s", (_, bodies) => {
    expect(together(bodies)).toBeUndefined()
  })

  it("are read one by one where one of them is no JSON by its type", () => {
    const parser = new JsonLineParser("utf8")
    const some = ["1", "2", "3"].map((body) => delivery(body))
    expect(jsonBodiesOf([...some, delivery("4")], "auto", parser)).toEqual([1, 2, 3, 4])
    expect(jsonBodiesOf([...some, delivery("4", "text/plain")], "auto", parser)).toBeUndefined()
    expect(jsonBodiesOf([...some, delivery("4", "text/plain")], "json", parser)).toEqual([1, 2, 3, 4])
    expect(jsonBodiesOf([...some, delivery("4")], "text", parser)).toBeUndefined()
  })
})
