import { Demand, type NodeSpec } from "../../actors/index.ts"
import type { StreamFunction } from "../../scheduler/index.ts"
import { defineCapability } from "../Capability.ts"
import { anything, byteSize, count, defaulted, fn, type OptionType, optional, required } from "../Option.ts"
import { generatedSource } from "../sources/generatedSource.ts"
import { callWithMeter } from "../wrapFunction.ts"
import * as Schema from "effect/Schema"

const id = "stream.producer"

/** A level of a queue, which may be empty. */
const level: OptionType<number> = { type: "count, at least 0", schema: Schema.Int.check(Schema.isGreaterThanOrEqualTo(0)) }

export const producer = defineCapability({
  id,
  summary:
    "Emits what a generator makes into a buffer of its own, ahead of who takes from it, and pauses the generator while that is filled.",
  spec: "§5 Automatic Backpressure",
  kind: "source",
  consuming: ["on-value"],
  options: {
    generator: required(fn, "takes the state, gives `[value next-state]` or `:done`"),
    "initial-state": defaulted(anything, null, "the state of the first call"),
    "buffer-size": defaulted(count, 100, "how many items the buffer holds at most"),
    "high-water-mark": defaulted(count, 80, "with so many items in the buffer the generator is not called any more"),
    "low-water-mark": defaulted(level, 20, "with so many items left it is called again"),
    "max-bytes": optional(
      byteSize,
      "how many bytes the buffer holds at most; the levels are the same shares of it. By default the planner's share"
    ),
    "on-backpressure": optional(fn, "called without arguments each time that the generator is paused, before it could be called again"),
    "on-resumed": optional(fn, "called without arguments each time that this is over"),
    "on-value": optional(fn, "receives each value in order, and starts the stream")
  },
  order: "The order of the generator's calls.",
  delivery: "A restarted actor goes on with the state of the call that failed; what is in the buffer stays there.",
  backpressure:
    "The generator runs ahead of who takes from it until :high-water-mark items (or the same share of :max-bytes) are in the buffer, and again from :low-water-mark on. An item is in the buffer until whoever takes it has worked it off.",
  notes: [
    "The levels are a hysteresis: `:on-backpressure` and `:on-resumed` alternate, each once for one crossing. They run in the actor of the generator, which waits for them; what they throw fails the stream.",
    "0 ≤ `:low-water-mark` < `:high-water-mark` ≤ `:buffer-size`, or the call is refused. The buffer is what `explain` shows as the mailbox behind the generator. An item counts until whoever takes it has worked it off, one by one, however many travel together; bytes count until the whole frame is worked off.",
    "A generator that gives anything else than a pair or `:done` fails the stream; no value is made up. An asynchronous one is awaited, and one value at a time goes into the buffer."
  ],
  example:
    "(call :stream.await (call :stream.to-collection {:source (call :stream.producer {:generator (fn [n] (if (< n 4) [(* n n) (inc n)] :done)) :initial-state 0 :buffer-size 4 :high-water-mark 2 :low-water-mark 1})}))",
  check: ({ "buffer-size": size, "high-water-mark": high, "low-water-mark": low }) => {
    if (high > size) return `has :high-water-mark ${high}, more than its :buffer-size ${size}: lower the one or raise the other.`
    if (low >= high) return `has :low-water-mark ${low}, which is not below its :high-water-mark ${high}: lower the one or raise the other.`
    return undefined
  },
  parts: ({ options }, graph) => {
    const {
      generator,
      "initial-state": initialState,
      "max-bytes": bytes,
      "on-backpressure": onPause,
      "on-resumed": onResume,
      ...others
    } = options
    const demand = new Demand({ onPause: calling(onPause), onResume: calling(onResume) })
    const source = graph.node({
      name: "generator",
      options: { generator, "initial-state": initialState },
      inputs: [],
      role: "source",
      specs: [{ kind: "sync-source", capability: id, open: () => generatedSource(id, generator as StreamFunction, initialState), demand }]
    })
    return graph.node({
      options: { ...others, ...given({ "max-bytes": bytes, "on-backpressure": onPause, "on-resumed": onResume }) },
      inputs: [source],
      role: "operator",
      specs: [{ kind: "stage", capability: id, mailbox: demand, bound: { kind: "none" } } satisfies NodeSpec],
      traits: {
        buffer: {
          items: options["buffer-size"] as number,
          overflow: "backpressure",
          marks: { high: options["high-water-mark"] as number, low: options["low-water-mark"] as number },
          ...(bytes === undefined ? {} : { bytes: bytes as number })
        }
      }
    })
  }
})

const calling = (callback: unknown) => (callback === undefined ? undefined : () => callWithMeter(callback as StreamFunction))

const given = (options: Readonly<Record<string, unknown>>) =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
