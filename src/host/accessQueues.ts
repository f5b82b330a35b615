import * as Effect from "effect/Effect"
import { deadLetterHeaders, type Delivery, type StoredMessages } from "../state/index.ts"
import type { HostStores } from "./HostStores.ts"
import type { QueueContents, StoredQueueMessage } from "./QueueContents.ts"
import { queuesOfStore } from "./QueuePolicy.ts"

/** The queues in a host's store, which is opened when they are first asked for. */
export const accessQueues = (host: {
  readonly stateStore: HostStores["stateStore"]
  readonly promise: <A, E>(effect: Effect.Effect<A, E>) => Promise<A>
}): QueueContents => {
  const stored = <A, E>(use: (messages: StoredMessages) => Effect.Effect<A, E>): Promise<A> =>
    host.promise(Effect.flatMap(queuesOfStore(host.stateStore), (backend): Effect.Effect<A, unknown> => use(backend.stored!)))
  return {
    queues: () => stored((messages) => messages.queues),
    list: async ({ after, limit = 100, queue }) =>
      (await stored((messages) => messages.list({ queue, after, limit }))).map((delivery) => messageOf(queue, delivery)),
    putBack: (selection) => stored((messages) => messages.putBack(selection)),
    remove: (selection) => stored((messages) => messages.remove(selection))
  }
}

const messageOf = (queue: string, { attempts, body, contentType = "", headers, id, time = 0 }: Delivery): StoredQueueMessage => {
  const original = headers[deadLetterHeaders.queue]
  const reason = headers[deadLetterHeaders.reason]
  const message = { id: Number(id), queue, body, contentType, attempts, sentAt: time, headers }
  if (original === undefined || reason === undefined) return message
  return { ...message, dead: { queue: original, reason, attempts: Number(headers[deadLetterHeaders.attempts]) } }
}
