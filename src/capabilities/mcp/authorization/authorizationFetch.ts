import * as Effect from "effect/Effect"
import type { NetworkAccess } from "../../../actors/index.ts"
import { allBytes } from "../../network/BodyBytes.ts"
import { NetworkFailure } from "../../network/errors.ts"
import { exchange, within } from "../../network/exchange.ts"
import { type Fetch, givenHeaders, unrevealedUrl } from "../grantedFetch.ts"
import type { Perform } from "../waiting.ts"

/** Metadata and tokens are small. */
const mostBytes = 256 * 1024

/** What a message of an error shows is less. */
const mostErrorBytes = 2 * 1024

/** For one request, its body included. */
const requestMs = 30_000

/**
 * A `fetch` for what a server says about who authorizes at it: every URL in that may be a lie.
 *
 * Only granted peers are contacted. A redirect is followed where it leads to one, and never with a body, which may hold
 * credentials.
 *
 * **Fails** with `PermissionDenied` before anything is sent, and with `NetworkFailure`.
 * **Bounds** 256 KiB of body, 30 s for each request.
 */
export const authorizationFetch =
  ({
    conceal,
    network,
    perform
  }: {
    readonly network: NetworkAccess
    readonly perform: Perform
    readonly conceal: (text: string) => string
  }): Fetch =>
  (input, init = {}) => {
    const url = unrevealedUrl(input)
    const body = init.body === undefined || init.body === null ? undefined : Buffer.from(String(init.body as string | URLSearchParams))
    const asked = Effect.gen(function* () {
      const answer = yield* exchange(network, {
        method: init.method ?? "GET",
        url,
        headers: {},
        own: { ...Object.fromEntries(new Headers(init.headers)), "Accept-Encoding": "identity" },
        ...(body === undefined ? {} : { body }),
        followsRedirects: body === undefined && init.redirect !== "manual",
        connectTimeoutMs: 10_000,
        headersTimeoutMs: requestMs
      })
      const bytes = yield* Effect.tryPromise({
        try: () => allBytes(answer.body, mostBytes, () => tooLong(url)),
        catch: (error) => error
      })
      return { answer, bytes }
    })
    return perform(within(requestMs, { url }, "read from", Effect.scoped(asked))).then(({ answer, bytes }) => {
      const { status } = answer
      const isEmpty = status === 204 || status === 205 || status === 304
      // The client shows the text of an error in its own, and on the console.
      const shown = status < 400 ? bytes : conceal(bytes.toString("utf8")).slice(0, mostErrorBytes)
      return new Response(isEmpty ? null : new Uint8Array(Buffer.from(shown)), { status, headers: givenHeaders(answer.headers) })
    })
  }

const tooLong = (url: string): NetworkFailure =>
  new NetworkFailure({
    url,
    operation: "read from",
    problem: `its answer is longer than ${mostBytes} bytes`,
    fix: "No authorization server says so much: check the MCP server's metadata."
  })
