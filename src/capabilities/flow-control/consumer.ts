import type { MailboxObserver } from "../../actors/index.ts"
import type { StreamFunction } from "../../scheduler/index.ts"
import { defineCapability } from "../Capability.ts"
import { count, defaulted, fn, optional, required, stream } from "../Option.ts"
import { callWithMeter, whenSettled, wrapFunctions } from "../wrapFunction.ts"

const id = "stream.consumer"

export const consumer = defineCapability({
  id,
  summary: "Calls a function with each item from a buffer of its own, asks for more when that is half empty, and says when it is full.",
  spec: "§5 Automatic Backpressure",
  kind: "sink",
  subject: { is: "stream", optional: true },
  streams: ["source"],
  startsAtOnce: true,
  short: ["processor"],
  options: {
    source: optional(stream, "the stream to consume, when it is not the first argument"),
    processor: required(fn, "receives each item in order; a promise is awaited"),
    "buffer-size": defaulted(count, 50, "how many items it holds at most that are not worked off"),
    "on-buffer-full": optional(fn, "called without arguments when the buffer has become full, and not again before it was half empty")
  },
  order: "The order of the stream; the next call starts when the one before has ended.",
  delivery: "Once per item and attempt. The result of the handle is the number of items that were processed.",
  backpressure:
    "Holds at most :buffer-size items, the one in work included. Once they are there it takes none until half of them are worked off; meanwhile the stream waits.",
  notes: [
    "`:on-buffer-full` runs in the actor of the consumer, between two items, and is awaited; what it throws is a failure of the item that comes next. It observes: with or without it, the stream slows down to the processor's pace.",
    "Items count one by one, however many travel together: half is reached with the item that makes it so.",
    "With another `:overflow` than `:backpressure` the buffer does not wait for its half: it drops, spills or fails as that says."
  ],
  example: "(call :stream.await (call :stream.consumer {:source [1 2 3] :processor (fn [x] (* x x)) :buffer-size 2}))",
  parts: ({ inputs, options }, graph) => {
    const processor = options["processor"] as StreamFunction
    const onFull = options["on-buffer-full"] as StreamFunction | undefined
    const size = options["buffer-size"] as number
    const full = new FullBuffer()
    return graph.node({
      options,
      inputs: [graph.stream(inputs[0]!)],
      role: "sink",
      specs: [
        {
          kind: "stage",
          capability: id,
          apply: { fn: onFull === undefined ? processor : tellingFirst(full, onFull, processor) },
          mailbox: full,
          state: { processed: () => 0 },
          then: ({ state }) => `${state("processed")}++;`,
          result: ({ processed }) => processed,
          counters: () => ({ "times-full": full.times }),
          bound: { kind: "none" }
        }
      ],
      traits: {
        buffer: {
          items: size,
          overflow: (options["overflow"] ?? "backpressure") as "backpressure",
          marks: { high: size, low: Math.floor(size / 2) }
        }
      }
    })
  }
})

/** Whether the buffer has become full since that was asked last. */
class FullBuffer implements MailboxObserver {
  times = 0
  #told = 0

  readonly onBackpressure = (): void => {
    this.times++
  }

  /** Once for each time. */
  take(): boolean {
    if (this.#told === this.times) return false
    this.#told++
    return true
  }
}

const tellingFirst = (full: FullBuffer, onFull: StreamFunction, processor: StreamFunction): StreamFunction =>
  wrapFunctions("processor", [onFull, processor], 1, (item: unknown) => {
    const process = () => callWithMeter(processor, item)
    return full.take() ? whenSettled(callWithMeter(onFull), process) : process()
  })
