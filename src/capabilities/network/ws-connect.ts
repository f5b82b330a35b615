import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import type { AsyncSourceSpec } from "../../actors/index.ts"
import { defineCapability } from "../Capability.ts"
import { InvalidCall, shown } from "../errors.ts"
import { anyMap, anything, byteSize, defaulted, duration, fn, optional, type OptionsOf, required, text } from "../Option.ts"
import { readHeaders, readUrl, touchedPeer } from "./requestTarget.ts"
import type { RetryPolicy } from "./Retry.ts"
import { WsReading } from "./WsReading.ts"

const id = "stream.ws.connect"

const options = {
  url: required(text, "the address, wss:// or ws://, of a peer that the host allows"),
  headers: optional(
    anyMap,
    "headers of the first request: a map of names and texts, in which `{{secret:NAME}}` stands for a secret of the host"
  ),
  protocols: optional(anything, "a vector of names of subprotocols, the preferred one first"),
  "connect-timeout": defaulted(duration, 10_000, "how long connecting may take"),
  "ping-interval": defaulted(duration, 30_000, "how often the peer is asked whether it is still there, and how long it may take to say so"),
  "max-message-size": defaulted(byteSize, 4 * 1024 * 1024, "the longest message; a longer one is an error"),
  reconnect: optional(
    anyMap,
    "connects again when the connection is lost: a map with `:max-attempts` in a row (10), `:base-delay` (500) and `:max-delay` (30000) in ms, or `{}`"
  ),
  "on-message": optional(fn, "receives each message in order, text or bytes, and starts the stream"),
  "on-open": optional(fn, "called each time that a connection is open"),
  "on-close": optional(fn, "called once at the end, if there was a connection, with its code and reason"),
  "on-gap": optional(fn, "called with a map of :code, :reason and :attempts where messages may be missing, in place of an item `{:gap …}`")
} as const

/** The options of `ws.connect` once they are validated. */
export type WsConnectOptions = Omit<OptionsOf<typeof options>, "on-message">

/**
 * The source that reads the messages of a WebSocket.
 *
 * **Fails** at once with `InvalidCall`; while it runs with `PermissionDenied` and `NetworkFailure`.
 * **Backpressure** the socket is paused while messages wait.
 * **Stopping** says goodbye with code 1000, and breaks off after half a second without an answer.
 */
export const wsSource = (options: WsConnectOptions): AsyncSourceSpec => {
  readUrl(id, options.url, ["wss:", "ws:"])
  const reading = {
    url: options.url,
    headers: readHeaders(id, options.headers),
    protocols: readProtocols(options.protocols),
    connectTimeoutMs: options["connect-timeout"],
    pingIntervalMs: options["ping-interval"],
    mostMessageBytes: options["max-message-size"],
    reconnect: options.reconnect === undefined ? undefined : reconnectPolicy(options.reconnect),
    onOpen: options["on-open"],
    onClose: options["on-close"],
    onGap: options["on-gap"]
  }
  return {
    kind: "async-source",
    capability: id,
    open: (context) =>
      Effect.gen(function* () {
        const clock = yield* Clock.Clock
        // Made before what says goodbye, and so closed after it.
        const scope = yield* Effect.flatMap(Effect.scope, Scope.fork)
        const { peers } = context.services.network
        return yield* Effect.acquireRelease(
          Effect.sync(() => {
            const made = new WsReading(reading, context, clock, scope)
            peers.set(context.address, made)
            return made
          }),
          (made) => {
            peers.delete(context.address)
            // What an observer throws at the very end has nobody to go to.
            return Effect.promise(() => made.close().catch(() => {}))
          }
        )
      })
  }
}

const readProtocols = (written: unknown): ReadonlyArray<string> => {
  if (written === undefined || written === null) return []
  if (
    Array.isArray(written)
    && written.every((name) => typeof name === "string" && /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name))
    && new Set(written).size === written.length
  ) {
    return written as ReadonlyArray<string>
  }
  throw new InvalidCall(id, `expects :protocols to be a vector of different names, but got ${shown(written)}.`, "protocols")
}

const reconnectPolicy = (written: Readonly<Record<string, unknown>>): RetryPolicy => {
  const known = { "max-attempts": 10, "base-delay": 500, "max-delay": 30_000 }
  const values: Record<string, number> = { ...known }
  for (const [name, value] of Object.entries(written)) {
    if (!Object.hasOwn(known, name))
      throw new InvalidCall(
        id,
        `: :reconnect has no :${name}; it takes ${Object.keys(known)
          .map((each) => `:${each}`)
          .join(" ")}.`,
        "reconnect"
      )
    if (typeof value !== "number" || !Number.isInteger(value) || value < 1) {
      throw new InvalidCall(id, `expects :${name} of :reconnect to be a whole number of at least 1, but got ${shown(value)}.`, "reconnect")
    }
    values[name] = value
  }
  return {
    backoff: "exponential",
    maxAttempts: values["max-attempts"]!,
    baseDelayMs: values["base-delay"]!,
    maxDelayMs: values["max-delay"]!
  }
}

export const wsConnect = defineCapability({
  id,
  summary: "Reads the messages of a WebSocket as they are asked for; `stream.ws.send` sends to it.",
  spec: "§2 Network Streams",
  kind: "source",
  subject: { is: "value", name: "url" },
  consuming: ["on-message"],
  options,
  effects: [":network"],
  touches: ({ url }) => touchedPeer(url),
  boundary: () => "it waits for a peer",
  order: "As the peer sends them.",
  delivery:
    "At most once: a peer keeps nothing for us. Where messages may be missing, because the connection was lost under :reconnect or the stream was restarted, there is an item {:gap {:code … :reason … :attempts …}}, or a call of :on-gap.",
  backpressure: "While 64 KiB or 512 messages wait, the socket is not read, and the peer has to wait in the end.",
  example:
    '(:state (call :stream.status (call :stream.create (call :stream.ws.connect "wss://api.example.com/realtime" {:reconnect {}}))))',
  notes: [
    "Text is a string, and invalid UTF-8 an error; a binary message is bytes. A message that breaks the rules ends the connection at once.",
    "Codes 1000 and 1005 end the stream, and 1001 does so without :reconnect. Every other end is a failure, or under :reconnect the reason to connect again, after waits of random length; the count begins anew with each message.",
    "Messages are not compressed. Redirects are not followed. See [the network](../network.md)."
  ],
  prepare: (call) => {
    wsSource(call.options as unknown as WsConnectOptions)
    return call
  },
  node: (options) => wsSource(options)
})
