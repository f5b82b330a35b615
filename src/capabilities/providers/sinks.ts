import { type CallContext, type ControlCapability, defineControl } from "../Capability.ts"
import { InvalidCall } from "../errors.ts"
import { anything, choice, count, defaulted, fn, milliseconds, optional, required } from "../Option.ts"
import { keyword } from "../../serialization/index.ts"
import type { StreamFunction } from "../../scheduler/index.ts"
import { callWithMeter } from "../wrapFunction.ts"
import type { Receipt } from "./Inlet.ts"
import { inletOf, inward, offerFor, onPaper, provided, recordLife } from "./opening.ts"
import { id, readOptions } from "./options.ts"
import type { ProvidedStream } from "./ProvidedStream.ts"

export const openSink: ControlCapability = defineControl({
  id: "marketplace.stream.open-sink",
  summary: "Opens a sink that was registered, under the supervisor of the program, and gives its handle.",
  spec: "beside §5; what `(stream-sink id)` stands for",
  arguments: ["options"],
  options: {
    id: required(id, "the provider; without its version the newest one"),
    config: optional(anything, "what the provider is opened with"),
    "buffer-size": defaulted(count, 512, "how many items that were not written yet it takes in; then senders wait")
  },
  notes: [
    "The provider's `write` gets one item after the other and is awaited. `:marketplace.stream.close` writes what was sent and calls its `close`; `:marketplace.stream.abort` gives up what was not written and calls its `abort`.",
    "A `write` that fails fails the sink: senders get `:error` from then on. The sink belongs to the program that opened it; a program that runs to its end waits until its sinks are closed."
  ],
  example:
    '(do (register-stream-capability :capability-id "com.example:v1:out" :type :stream-sink :write (fn [item] item)) (let [s (call :marketplace.stream.open-sink {:id "com.example:out"})] (call :marketplace.stream.send {:handle s :item 1}) (call :marketplace.stream.close {:handle s})))',
  perform: ([map], context) => {
    const options = readOptions(openSink, map)
    const config = options.config ?? {}
    const offer = offerFor(openSink.id, options.id, ["sink"], config, context)
    const handle = provided(offer, [inward(offer.id, options["buffer-size"], () => offer.open(config), context)])
    recordLife(openSink.id, offer, handle, context)
    return handle
  }
})

export const send: ControlCapability = defineControl({
  id: "marketplace.stream.send",
  summary: "Sends an item, or several, into a sink, and waits until they are taken in.",
  spec: "beside §5; what `(stream-produce handle item)` stands for",
  arguments: ["options"],
  options: {
    handle: required(anything, "the sink"),
    item: optional(anything, "the item"),
    items: optional(anything, "a vector of items in place of one, which are sent in their order"),
    mode: defaulted(
      choice("queued", "acked"),
      "queued",
      "what it waits for: `:queued`: the sink has taken them in; `:acked`: the provider has written them"
    ),
    "timeout-ms": defaulted(milliseconds, 30_000, "how long it waits"),
    "on-success": optional(fn, "called with each item once it is as far as `:mode` says"),
    "on-error": optional(fn, "called with each item that did not get so far, and why")
  },
  notes: [
    "The answer is a map with `:status`: `:queued` or `:acked` (with `:sequence`, the number of the last item); `:timeout`: in time only `:accepted` of the items were taken in, or they were not written yet; `:closed`: the sink was closed; `:error` (with `:error`): the sink has failed, or an item does not satisfy the provider's schema, and then none is sent. A sink that is full or has failed never fails its sender.",
    "Senders that wait are served in their order; at most 512 may wait. After a `:timeout` in the mode `:acked`, items that were taken in are still written."
  ],
  example:
    '(do (register-stream-capability :capability-id "com.example:v1:in" :type :stream-sink :write (fn [item] item)) (let [s (stream-sink "com.example:in")] (call :marketplace.stream.send {:handle s :items [1 2] :mode :acked}) (stream-close s)))',
  perform: ([map], context) => {
    const options = readOptions(send, map)
    const { handle, inlet } = inletOf(send.id, options.handle)
    const paper = onPaper(handle)
    if (paper !== undefined) return paper
    const isBatch = options.items !== undefined
    if (isBatch === Object.hasOwn(options, "item")) throw new InvalidCall(send.id, "needs either :item or :items.")
    if (isBatch && !Array.isArray(options.items)) throw new InvalidCall(send.id, "expects :items to be a vector.", "items")
    const items: ReadonlyArray<unknown> = isBatch ? options.items : [options.item]
    const tell = (receipt: Receipt) => told(receipt, items, options, context)
    if (items.length === 0) return answerMap({ status: options.mode, sequence: inlet.accepted }, context)
    const invalid = firstInvalid(handle, items)
    if (invalid !== undefined) return tell({ status: "error", error: invalid, accepted: 0 })
    // Whoever waits for the writing is told of a failure.
    if (options.mode === "acked")
      handle
        .streamOf("inlet")
        .awaitResult()
        .catch(() => {})
    const sent = inlet.send(items, options.mode === "acked")
    if ("status" in sent) return tell(sent)
    return context.perform(sent.waiter.within(options["timeout-ms"], sent.late)).then(tell)
  }
})

const firstInvalid = ({ offer }: ProvidedStream, items: ReadonlyArray<unknown>): Error | undefined => {
  if (offer.checkInput === undefined) return undefined
  for (const [index, item] of items.entries()) {
    const [problem] = offer.checkInput(item)
    if (problem === undefined) continue
    const which = items.length === 1 ? "The item" : `Item ${index + 1} of ${items.length}`
    return Object.assign(new Error(`${which} does not satisfy the input schema of ${offer.id}: ${problem.message}. Nothing was sent.`), {
      type: "schema-error",
      data: { path: problem.path }
    })
  }
  return undefined
}

/** The answer, once the callbacks of the call have heard of each item. */
const told = (
  receipt: Receipt,
  items: ReadonlyArray<unknown>,
  callbacks: { readonly mode: string; readonly "on-success"?: StreamFunction; readonly "on-error"?: StreamFunction },
  context: CallContext
): unknown => {
  const { "on-error": onError, "on-success": onSuccess } = callbacks
  const answer = answerMap(receipt, context)
  if (onError === undefined && onSuccess === undefined) return answer
  const accepted = "accepted" in receipt ? receipt.accepted : items.length
  const why = receipt.status === "error" ? context.marketplace.errorValue(receipt.error) : keyword(receipt.status)
  const each = async () => {
    for (const [index, item] of items.entries()) {
      // What was taken in may not be written yet, which is what `:acked` asks for.
      if (receipt.status === "acked" || (index < accepted && callbacks.mode === "queued")) {
        if (onSuccess !== undefined) await callWithMeter(onSuccess, item)
      } else if (onError !== undefined) await callWithMeter(onError, item, why)
    }
    return answer
  }
  return each()
}

const answerMap = (receipt: Receipt, context: CallContext): unknown => {
  switch (receipt.status) {
    case "queued":
    case "acked":
      return { status: keyword(receipt.status), sequence: receipt.sequence }
    case "error":
      return { status: keyword("error"), error: context.marketplace.errorValue(receipt.error), accepted: receipt.accepted }
    default:
      return { status: keyword(receipt.status), accepted: receipt.accepted }
  }
}
