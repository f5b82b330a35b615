import { isIP } from "node:net"
import * as Effect from "effect/Effect"
import { McpFailure } from "../errors.ts"
import type { Perform } from "../waiting.ts"
import type { Authorize } from "./AuthorizationSettings.ts"

export interface AskOptions {
  readonly authorize: Authorize
  readonly server: string
  /** Of the authorization server, as its metadata name it. */
  readonly url: URL
  readonly redirectUrl: string
  readonly state: string
  readonly perform: Perform
}

/** What the browser came back with. */
export type Callback = { readonly iss: string | undefined } & ({ readonly code: string } | { readonly error: string })

/** How long a person may take. */
const personMs = 10 * 60_000

/**
 * Sends a person to the authorization server, and reads what the browser comes back with.
 *
 * **Fails** with `McpFailure` for a URL that is none for a browser, for an answer to another question (its state), and after
 * ten minutes.
 */
export const askPerson = async (options: AskOptions): Promise<Callback> => {
  const { authorize, perform, redirectUrl, server, state, url } = options
  const failure = (problem: string, fix: string) =>
    new McpFailure({ stream: `of the server ${server}`, reason: "authorization", problem: `it could not be authorized: ${problem}`, fix })
  // What a browser would do with another scheme is not for a stranger to choose.
  if (url.protocol !== "https:" && !(url.protocol === "http:" && isOfThisMachine(url.hostname)))
    throw failure(`its authorization server wants ${url.protocol}//${url.host} opened, which is no https URL`, "Don't trust this server.")
  const stopping = new AbortController()
  const asked = Effect.tryPromise({
    try: async () => authorize(url.href, { server, redirectUrl, signal: stopping.signal }),
    catch: (error) => error
  })
  const late = () => failure(`nobody answered within ${personMs / 60_000} minutes`, "Try again.")
  const answer = await perform(Effect.timeoutOrElse(asked, { duration: personMs, orElse: () => Effect.fail(late()) })).finally(() =>
    stopping.abort()
  )
  const text = String(answer as unknown).trim()
  const back = URL.parse(text)
  if (back === null || !/^[a-z][a-z0-9+.-]*:/i.test(text) || !text.includes("?")) {
    if (text !== "") return { code: text, iss: undefined }
    throw failure("the host's authorize gave neither a URL nor a code", "Give the URL that the browser was sent to.")
  }
  if (back.searchParams.get("state") !== state)
    throw failure("what came back is an answer to something else (its state)", "Use the URL of this login, and only once.")
  const iss = back.searchParams.get("iss") ?? undefined
  const code = back.searchParams.get("code")
  if (code !== null) return { code, iss }
  const said = [back.searchParams.get("error") ?? "there is no code in what came back", back.searchParams.get("error_description")]
  return { error: said.filter((part) => part !== null).join(": "), iss }
}

const isOfThisMachine = (hostname: string): boolean =>
  hostname === "localhost" || hostname === "[::1]" || (isIP(hostname) === 4 && hostname.startsWith("127."))
