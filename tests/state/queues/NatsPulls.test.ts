import type { Msg, NatsConnection } from "@nats-io/transport-node"
import * as Effect from "effect/Effect"
import { expect, it } from "vitest"
import { NatsPulls } from "../../../src/state/queues/NatsPulls.ts"

it("asks for more as soon as the last message of a request has come", async () => {
  const asked: Array<number> = []
  let deliver = (_error: null, _message: Msg) => {}
  const connection = {
    subscribe: (_subject: string, options: { readonly callback: typeof deliver }) => {
      deliver = options.callback
      return { unsubscribe: () => {} }
    },
    publish: (_subject: string, request: string) => void asked.push(JSON.parse(request).batch)
  }
  const pulls = new NatsPulls(connection as unknown as NatsConnection, { location: "nats://here", subject: "NEXT", inbox: "inbox" })
  const one = (sequence: number) =>
    deliver(null, { reply: `$JS.ACK.S.C.1.${sequence}.${sequence}.1700000000000000000.0`, data: new Uint8Array() } as unknown as Msg)
  pulls.begin(2)
  const taken = Effect.runPromise(
    Effect.gen(function* () {
      const ids: Array<string> = []
      while (ids.length < 3) {
        ids.push(...(yield* pulls.arrivals.take(2)).map(({ id }) => id))
        pulls.begin(1)
      }
      return ids
    })
  )
  await new Promise((resolve) => setImmediate(resolve))
  one(1)
  one(2)
  // It has been asked for while the second was given, and not a second later.
  expect(asked).toEqual([2, 1])
  one(3)
  expect(await taken).toEqual(["1", "2", "3"])
  pulls.close()
})
