import type { StageSpec } from "../../actors/index.ts"
import type { StreamFunction } from "../../scheduler/index.ts"
import { keyOf } from "../../serialization/index.ts"
import { approximateBytes } from "../aggregation/approximateBytes.ts"
import { defineCapability } from "../Capability.ts"
import { byteSize, count, defaulted, duration, fn, optional, required } from "../Option.ts"
import { callWithMeter, ownFunction, whenSettled, wrapFunctions } from "../wrapFunction.ts"
import { SessionResults } from "./SessionResults.ts"
import { type GivenSession, Sessions, type SessionSettings } from "./Sessions.ts"
import { noteLimitsAbove } from "./limitsAbove.ts"
import { checkTimeOptions, defaultBounds, timeOptions, timeSettings, timestampOf } from "./timeOptions.ts"

const capability = "stream.session-window"

export const sessionWindow = defineCapability({
  id: capability,
  summary: "Gathers the items of each key into sessions, which end when none came for :timeout milliseconds.",
  spec: "§6 Stateful Processing",
  kind: "operator",
  consuming: ["on-session"],
  short: ["session-key", "timeout", "processor"],
  options: {
    "session-key": required(fn, "takes an item, gives the key whose session it belongs to"),
    timeout: required(duration, "items of a key that are closer than this belong together; a gap of this or more ends the session"),
    processor: optional(fn, "takes a session, gives what is emitted for it; without it the session itself is emitted"),
    "max-length": optional(
      duration,
      "the longest time that a session may span; it ends then, and the next item of its key begins another one"
    ),
    "max-keys": defaulted(count, 100_000, "how many sessions, and so keys, are held at once"),
    "max-items": defaulted(count, defaultBounds.maxItems, "how many items all sessions hold together"),
    "max-bytes": defaulted(byteSize, defaultBounds.maxBytes, "how much memory they may take, by estimate"),
    ...timeOptions,
    "on-session": optional(fn, "receives what is emitted for each session, and starts the stream")
  },
  check: checkTimeOptions,
  covers: noteLimitsAbove,
  order:
    "Sessions end in the order of their times. Inside a session items stand in the order of their times, and of their coming where those are the same.",
  delivery:
    "Each item is in exactly one session, unless it is late. Sessions of keys that have gone silent end by a timer. At the normal end, and when the stream is drained, the open ones are emitted with `:partial true`.",
  backpressure:
    "Holds the items of open sessions. At `:max-keys`, `:max-items` or `:max-bytes` the session that would end next is emitted early, with `:partial true`, and counted as `closed-early`: nothing is dropped. Its key may open another one.",
  notes: [
    'A session is a map: `{:key "ann" :start 1000 :end 4000 :items […] :partial false :revision 0}`. `:start` and `:end` are the times of its first and last item, in ms since 1970. `:partial` says that it might have gone on: the stream ended, or a bound or `:max-length` did it.',
    "With `:timestamp-fn` an item that comes between two sessions of its key, closer than `:timeout` to both, makes one of them, unless that would be longer than `:max-length`.",
    "With `:allowed-lateness` a session that was emitted may still change. Then `{:retracts result :key … :start … :end …}` is emitted for each result that no longer holds, `:retracts` being the result as it was emitted; the new one follows, from a session with the next `:revision`.",
    "A processor that fails is a failure of its session: with `:on-failure :skip` that session is left out, all others stay."
  ],
  example: `(call :stream.await (call :stream.session-window [{:user "a" :at 1} {:user "a" :at 3} {:user "a" :at 90}]
  {:session-key :user :timeout 10 :timestamp-fn :at :processor (fn [session] (count (:items session))) :on-session (fn [n] n)}))`,
  node: (options) => {
    const { processor } = options
    const settings = {
      gapMs: options.timeout,
      maxLengthMs: options["max-length"] ?? Infinity,
      maxKeys: options["max-keys"],
      maxItems: options["max-items"],
      maxBytes: options["max-bytes"],
      ...timeSettings(options)
    }
    const gathers = gathering(settings, options["session-key"], options["timestamp-fn"], options["on-late"])
    if (settings.latenessMs > 0) return [gathers, retracting(processor)]
    return processor === undefined ? gathers : [gathers, { kind: "stage", capability, apply: { fn: processor } }]
  }
})

