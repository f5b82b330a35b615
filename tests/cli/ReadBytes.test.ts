import { describe, expect, it } from "vitest"
import { ReadBytes } from "../../src/cli/ReadBytes.ts"

describe("ReadBytes", () => {
  it("adds up the sources of one stream, and no other's", () => {
    const read = new ReadBytes()
    expect(read.of("a")).toBeUndefined()
    read.report({ address: "/pipelines/a/one", done: 1, total: 10 })
    read.report({ address: "/pipelines/a/two", done: 2, total: 20 })
    read.report({ address: "/pipelines/a-2/one", done: 4, total: 40 })
    read.report({ address: "/pipelines/a/one", done: 5, total: 10 })
    expect(read.of("a")).toEqual({ done: 7, total: 30 })
  })

  it("knows no total where one source knows none", () => {
    const read = new ReadBytes()
    read.report({ address: "/pipelines/a/one", done: 1, total: 10 })
    read.report({ address: "/pipelines/a/two", done: 2, total: undefined })
    expect(read.of("a")).toEqual({ done: 3, total: undefined })
  })
})
