import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import { type DataDirectoryInUse, openStateStore, type StateStore, type StoreFailure } from "../state/index.ts"
import { type HostOptions, InvalidHostOption } from "./HostOptions.ts"

/** The stores of a host. Each is opened when it is first asked for, once, and closed with the host. */
export interface HostStores {
  readonly stateStore: Effect.Effect<StateStore, StoreFailure | DataDirectoryInUse>
  /**
   * The store that a program asks for by a name: `embedded` is the host's own, `memory` lives as long as the host, the others
   * are servers of the host's option `connections`, or of the environment.
   */
  readonly storeNamed: (name: StoreName) => Effect.Effect<StateStore, StoreFailure | DataDirectoryInUse | InvalidHostOption>
}

export type StoreName = "embedded" | "memory" | "redis" | "postgres"

export const makeHostStores = (
  { connections = {}, dataDir, store = dataDir === undefined ? "memory:" : `sqlite:${join(dataDir, "state.db")}` }: HostOptions,
  scope: Scope.Scope
): HostStores => {
  const opened = new Map<string, StateStore>()
  const one = Semaphore.makeUnsafe(1)
  // A store that could not be opened may be there when a restarted stream asks again; so only success is kept.
  const openOnce = (url: string) =>
    one.withPermit(
      Effect.suspend(() => {
        const known = opened.get(url)
        return known === undefined
          ? Effect.tap(openIn(scope, url), (store) => Effect.sync(() => opened.set(url, store)))
          : Effect.succeed(known)
      })
    )
  return {
    stateStore: openOnce(store),
    storeNamed: (name) => {
      if (name === "embedded") return openOnce(store)
      if (name === "memory") return openOnce("memory:")
      const found = urlOfServer(name, connections)
      return typeof found === "string" ? openOnce(found) : Effect.fail(found)
    }
  }
}

/** What was taken by an attempt that fails is released at once, and not with the host. */
const openIn = (scope: Scope.Scope, url: string): Effect.Effect<StateStore, StoreFailure | DataDirectoryInUse> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(Scope.fork(scope), (own) =>
      Effect.onExit(restore(Scope.provide(openStateStore(url), own)), (exit) =>
        Exit.isFailure(exit) ? Scope.close(own, exit) : Effect.void
      )
    )
  )

const servers = {
  redis: { variable: "REDIS_URL", schemes: ["redis:", "rediss:"] },
  postgres: { variable: "DATABASE_URL", schemes: ["postgres:", "postgresql:"] }
} as const

const urlOfServer = (name: "redis" | "postgres", connections: Readonly<Record<string, string>>): string | InvalidHostOption => {
  const { schemes, variable } = servers[name]
  const option = `connections.${name}`
  const form = `${schemes[0]}//HOST…`
  const configured = Object.hasOwn(connections, name) ? connections[name] : undefined
  const url = configured ?? process.env[variable]
  if (url === undefined || url === "")
    return new InvalidHostOption(option, `is missing, and the environment has no ${variable}: give one of them, as ${form}`)
  if (schemes.some((scheme) => url.startsWith(`${scheme}//`))) return url
  // The URL may hold a password, so it is not shown.
  return new InvalidHostOption(
    option,
    `${configured === undefined ? `is missing, and ${variable} of the environment` : ""} is no URL such as ${form}`.trim()
  )
}
