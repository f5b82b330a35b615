import { describe, expect, it } from "vitest"
import { actor, counting, fromArray, life, mailbox, received, services } from "./actorSetup.ts"

describe("a synchronous source", () => {
  it("loses no item when whoever is told of its progress throws", async () => {
    const numbers = Array.from({ length: 300 }, (_, index) => index)
    for (const input of [fromArray(numbers), { source: counting(300).source }]) {
      const output = mailbox()
      let told = 0
      const made = actor({
        input,
        outputs: [{ mailbox: output, edge: 0 }],
        services: {
          ...services,
          progress: () => {
            if (++told === 1) throw new Error("nobody listens")
          }
        }
      })
      await life(made)
      await life(made)
      expect(received(output)).toEqual([...numbers, "end"])
    }
  })
})
