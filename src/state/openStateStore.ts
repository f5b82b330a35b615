import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { type DataDirectoryInUse, StoreFailure } from "./errors.ts"
import type { LeaseTimes } from "./Lease.ts"
import { makeMemoryStore } from "./MemoryStore.ts"
import type { StateStore } from "./StateStore.ts"

export interface StoreOptions {
  /** How large the file of an SQLite store may grow; beyond that a write fails. */
  readonly maxBytes?: number
  /** How long the owner of a stream may be silent, for a store that is shared by processes. */
  readonly lease?: LeaseTimes
}

/**
 * Opens the store at a URL, until the scope closes: `memory:` (gone with the scope), `memory:NAME` (one for the whole
 * process), `sqlite:FILE`, `redis://…` or `rediss://…` with `?prefix=` for its keys, or `postgres://…` with `?schema=`.
 *
 * **Fails** with `StoreFailure` where it can't be reached or is damaged, with `DataDirectoryInUse` where another process
 * has the file. Passwords of a URL stand in no message.
 */
export const openStateStore = (
  url: string,
  options: StoreOptions = {}
): Effect.Effect<StateStore, StoreFailure | DataDirectoryInUse, Scope.Scope> =>
  Effect.suspend(() => {
    const problem = problemOfStoreUrl(url)
    if (problem !== undefined) return Effect.fail(new StoreFailure(schemeOf(url), problem.what, { fix: problem.fix }))
    const rest = url.slice(schemeOf(url).length + 1)
    switch (schemeOf(url)) {
      case "memory":
        return Effect.sync(() => (rest === "" ? makeMemoryStore(url) : namedMemory(url)))
      case "redis":
      case "rediss":
        return Effect.flatMap(
          Effect.promise(() => import("./RedisStore.ts")),
          ({ openRedisStore }) => openRedisStore(url, options)
        )
      case "postgres":
      case "postgresql":
        return Effect.flatMap(
          Effect.promise(() => import("./PostgresStore.ts")),
          ({ openPostgresStore }) => openPostgresStore(url, options)
        )
      default:
        return Effect.flatMap(
          Effect.promise(() => import("./SqliteStore.ts")),
          ({ openSqliteStore }) => openSqliteStore(rest, options)
        )
    }
  })

const schemes = ["memory", "sqlite", "redis", "rediss", "postgres", "postgresql"]

/** Why a URL can't be that of a store, without opening anything. */
export const problemOfStoreUrl = (url: string): { readonly what: string; readonly fix: string } | undefined => {
  const scheme = schemeOf(url)
  if (!schemes.includes(scheme)) return { what: "is none that can be used", fix: `A store is ${urlForms}.` }
  if (scheme === "sqlite" && url.length === "sqlite:".length) return { what: "names no file", fix: "Write sqlite:FILE." }
  if (/^(redis|postgres)/.test(scheme) && !(url.startsWith(`${scheme}://`) && URL.canParse(url)))
    return { what: "can't be read as a URL", fix: `Write ${scheme}://HOST…` }
  return undefined
}

const urlForms = "memory:, sqlite:FILE, redis://HOST… or postgres://HOST…"

const schemeOf = (url: string): string => (/^[a-z]+(?=:)/.exec(url) ?? [""])[0]

const namedMemory = (url: string): StateStore => {
  const known = named.get(url)
  if (known !== undefined) return known
  const store = makeMemoryStore(url)
  named.set(url, store)
  return store
}

/** As many as the process has names for: the URL is the host's, never a program's. */
const named = new Map<string, StateStore>()
