import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { decodeValue, encodeValue } from "../serialization/index.ts"
import type { HostStores } from "./HostStores.ts"
import type { Records } from "./Records.ts"

/**
 * Takes the records of a name for this host, until the scope closes.
 *
 * **Fails** with `StreamInUse` while another host that uses the same store has them, and with `StoreFailure`.
 */
export const openRecords = async (
  name: string,
  scope: Scope.Scope,
  host: {
    readonly stateStore: HostStores["stateStore"]
    readonly promise: <A, E>(effect: Effect.Effect<A, E>) => Promise<A>
  }
): Promise<Records> => {
  const taking = Effect.gen(function* () {
    const store = yield* host.stateStore
    const own = yield* Scope.fork(scope)
    const { facts } = yield* Effect.onExit(Scope.provide(store.own(`records/${name}`), own), (exit) =>
      Exit.isFailure(exit) ? Scope.close(own, exit) : Effect.void
    )
    return { facts, isDurable: store.kind !== "memory" }
  })
  const { facts, isDurable } = await host.promise(taking)
  return {
    isDurable,
    all: async () => new Map([...(await host.promise(facts.all))].map(([key, bytes]) => [key, decodeValue(bytes)])),
    set: (key, value) => host.promise(facts.set(key, encodeValue(value))),
    remove: (key) => host.promise(facts.set(key, null))
  }
}
