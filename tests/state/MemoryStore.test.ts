import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { openStateStore } from "../../src/state/index.ts"
import { bytes, storeContract } from "../contracts/store.ts"

let places = 0
storeContract({ name: "memory", isShared: true, freshUrl: () => `memory:contract-${++places}` })

describe("the store in memory", () => {
  it("is a new one for each that opens it, unless it has a name", async () => {
    const letters = (url: string) =>
      Effect.runPromise(
        Effect.scoped(
          Effect.gen(function*() {
            const { deadLetters } = yield* openStateStore(url)
            yield* deadLetters.add([{ queue: "q", stream: "s", key: `${Math.random()}`, time: 0, bytes: bytes() }])
            return (yield* deadLetters.list({ limit: 10 })).length
          })
        )
      )
    expect([await letters("memory:"), await letters("memory:")]).toEqual([1, 1])
    expect([await letters("memory:named"), await letters("memory:named")]).toEqual([1, 2])
  })

  it("takes no more dead letters than it has room for, and keeps those it has", async () => {
    const add = (count: number, size: number) =>
      Array.from({ length: count }, (_, index) => ({
        queue: "q",
        stream: "s",
        key: `${count} ${index}`,
        time: 0,
        bytes: new Uint8Array(size)
      }))
    await Effect.runPromise(
      Effect.scoped(
        Effect.gen(function*() {
          const { deadLetters } = yield* openStateStore("memory:")
          yield* deadLetters.add(add(9_999, 1))
          expect((yield* Effect.flip(deadLetters.add(add(2, 1)))).message).toContain("holds at most 10000 dead letters")
          expect((yield* Effect.flip(deadLetters.add(add(1, 65 * 1024 ** 2)))).message).toContain("64 MB")
          yield* deadLetters.add(add(1, 1))
          expect(yield* deadLetters.queues).toEqual([{ queue: "q", letters: 10_000 }])
        })
      )
    )
  })
})
