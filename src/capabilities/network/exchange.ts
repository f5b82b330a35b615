import type { IncomingHttpHeaders, IncomingMessage } from "node:http"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { NetworkAccess } from "../../actors/index.ts"
import { BodyBytes } from "./BodyBytes.ts"
import { NetworkFailure } from "./errors.ts"
import { Agents, HttpCall } from "./HttpCall.ts"
import { peerOf, revealedHeaders, revealedUrl } from "./requestTarget.ts"

export interface ExchangeRequest {
  readonly method: string
  /** As the program wrote them: secrets stand there as names. */
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  /** Headers of ours, which follow every redirect. */
  readonly own?: Readonly<Record<string, string>>
  readonly body?: Uint8Array
  /** By default yes; otherwise an answer that leads elsewhere is given as it is. */
  readonly followsRedirects?: boolean
  readonly connectTimeoutMs: number
  readonly headersTimeoutMs: number
  /** Kept by whoever asks the same peer again. */
  readonly agents?: Agents
}

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: BodyBytes
}

const mostRedirects = 5

/**
 * Asks a peer and gives its answer as soon as the headers are there, redirects followed.
 *
 * Each hop is checked anew: its peer must be granted, and so must all addresses that its name has now. To another origin
 * only the headers that tell nothing go along; from TLS to none, nothing goes.
 *
 * **Fails** with `PermissionDenied` before anything is sent, and with `NetworkFailure`.
 * **Bounds** 32 KB of headers, 16 interim answers, 5 redirects, and the two timeouts for each hop.
 * **Stopping** the scope's end breaks the connection off, unless the answer has been read to its end.
 */
export const exchange = (network: NetworkAccess, request: ExchangeRequest): Effect.Effect<Answer, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const first = yield* attempt(() => revealedUrl(network, request.url))
    const agents =
      request.agents
      ?? (yield* Effect.acquireRelease(
        Effect.sync(() => new Agents()),
        (made) => Effect.sync(() => made.close())
      ))
    let url = first
    let { body, method } = request
    for (let redirects = 0; ; redirects++) {
      const message = yield* hop(network, { ...request, body, method }, { url, agents, isOtherOrigin: url.origin !== first.origin })
      const status = message.statusCode!
      const next = request.followsRedirects === false ? undefined : redirectOf(network, request, message, url)
      if (next === undefined) return { status, headers: message.headers, body: new BodyBytes(message, request.url) }
      // Not needed any more, and its body may be endless.
      message.on("error", () => {}).destroy()
      if (redirects === mostRedirects) return yield* Effect.fail(broken(request, status, `it redirects more than ${mostRedirects} times`))
      if (next instanceof NetworkFailure) return yield* Effect.fail(next)
      url = next
      if (status === 303 && method !== "HEAD") [method, body] = ["GET", undefined]
    }
  })

const hop = (
  network: NetworkAccess,
  request: Omit<ExchangeRequest, "body"> & { readonly body: Uint8Array | undefined },
  { agents, isOtherOrigin, url }: { readonly url: URL; readonly agents: Agents; readonly isOtherOrigin: boolean }
): Effect.Effect<IncomingMessage, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const { body, connectTimeoutMs, headers, headersTimeoutMs, method, own, url: shown } = request
    const addresses = yield* within(
      connectTimeoutMs,
      request,
      "resolve",
      attemptPromise(() => network.resolve(peerOf(url)))
    )
    const revealed = yield* attempt(() => ({ ...revealedHeaders(network, shown, headers, isOtherOrigin), ...own }))
    yield* Effect.acquireRelease(
      attempt(() => network.connection()),
      (giveBack) => Effect.sync(giveBack)
    )
    const call = yield* Effect.acquireRelease(
      attempt(() => new HttpCall({ url, shown, addresses, method, headers: revealed, body, agents })),
      (made) => Effect.sync(() => made.close())
    )
    yield* within(
      connectTimeoutMs,
      request,
      "connect to",
      attemptPromise(() => call.connected)
    )
    return yield* within(
      headersTimeoutMs,
      request,
      "read from",
      attemptPromise(() => call.answered)
    )
  })

/** Where an answer leads to, if it does. */
const redirectOf = (
  network: NetworkAccess,
  request: ExchangeRequest,
  message: IncomingMessage,
  from: URL
): URL | NetworkFailure | undefined => {
  const status = message.statusCode!
  const { location } = message.headers
  if (![301, 302, 303, 307, 308].includes(status) || location === undefined) return undefined
  // A body is sent again only where the peer says so; what else a browser makes of these is a guess.
  if (request.body !== undefined && status !== 307 && status !== 308) return undefined
  const next = URL.parse(location, from.href)
  const shown = () => JSON.stringify(network.conceal(location).slice(0, 200))
  if (next === null || !["http:", "https:"].includes(next.protocol))
    return broken(request, status, `it redirects to ${shown()}, which is no address of a web server`)
  if (next.username !== "" || next.password !== "") return broken(request, status, "it redirects to a URL with credentials in it")
  if (from.protocol === "https:" && next.protocol === "http:") return broken(request, status, `it redirects from https to ${shown()}`)
  return next
}

const broken = ({ url }: ExchangeRequest, status: number, problem: string): NetworkFailure =>
  new NetworkFailure({ url, operation: "read from", problem, status, fix: "Check the URL, and ask for where the data is itself." })

/** Gives up after so long, on the host's clock. */
export const within = <A>(
  milliseconds: number,
  { url }: { readonly url: string },
  operation: string,
  work: Effect.Effect<A, unknown>
): Effect.Effect<A, unknown> =>
  Effect.timeoutOrElse(work, { duration: milliseconds, orElse: () => Effect.fail(timedOut(url, operation, milliseconds)) })

export const timedOut = (url: string, operation: string, milliseconds: number): NetworkFailure =>
  new NetworkFailure({
    url,
    operation,
    problem: `nothing came for ${Math.round(milliseconds)} ms`,
    fix: "Raise the :timeout if it may take longer, or check that the peer is up.",
    code: "ETIMEDOUT",
    isTemporary: true
  })

export const attemptPromise = <A>(work: () => Promise<A>): Effect.Effect<A, unknown> =>
  Effect.tryPromise({ try: work, catch: (error) => error })

export const attempt = <A>(work: () => A): Effect.Effect<A, unknown> => Effect.try({ try: work, catch: (error) => error })