/** The first half: sessions. Where they can change later, each comes with what has to be known for that. */
const gathering = (
  settings: SessionSettings,
  keyFn: StreamFunction,
  timestampFn: StreamFunction | undefined,
  onLate: StreamFunction | undefined
): StageSpec => {
  const bare = (expression: string): string => (settings.latenessMs > 0 ? expression : `${expression}.map((given) => given.session)`)
  return {
    kind: "stage",
    capability,
    apply: { fn: placing(keyFn, timestampFn, onLate), args: ({ state, value }) => [value, state("sessions")] },
    state: { sessions: () => new Sessions(settings), due: () => Infinity },
    then: ({ emitEach, local, now, result, state, value }) => {
      const given = local("given")
      return `
        const ${given} = ${state("sessions")}.add(${value}, ${result}.key, ${result}.identity, ${result}.timestamp, ${result}.weight, ${now});
        ${state("due")} = ${state("sessions")}.due;
        if (${given} !== undefined) { ${emitEach(bare(given))} }`
    },
    timer: {
      at: "due",
      fire: ({ emitEach, local, now, state }) => {
        const given = local("given")
        return `const ${given} = ${state("sessions")}.tick(${now}); ${state("due")} = ${state("sessions")}.due; ${emitEach(bare(given))}`
      }
    },
    atEnd: ({ emitEach, local, state }) => {
      const given = local("given")
      return `const ${given} = ${state("sessions")}.end(); ${state("due")} = Infinity; ${emitEach(bare(given))}`
    },
    snapshot: ({ sessions }) => (sessions as Sessions).snapshot(),
    restore: (snapshot) => {
      const sessions = Sessions.restore(settings, snapshot)
      return { sessions, due: sessions.due }
    },
    counters: ({ sessions }) => {
      const { counts, items, keys, size } = sessions as Sessions
      return { open: size, keys, items, ...counts }
    },
    bound: {
      kind: "bounded",
      by: `${settings.maxKeys} sessions (:max-keys) of ${settings.maxItems} items (:max-items), ${settings.maxBytes} bytes (:max-bytes)`,
      items: settings.maxItems,
      bytes: settings.maxBytes
    }
  }
}

/** The second half, where sessions can change: results, and retractions of those that no longer hold. */
const retracting = (processor: StreamFunction | undefined): StageSpec => ({
  kind: "stage",
  capability,
  apply: {
    fn:
      processor === undefined
        ? ownFunction("session", 1, ({ session }: GivenSession) => session)
        : wrapFunctions("processor", [processor], 1, ({ session }: GivenSession) => callWithMeter(processor, session))
  },
  state: { results: () => new SessionResults() },
  then: ({ emitEach, local, result, state, value }) => {
    const given = local("given")
    return `const ${given} = ${state("results")}.give(${value}, ${result}); ${emitEach(given)}`
  },
  snapshot: ({ results }) => (results as SessionResults).snapshot(),
  restore: (snapshot) => ({ results: SessionResults.restore(snapshot) }),
  counters: ({ results }) => ({ results: (results as SessionResults).size })
})

/** Everything that can fail on an item: its key, its time, its weight, whoever is told that it is late. */
const placing = (keyFn: StreamFunction, timestampFn: StreamFunction | undefined, onLate: StreamFunction | undefined): StreamFunction => {
  const place = (item: unknown, key: unknown, timestamp: number | undefined, sessions: Sessions): unknown => {
    const identity = keyOf(key)
    const placed = { key: key ?? null, identity, timestamp, weight: approximateBytes(item, Infinity) + 16 }
    if (timestamp === undefined || onLate === undefined || !sessions.isLate(identity, timestamp)) return placed
    return whenSettled(callWithMeter(onLate, item, { timestamp, watermark: sessions.watermark }), () => placed)
  }
  return wrapFunctions("session", [keyFn, timestampFn, onLate], 2, (item: unknown, sessions: Sessions) =>
    whenSettled(callWithMeter(keyFn, item), (key) =>
      timestampFn === undefined
        ? place(item, key, undefined, sessions)
        : whenSettled(callWithMeter(timestampFn, item), (given) => place(item, key, timestampOf(capability, given), sessions))
    )
  )
}
