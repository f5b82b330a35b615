import * as Effect from "effect/Effect"
import { type ControlCapability, defineControl } from "../Capability.ts"
import { decodeControlOptions } from "../decodeCall.ts"
import { InvalidCall, shown } from "../errors.ts"
import { firstInvalidUtf8 } from "../files/Encoding.ts"
import { jsonText } from "../files/JsonText.ts"
import { parseJson } from "../files/JsonValue.ts"
import { anyMap, anything, byteSize, choice, defaulted, duration, optional, type OptionsOf } from "../Option.ts"
import { allBytes } from "./BodyBytes.ts"
import { acceptedEncodings, decodedBody } from "./contentEncoding.ts"
import { NetworkFailure } from "./errors.ts"
import { attemptPromise, exchange, within } from "./exchange.ts"
import { readHeaders, readUrl } from "./requestTarget.ts"

const id = "ccos.network.http-fetch"

const options = {
  method: defaulted(choice("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"), "GET", "the method"),
  headers: optional(anyMap, "headers of the request, in which `{{secret:NAME}}` stands for a secret of the host"),
  body: optional(anything, "text or bytes as they are; anything else as JSON"),
  as: defaulted(choice("text", "json", "bytes"), "text", "what the body is given as"),
  timeout: defaulted(duration, 30_000, "how long all of it may take"),
  "max-body-size": defaulted(byteSize, 4 * 1024 * 1024, "the longest body, after decompression")
} as const

export const httpFetch: ControlCapability = defineControl({
  id,
  summary: "Asks a web server once, and gives its answer as a map with :status, :headers and :body.",
  spec: "prelude",
  arguments: ["url", "options?"],
  options,
  effects: [":network"],
  notes: [
    "`(http-fetch url)` and `(http-fetch url {…})` call it. Every status is an answer; what fails is only what gives none: a peer that is not allowed, can't be reached, breaks off, or whose body is too long.",
    "Options: `:method :headers :body :as :timeout :max-body-size`. Names of headers are in lower case. For more than fits in memory there is `stream.http.get`. See [the network](../network.md)."
  ],
  example: '(try (http-fetch "ftp://example.com") (catch e "no web server"))',
  perform: async ([url, map], { network, perform }) => {
    const { as, body, headers: written, method, ...rest } = decodeControlOptions(httpFetch, map) as unknown as OptionsOf<typeof options>
    readUrl(id, url, ["https:", "http:"])
    const headers = readHeaders(id, written)
    const hasBody = body !== undefined && body !== null
    if (hasBody && (method === "GET" || method === "HEAD")) throw new InvalidCall(id, `has a :body, which ${method} can't have.`, "body")
    const isPlain = typeof body === "string" || body instanceof Uint8Array
    const hasType = Object.keys(headers).some((name) => /^content-type$/i.test(name))
    const request = {
      method,
      url: url as string,
      headers: isPlain || !hasBody || hasType ? headers : { ...headers, "Content-Type": "application/json" },
      own: { "Accept-Encoding": acceptedEncodings },
      ...(hasBody ? { body: body instanceof Uint8Array ? body : Buffer.from(isPlain ? (body as string) : jsonText(body)) } : {}),
      connectTimeoutMs: rest.timeout,
      headersTimeoutMs: rest.timeout
    }
    const most = rest["max-body-size"]
    const fail = (problem: string, fix: string) => new NetworkFailure({ url: request.url, operation: "read from", problem, fix })
    const asked = Effect.flatMap(exchange(network, request), (answer) =>
      attemptPromise(async () => {
        // An answer to HEAD names the encoding of a body that it does not have.
        const encoding = method === "HEAD" || answer.status === 204 ? undefined : answer.headers["content-encoding"]
        const decoded = decodedBody(answer.body, encoding, { mostBytes: most, url: request.url })
        try {
          const bytes = await allBytes(decoded, most, () =>
            fail(`its answer is longer than ${most} bytes`, "Raise :max-body-size, or read it with :stream.http.get.")
          )
          return { status: answer.status, headers: plainHeaders(answer.headers), body: bodyAs(as, bytes, fail) }
        } finally {
          decoded.close()
        }
      })
    )
    return perform(within(rest.timeout, request, "read from", Effect.scoped(asked)))
  }
})

const plainHeaders = (headers: Readonly<Record<string, string | ReadonlyArray<string> | undefined>>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      value === undefined || name === "__proto__" ? [] : [[name, typeof value === "string" ? value : value.join(", ")]]
    )
  )

const bodyAs = (as: "text" | "json" | "bytes", bytes: Buffer, fail: (problem: string, fix: string) => NetworkFailure): unknown => {
  if (as === "bytes") return new Uint8Array(bytes)
  if (firstInvalidUtf8(bytes) !== -1) throw fail("its body is no UTF-8 text", "Take it with :as :bytes.")
  const text = bytes.toString("utf8")
  if (as === "text") return text
  try {
    return parseJson(text)
  } catch (error) {
    throw fail(`its body is no JSON (${shown(error instanceof Error ? error.message : error)})`, "Take it with :as :text.")
  }
}
