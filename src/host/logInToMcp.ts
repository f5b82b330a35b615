import * as Effect from "effect/Effect"
import { logIn } from "../capabilities/index.ts"
import { type HostOptions, InvalidHostOption } from "./HostOptions.ts"
import { authorizationOf, keeperOf } from "./mcpAuthorization.ts"
import { serverOf } from "./mcpAccess.ts"
import type { Authorize } from "./McpHooks.ts"

export interface LogInOptions {
  /** How to reach the person. */
  readonly authorize: Authorize
  /** Where the browser comes back to. */
  readonly redirectUrl: string
  readonly signal: AbortSignal
}

/**
 * Lets a person allow a host the use of one of its MCP servers; the tokens are kept in `dataDir`, for hosts that have the
 * same one, a running one included. What was kept before stays until there is something new.
 *
 * @returns whether the server has asked for authorization at all
 *
 * **Fails** by throwing `InvalidHostOption` for a server that has no such `auth`, `McpFailure`, `NetworkFailure` and
 * `PermissionDenied`.
 */
export const logInToMcp = async (host: HostOptions, name: string, { authorize, redirectUrl, signal }: LogInOptions): Promise<boolean> => {
  const options = knownServer(host, name)
  if (options.auth?.type !== "authorization-code") {
    const problem = options.auth === undefined ? "has no auth" : `has auth of the type ${options.auth.type}, for which nobody logs in`
    throw new InvalidHostOption(`mcpServers.${name}`, `${problem}; a person logs in where it is {"type": "authorization-code"}`)
  }
  const server = serverOf(name, options, host)
  if (server.kind !== "http") throw new InvalidHostOption(`mcpServers.${name}`, "must have a url")
  const authorization = authorizationOf(name, new URL(server.url), options.auth, { ...host, authorize }, { redirectUrl })
  return logIn({ ...server, authorization }, (effect) => Effect.runPromise(effect), signal)
}

/** Forgets the tokens of a server, and the client that was registered for them. @returns whether there were any */
export const logOutOfMcp = async (host: HostOptions, name: string): Promise<boolean> => {
  knownServer(host, name)
  return keeperOf(name, host.dataDir).forget()
}

/** The URL that the configuration wants browsers to come back to, if it says one. */
export const redirectUrlOf = (host: HostOptions, name: string): string | undefined => {
  const { auth } = knownServer(host, name)
  return auth?.type === "authorization-code" ? auth.redirectUrl : undefined
}

const knownServer = ({ mcpServers = {} }: HostOptions, name: string) => {
  const options = Object.hasOwn(mcpServers, name) ? mcpServers[name] : undefined
  if (options !== undefined) return options
  const names = Object.keys(mcpServers)
  throw new InvalidHostOption(
    `mcpServers.${name}`,
    `does not exist; ${names.length === 0 ? "there are no servers" : `there are ${names.join(", ")}`}`
  )
}
