import { describe, expect, it } from "vitest"
import { PortionSize } from "../../../src/capabilities/databases/PortionSize.ts"

const rowsOf = (count: number, bytes: number) => Array.from({ length: count }, (_, id) => ({ id, body: "x".repeat(bytes) }))

describe("the size of a portion", () => {
  it("is a few rows at first, and then :fetch-size", () => {
    const size = new PortionSize(1000)
    expect(size.rows).toBe(64)
    size.learn(rowsOf(64, 100))
    expect(size.rows).toBe(1000)
    expect(new PortionSize(10).rows).toBe(10)
  })

  it("is what 8 MB hold of large rows, and never less than one", () => {
    const size = new PortionSize(1000)
    size.learn(rowsOf(64, 32 * 1024))
    expect(size.rows).toBeGreaterThan(200)
    expect(size.rows * 32 * 1024).toBeLessThanOrEqual(8 * 1024 ** 2)
    size.learn(rowsOf(1, 20 * 1024 ** 2))
    expect(size.rows).toBe(1)
    size.learn(rowsOf(1, 10))
    expect(size.rows).toBe(1000)
  })

  it("goes by the largest row that is weighed", () => {
    const size = new PortionSize(1000)
    size.learn([...rowsOf(7, 10), ...rowsOf(1, 1024 ** 2)])
    expect(size.rows).toBe(7)
  })
})
