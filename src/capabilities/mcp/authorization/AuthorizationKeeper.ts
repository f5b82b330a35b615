import { randomUUID } from "node:crypto"
import { open, readFile, rename, rm } from "node:fs/promises"
import { dirname, join } from "node:path"
import type { StoredOAuthClientInformation, StoredOAuthTokens } from "@modelcontextprotocol/client"
import { makeFolders } from "../../../serialization/index.ts"
import { McpFailure } from "../errors.ts"

/** What is known at one server: its tokens, and as whom they were given. */
export interface KeptAuthorization {
  /** Whose tokens they are: they are sent to no other. */
  readonly url: string
  readonly tokens?: KeptTokens
  /** Clients that were registered, by the authorization server that did it. */
  readonly clients: Readonly<Record<string, StoredOAuthClientInformation>>
  /** The one authorization server that credentials of the configuration are for, once it has given a token for them. */
  readonly boundTo?: string
}

export type KeptTokens = StoredOAuthTokens & {
  /** Milliseconds since 1970. */
  readonly expiresAt?: number
}

/** Where the authorization of one server is kept. It is asked each time, so what another process has put there counts at once. */
export interface AuthorizationKeeper {
  readonly read: () => Promise<KeptAuthorization | undefined>
  readonly write: (kept: KeptAuthorization) => Promise<void>
  /** @returns whether there was anything */
  readonly forget: () => Promise<boolean>
}

/** As long as the host. */
export const keepInMemory = (): AuthorizationKeeper => {
  let kept: KeptAuthorization | undefined
  return {
    read: () => Promise.resolve(kept),
    write: (next) => Promise.resolve(void (kept = next)),
    forget: () => {
      const had = kept !== undefined
      kept = undefined
      return Promise.resolve(had)
    }
  }
}

/**
 * A file of the data directory that only this user may read.
 *
 * **Delivery** a crash leaves the old one or the new one.
 * **Fails** with `McpFailure` where it is damaged, and with the system's error.
 */
export const keepInFile = (dataDir: string, server: string): AuthorizationKeeper => {
  const file = join(dataDir, "authorization", `${server}.json`)
  return {
    read: async () => {
      let text: string
      try {
        text = await readFile(file, "utf8")
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined
        throw error
      }
      const kept = parsed(text)
      if (kept !== undefined) return kept
      throw new McpFailure({
        stream: `of the server ${server}`,
        reason: "authorization",
        problem: `${file} is damaged`,
        fix: `Remove it with rtfs-streams logout ${server}, and log in again.`
      })
    },
    write: async (kept) => {
      makeFolders(dirname(file))
      const next = `${file}.${randomUUID()}`
      try {
        const handle = await open(next, "wx", 0o600)
        try {
          await handle.writeFile(JSON.stringify(kept))
          await handle.sync()
        } finally {
          await handle.close()
        }
        await rename(next, file)
      } catch (error) {
        await rm(next, { force: true })
        throw error
      }
    },
    forget: async () => {
      const had = await rm(file).then(
        () => true,
        (error: NodeJS.ErrnoException) => (error.code === "ENOENT" ? false : Promise.reject(error))
      )
      return had
    }
  }
}

const parsed = (text: string): KeptAuthorization | undefined => {
  try {
    const value = JSON.parse(text) as Partial<KeptAuthorization> | null
    const isWhole =
      typeof value === "object" && typeof value?.url === "string" && typeof value.clients === "object" && value.clients !== null
    return isWhole ? (value as KeptAuthorization) : undefined
  } catch {
    return undefined
  }
}
