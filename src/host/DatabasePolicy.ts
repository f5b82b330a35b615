import { existsSync, realpathSync } from "node:fs"
import { basename, dirname, join, resolve, sep } from "node:path"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { DatabaseAccess } from "../actors/index.ts"
import { DatabaseFailure, type DatabaseServer, openDatabase, type OpenDatabase, parseDatabaseUrl } from "../capabilities/index.ts"
import { nearestOrPart } from "../serialization/index.ts"
import { PermissionDenied } from "./errors.ts"
import { InvalidHostOption } from "./HostOptions.ts"

/** Which databases programs may use; what is left out is not granted. */
export interface DatabaseGrants {
  /** Servers (`postgres://db`), databases of them (`postgres://db/orders`), SQLite files and folders (`sqlite:orders.db`). */
  readonly db?: ReadonlyArray<string>
  /** Every database. */
  readonly all?: boolean
  /** By name; those that are no URLs of databases are somebody else's. */
  readonly connections?: Readonly<Record<string, string>>
}

/**
 * The databases of a host. A program names one, as the host's connections do, or writes a URL that is granted; a URL with a
 * password it may not write, because what a program says is kept with it.
 *
 * **Fails** by throwing `InvalidHostOption` for a grant that is no URL of a database.
 */
export const makeDatabaseAccess = ({
  all = false,
  connections = {},
  db = []
}: DatabaseGrants): Effect.Effect<DatabaseAccess, never, Scope.Scope> => {
  const granted = db.map((url) => placeOf(parsed(url)))
  const named = new Map<string, DatabaseServer>()
  for (const [name, url] of Object.entries(connections)) {
    const server = parseDatabaseUrl(url)
    if (server !== undefined) named.set(name, server)
  }
  const open = new Map<string, OpenDatabase>()

  /** What is granted as one database is one that can be had without a name. */
  const only = (): DatabaseServer => {
    const ours = [...named.values()].filter((server) => all || isGranted(server))
    const servers = ours.length > 0 ? ours : db.map(parsed).filter(isOneDatabase)
    const different = new Map(servers.map((server) => [server.url, server]))
    if (different.size === 1) return [...different.values()][0]!
    throw missing(
      different.size === 0
        ? "is not there: no :connection is given, and the host has none that is granted"
        : `is not the only one: there are ${[...different.values()].map(({ location }) => location).join(", ")}`,
      different.size === 0
        ? "Give the host the option connections and grant it with --allow-db URL (policy.db)."
        : "Say which with :connection."
    )
  }

  const isGranted = (server: DatabaseServer): boolean => {
    const place = placeOf(server)
    return granted.some(
      (grant) =>
        place === grant
        || place.startsWith(grant.endsWith("/") || grant.endsWith(sep) ? grant : grant + (server.kind === "sqlite" ? sep : "/"))
    )
  }

  const find = (connection: string | undefined): DatabaseServer => {
    const server = connection === undefined ? only() : (named.get(connection) ?? ofUrl(connection))
    if (all || isGranted(server)) return server
    throw new PermissionDenied({
      what: `the database ${server.location}`,
      remedy: `grant it with --allow-db ${server.location} (policy.db)`
    })
  }

  const ofUrl = (text: string): DatabaseServer => {
    const server = parseDatabaseUrl(text)
    if (server === undefined) {
      const near = nearestOrPart(text, [...named.keys()])
      throw missing(
        `${JSON.stringify(text.slice(0, 40))} is not there`,
        near === undefined ? "Name one of the host's connections, or give the URL of a database." : `Did you mean :${near}?`
      )
    }
    // Drivers take `?host=`, `?sslkey=` and the like from there: another server than the one that is granted, or a file.
    if (server.kind !== "sqlite" && text.includes("?"))
      throw new PermissionDenied({
        what: `the parameters in the URL of ${server.location}`,
        remedy: "put the URL into the host's connections and give its name"
      })
    if (/:\/\/[^/@]*:[^/@]*@/.test(text))
      throw new PermissionDenied({
        what: `the password in the URL of ${server.location}`,
        remedy: "put the URL into the host's connections and give its name"
      })
    // Credentials that the host has for this very place are used.
    return [...named.values(), ...db.map(parsed)].find((known) => isOneDatabase(known) && placeOf(known) === placeOf(server)) ?? server
  }

  const access: DatabaseAccess = {
    find: (connection) =>
      Effect.try({
        try: () => {
          const server = find(connection)
          let database = open.get(server.url)
          if (database === undefined) open.set(server.url, (database = openDatabase(server)))
          return database
        },
        catch: (error) => error
      })
  }
  return Effect.as(
    Effect.addFinalizer(() => Effect.suspend(() => Effect.asVoid(Effect.forEach(open.values(), ({ close }) => close)))),
    access
  )
}

const parsed = (url: string): DatabaseServer => {
  const server = parseDatabaseUrl(url)
  if (server !== undefined) return server
  throw new InvalidHostOption(
    "policy.db",
    "has something that is no URL of a database, such as postgres://db/orders, mysql://db/orders or sqlite:orders.db"
  )
}

const isOneDatabase = ({ kind, location, url }: DatabaseServer): boolean =>
  kind === "sqlite" ? !url.endsWith("/") : location.lastIndexOf("/") > location.indexOf("//") + 1

/** What two URLs of one place have in common: no user, and for a file the real path. */
const placeOf = ({ kind, location, url }: DatabaseServer): string => (kind === "sqlite" ? realPath(url) : location.replace(/\/$/, ""))

const realPath = (file: string): string => {
  const path = resolve(file)
  if (existsSync(path)) return realpathSync(path)
  return existsSync(dirname(path)) ? join(realpathSync(dirname(path)), basename(path)) : path
}

const missing = (problem: string, fix: string): DatabaseFailure =>
  new DatabaseFailure({ location: "of this program", kind: "refused", problem, fix })
