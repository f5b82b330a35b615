import type { DatabaseKind } from "../../actors/index.ts"
import { takeAuthority, trustOf } from "../../state/index.ts"
import { DatabaseFailure } from "./errors.ts"

/** Where a database is: what the driver may see, and what may stand in messages. */
export interface DatabaseServer {
  readonly kind: DatabaseKind
  /** With credentials; for SQLite the file. */
  readonly url: string
  readonly location: string
  /** What `?ca=` says: whom the server's certificate has to be signed by. */
  readonly authority: string | undefined
  readonly redacted: (message: string) => string
}

const kinds: Readonly<Record<string, DatabaseKind>> = {
  "postgres:": "postgres",
  "postgresql:": "postgres",
  "mysql:": "mysql",
  "mariadb:": "mysql",
  "sqlite:": "sqlite"
}

const ports: Readonly<Record<string, string>> = { postgres: "5432", mysql: "3306" }

/** @returns `undefined` where it is no URL of a database. No error shows any of it. */
export const parseDatabaseUrl = (text: string): DatabaseServer | undefined => {
  const kind = kinds[text.slice(0, text.indexOf(":") + 1).toLowerCase()]
  if (kind === undefined) return undefined
  if (kind === "sqlite") {
    const file = text.slice("sqlite:".length).replace(/^\/\//, "")
    return file === "" ? undefined : { kind, url: file, location: `sqlite:${file}`, authority: undefined, redacted: (message) => message }
  }
  if (!URL.canParse(text)) return undefined
  const url = new URL(text)
  if (url.hostname === "") return undefined
  const secrets = [url.password, decoded(url.password), url.searchParams.get("password") ?? ""].filter((secret) => secret !== "")
  const location = `${kind}://${url.hostname}:${url.port || ports[kind]}${url.pathname === "/" ? "" : url.pathname}`
  const authority = takeAuthority(url)
  return {
    kind,
    authority,
    url: url.toString(),
    location,
    redacted: (message) => secrets.reduce((shown, secret) => shown.replaceAll(secret, "***"), message)
  }
}

/** What TLS is to be told for this server. **Fails** by throwing a `DatabaseFailure`. */
export const trusted = (server: DatabaseServer): ReturnType<typeof trustOf> => {
  try {
    return trustOf(server.authority)
  } catch (error) {
    throw DatabaseFailure.of(server, "refused", error)
  }
}

const decoded = (text: string): string => {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
