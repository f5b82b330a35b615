import { describe, expect, it } from "vitest"
import { asStream, decodeCall, fromCollection, InvalidCall, type StreamCapability } from "../../src/capabilities/index.ts"
import { batch } from "../../src/capabilities/aggregation/batch.ts"
import { toCollection } from "../../src/capabilities/aggregation/to-collection.ts"
import { map } from "../../src/capabilities/processing/map.ts"
import { keyword } from "../../src/serialization/index.ts"

const decode = (capability: StreamCapability, ...args: ReadonlyArray<unknown>) => decodeCall(capability, args, asStream)

const refusal = (capability: StreamCapability, ...args: ReadonlyArray<unknown>): string => {
  try {
    decode(capability, ...args)
  } catch (error) {
    if (error instanceof InvalidCall) return error.message
    throw error
  }
  throw new Error("It was accepted.")
}

describe("decodeCall", () => {
  it("takes the stream first and the options as a map", () => {
    const { consumes, value } = decode(batch, [1, 2], { size: 2 })
    expect(value.options).toMatchObject({ size: 2, timeout: 1000 })
    expect(value.inputs.map(({ label }) => label)).toEqual(["stream from-collection"])
    expect(consumes).toEqual([])
  })

  it("says which callback consumes the stream", () => {
    expect(decode(map, [1], { transform: (x: unknown) => x, "on-chunk": () => null }).consumes).toEqual(["on-chunk"])
  })

  it("takes the stream of a sink from its option, too", () => {
    expect(decode(toCollection, { source: [1, 2, 3] }).value.inputs).toHaveLength(1)
    expect(decode(toCollection, [1, 2, 3]).value.inputs).toHaveLength(1)
  })

  it("takes options as a map with keyword keys", () => {
    expect(decode(batch, [1], new Map([[keyword("size"), 3]])).value.options["size"]).toBe(3)
  })

  it("reads a keyword where a function is expected as the function that reads the key", () => {
    const { transform } = decode(map, [1], { transform: keyword("name") }).value.options as { transform: (x: unknown) => unknown }
    expect(transform({ name: "a" })).toBe("a")
    expect(transform(null)).toBe(null)
    expect(() => transform(3)).toThrow(":name")
  })

  it("names the nearest option for an unknown one", () => {
    expect(refusal(batch, [1], { size: 2, timout: 5 })).toBe(":stream.batch has no option :timout; did you mean :timeout?")
  })

  it("says what an option expects and what it got", () => {
    const message = refusal(batch, [1], { size: 0 })
    expect(message).toContain(":stream.batch expects :size to be")
    expect(message).toContain("but got 0")
    expect(message).toContain("items per batch")
  })

  it("names a required option that is missing", () => {
    expect(refusal(batch, [1])).toContain(":stream.batch needs :size")
  })

  it("says where a missing stream goes", () => {
    expect(refusal(toCollection, {})).toBe(":stream.to-collection needs a stream: give it as the first argument or as :source.")
    expect(refusal(map, { transform: () => null })).toContain("needs a stream as its first argument")
  })

  it("refuses a map or a string where a stream is expected", () => {
    expect(refusal(map, "abc", { transform: () => null })).toContain('but got "abc"')
  })

  it("refuses more than one map of options", () => {
    expect(refusal(fromCollection, [1], {}, {})).toContain("at most one map of options")
  })

  it("refuses an overflow strategy without a buffer to overflow", () => {
    expect(refusal(map, [1], { transform: () => null, overflow: keyword("fail") })).toContain(":buffer-size")
  })

  it("takes nil as an option that was left out", () => {
    expect(decode(batch, [1], { size: 2, "max-bytes": null }).value.options["max-bytes"]).toBeUndefined()
  })

  it("never takes an inherited name for an option", () => {
    expect(refusal(batch, [1], { size: 2, constructor: 1 })).toContain("has no option :constructor")
  })
})
