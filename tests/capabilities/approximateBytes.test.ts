import { describe, expect, it } from "vitest"
import { approximateBytes } from "../../src/capabilities/aggregation/approximateBytes.ts"

describe("approximateBytes", () => {
  it("weighs what a value holds", () => {
    expect(approximateBytes("abc", Infinity)).toBe(19)
    expect(approximateBytes([1, "abc"], Infinity)).toBe(16 + 16 + 27)
    expect(approximateBytes({ a: 1 }, Infinity)).toBe(32)
    expect(approximateBytes(new Map([["a", 1]]), Infinity)).toBe(16 + 32 + 17 + 8)
  })

  it("stops where it was told, so that a small value of endless weight does not keep it", () => {
    let value: unknown = 1
    for (let i = 0; i < 64; i++) value = i % 3 === 0 ? [value, value] : i % 3 === 1 ? { x: value, y: value } : new Map([[value, value]])
    const weight = approximateBytes(value, 1_000_000)
    expect(weight).toBeGreaterThan(1_000_000)
  })

  it("takes a value that holds itself for a heavy one", () => {
    const value: Array<unknown> = []
    value.push(value, value)
    expect(approximateBytes(value, 100_000)).toBeGreaterThan(100_000)
  })
})
