import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import type { QueueAccess } from "../actors/index.ts"
import { openQueueBackend, type QueueBackend, queueSchemes } from "../state/index.ts"
import { InvalidHostOption } from "./HostOptions.ts"
import type { HostStores } from "./HostStores.ts"
import type { Policy } from "./Policy.ts"

export interface QueuePolicyOptions {
  readonly policy: Policy
  readonly connections: Readonly<Record<string, string>>
  readonly stateStore: HostStores["stateStore"]
}

/** The name of the queues in the host's own store. */
const embedded = "embedded"

/** What programs ask for when they name no connection. */
const usual = "queue"

export const makeQueueAccess = ({ connections, policy, stateStore }: QueuePolicyOptions, scope: Scope.Scope): QueueAccess => {
  const opened = new Map<string, QueueBackend>()
  const one = Semaphore.makeUnsafe(1)
  const backendAt = (name: string): Effect.Effect<QueueBackend, unknown> => {
    if (name === embedded) return queuesOfStore(stateStore)
    const url = Object.hasOwn(connections, name) ? connections[name]! : undefined
    if (url === undefined || !queueSchemes.some((scheme) => url.startsWith(`${scheme}://`))) {
      const problem = url === undefined ? "is missing" : "is no server that has queues"
      return Effect.fail(
        new InvalidHostOption(
          `connections.${name}`,
          `${problem}: give it as redis://HOST…, nats://HOST…, amqp://HOST…, kafka://HOST… or sqs://REGION`
        )
      )
    }
    return openIn(scope, url)
  }
  return {
    open: (capability, queue, connection) =>
      Effect.suspend(() => {
        try {
          policy.checkQueue(capability, queue)
        } catch (denied) {
          return Effect.fail(denied)
        }
        const name = connection ?? (Object.hasOwn(connections, usual) ? usual : embedded)
        return one.withPermit(
          Effect.suspend(() => {
            const known = opened.get(name)
            // Only success is kept: a server that is away may be there when it is asked again.
            return known === undefined
              ? Effect.tap(backendAt(name), (backend) => Effect.sync(() => opened.set(name, backend)))
              : Effect.succeed(known)
          })
        )
      })
  }
}

/** The queues in a store. **Fails** with `InvalidHostOption` where it has none of its own. */
export const queuesOfStore = (stateStore: HostStores["stateStore"]): Effect.Effect<QueueBackend, unknown> =>
  Effect.flatMap(
    stateStore,
    (store): Effect.Effect<QueueBackend, unknown> =>
      store.queues
      ?? Effect.fail(
        new InvalidHostOption(
          "store",
          `is ${store.location}, which has no queues of its own: name a server as connections.queue, such as redis://HOST…`
        )
      )
  )

/** What an attempt that fails has opened is closed at once, and not with the host. */
const openIn = (scope: Scope.Scope, url: string): Effect.Effect<QueueBackend, unknown> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(Scope.fork(scope), (own) =>
      Effect.onExit(restore(Scope.provide(openQueueBackend(url), own)), (exit) =>
        Exit.isFailure(exit) ? Scope.close(own, exit) : Effect.void
      )
    )
  )
