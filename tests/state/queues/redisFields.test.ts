import { createClient } from "redis"
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { openQueueBackend } from "../../../src/state/index.ts"
import { redisProblem, redisUrl, removeRedisKeys } from "../servers.ts"
import { freshQueue } from "./queueServers.ts"

const problem = await redisProblem()

describe.skipIf(problem !== undefined)(`messages in Redis Streams${problem === undefined ? "" : `: ${problem}`}`, () => {
  it("come as they are, among those of other programs", async () => {
    const queue = freshQueue()
    const client = await createClient({ url: redisUrl }).connect()
    const message = (key: string, body: Uint8Array, contentType: string, headers = {}) => ({ key, body, contentType, headers, time: 5 })
    const reading = Effect.gen(function* () {
      const backend = yield* openQueueBackend(redisUrl)
      const from = yield* backend.subscribe(queue, { leaseMs: 5000, maxHeld: 100 })
      const seen = Effect.map(from.receive(10), (deliveries) =>
        deliveries.map(({ body, contentType, headers, time }) => [Buffer.from(body).toString("latin1"), contentType, headers, time])
      )
      yield* backend.publish(queue, [
        message("a", Buffer.from([0, 255, 10, 32]), "x/ö"),
        message("ü", new Uint8Array(), "x/ö", { of: "ß" }),
        message("c", Buffer.from("c"), "x/y")
      ])
      expect(yield* seen).toEqual([
        ["\0ÿ\n ", "x/ö", { "message-key": "a" }, 5],
        ["", "x/ö", { of: "ß", "message-key": "ü" }, 5],
        ["c", "x/y", { "message-key": "c" }, 5]
      ])
      yield* backend.publish(queue, [message("d", Buffer.from("d"), "x/y")])
      yield* Effect.promise(() => client.sendCommand(["XADD", queue, "7000000000000-1", "x", "1"]))
      expect(yield* seen).toEqual([
        ["d", "x/y", { "message-key": "d" }, 5],
        ['{"x":"1"}', "application/json", {}, 7_000_000_000_000]
      ])
    })
    try {
      await Effect.runPromise(Effect.scoped(reading))
    } finally {
      client.destroy()
      await removeRedisKeys(queue)
    }
  })
})
