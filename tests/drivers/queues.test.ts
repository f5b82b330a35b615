import { afterAll, describe, expect, it } from "vitest"
import { embedded, servers } from "../state/queues/queueServers.ts"
import { expectedOf, failingQueue } from "./failingQueues.ts"

const all = await servers()
afterAll(async () => {
  for (const { remove } of all) await remove()
})

// As many messages as one likes: node tests/drivers/queues.ts
describe("messages of which one in a hundred fails", { concurrent: true }, () => {
  for (const { freshQueue, name, unavailable, url } of [{ ...embedded, name: "embedded", url: undefined }, ...all]) {
    const title = unavailable === undefined ? name : `${name}: ${unavailable}`
    it.skipIf(unavailable !== undefined)(
      `are all worked off or dead letters, once each: ${title}`,
      async () => {
        const sizes = { messages: 2000, failsEach: 100 }
        expect(await failingQueue({ ...sizes, queue: freshQueue(), url })).toEqual(expectedOf(sizes))
      },
      60_000
    )
  }
})
