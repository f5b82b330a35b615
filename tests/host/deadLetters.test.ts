import { afterEach, describe, expect, it } from "vitest"
import { StreamHost } from "rtfs-streams"
import { DeadLetters } from "../../src/host/DeadLetters.ts"

const hosts: Array<StreamHost> = []
afterEach(async () => {
  await Promise.all(hosts.splice(0).map((host) => host.stop({ timeout: 1000 })))
})

describe("items that were put aside", () => {
  it("are shown by inspect with their value, error and actor", async () => {
    const notes: Array<unknown> = []
    const items = [{ id: 1 }, { id: 2, feed: () => {} }, { id: 3 }].values()
    const host = await StreamHost.start({ bindings: { items, note: (id: unknown) => void notes.push(id) } })
    hosts.push(host)
    const handle = await host.spawn("(call :stream.for-each items {:callback (fn [x] (note (:id x)))})", {
      name: "feed",
      restart: "transient"
    })
    await handle.result
    expect(notes).toEqual([1, 3])
    expect(handle.inspect()).toMatchObject({
      streams: [
        {
          deadLettered: 1,
          deadLetters: [
            {
              actor: expect.stringContaining("from-iterable"),
              capability: "stream.from-iterable",
              item: 2,
              value: { id: 2 },
              error: expect.stringContaining("can't leave its actor"),
              attempts: 1
            }
          ]
        }
      ]
    })
  })

  it("are counted without bound, and kept up to a hundred", () => {
    const letters = new DeadLetters()
    for (let item = 1; item <= 1000; item++) {
      letters.add({
        address: "/a",
        node: "map",
        capability: "stream.map",
        why: "quarantine",
        queue: "quarantine",
        item,
        value: item,
        cause: new Error("no"),
        attempts: 3,
        place: String(item)
      })
    }
    expect(letters.count).toBe(1000)
    expect(letters.kept.map(({ item }) => item)).toEqual(Array.from({ length: 100 }, (_, index) => index + 1))
  })
})
