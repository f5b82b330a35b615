import * as Schema from "effect/Schema"
import type { StageSpec } from "../../actors/index.ts"
import type { StreamFunction } from "../../scheduler/index.ts"
import { defineCapability } from "../Capability.ts"
import { choice, count, defaulted, fn, optional, type OptionType } from "../Option.ts"
import { DebugLog } from "./DebugLog.ts"
import { redaction, type Redaction } from "./redaction.ts"

const id = "stream.debug"

const rate: OptionType<number> = {
  type: "number from 0 to 1",
  schema: Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 }))
}

const seed: OptionType<number> = { type: "whole number", schema: Schema.Int }

export const debug = defineCapability({
  id,
  summary: "Shows a repeatable sample of the items that pass, beside the stream and never in its way.",
  spec: "§9 Debugging Streams",
  kind: "operator",
  single: (_, input) => input,
  options: {
    "log-level": defaulted(
      choice("debug", "info", "warn", "error", "off"),
      "debug",
      "stands in each event; with `:off` the node is left out of the graph"
    ),
    "sample-rate": defaulted(rate, 1, "the share of items that are shown"),
    seed: defaulted(seed, 0, "which items those are: the same for the same seed"),
    redact: optional(
      redaction,
      "what is taken out of an item first: keys, whose values are replaced wherever they stand, or a function that gives what may be shown"
    ),
    "log-fn": optional(fn, "receives each event; observes only. Without it events are lines of the host's log"),
    "max-per-second": defaulted(count, 1000, "how many events a second of the clock has at most")
  },
  order: "Kept. Events come in the order of the items, too.",
  delivery:
    "An event is `{:item :sequence :node :time :level}`: the item as redacted, its number among those that came here (from 1 on), the node's id, and the time in ms. Events are never in the way: at most 1000 wait, and what is beyond that or beyond :max-per-second is dropped, counted (`dropped`), and told in the host's log once for each second.",
  backpressure: "None. A slow :log-fn costs events, never time.",
  notes: [
    "An item is shown where a hash of its sequence and `:seed` is below the rate, so a run over the same items shows the same ones, also after a restart and from a checkpoint on.",
    "Nothing is handed out before it was redacted. Where a function fails to do so, the event has `[redaction failed]` in place of the item.",
    "What `:log-fn` throws is told in the host's log, once, and counted (`failed`); the stream goes on. At the end of the stream waiting events are handed out, for at most 750 ms.",
    "An event has the item itself, not a copy: a function of the host that changes items in place changes what is shown."
  ],
  example:
    '(call :stream.await (call :stream.to-collection {:source (call :stream.debug [{:id 1 :token "x"} {:id 2 :token "y"}] {:sample-rate 0.5 :redact [:token] :log-fn (fn [event] (:sequence event))})}))',
  parts: ({ inputs, options }, graph) => {
    const input = graph.stream(inputs[0]!)
    if (options["log-level"] === "off") return input
    const log = new DebugLog({
      level: options["log-level"] as string,
      maxPerSecond: options["max-per-second"] as number,
      redaction: options["redact"] as Redaction | undefined,
      logFn: options["log-fn"] as StreamFunction | undefined
    })
    const specs = [stageOf(log, options["sample-rate"] as number, options["seed"] as number)]
    log.node = graph.node({ options, inputs: [input], specs, role: "operator" })
    return log.node
  }
})

const stageOf = (log: DebugLog, share: number, own: number): StageSpec => ({
  kind: "stage",
  capability: id,
  state: { sequence: () => 0 },
  constants: { log, isShown: (sequence: number) => isSampled(sequence, own, share) },
  then: ({ constant, emit, now, state, value }) => {
    const take = `${constant("log")}.take(${state("sequence")}, ${value}, ${now});`
    return `${state("sequence")}++; ${share === 1 ? take : `if (${constant("isShown")}(${state("sequence")})) ${take}`} ${emit(value)}`
  },
  bind: (services) => log.bind(services),
  observe: { onComplete: () => log.end(), onError: () => log.end() },
  counters: () => ({ ...log.counts }),
  bound: { kind: "bounded", by: "1000 events that wait", items: 1000 }
})

/** By the finalizer of MurmurHash3, over the two halves of the sequence. */
export const isSampled = (sequence: number, own: number, share: number): boolean => {
  let hash = Math.imul((sequence / 2 ** 32) | 0, 0x9e3779b1) ^ (sequence | 0) ^ Math.imul(own | 0, 0x7feb352d)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32 < share
}
