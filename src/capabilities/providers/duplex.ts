import { type CallContext, type ControlCapability, defineControl } from "../Capability.ts"
import { InvalidCall, InvalidResult, shown } from "../errors.ts"
import { anyMap, anything, count, defaulted, fn, optional, required } from "../Option.ts"
import type { StreamFunction } from "../../scheduler/index.ts"
import { callWithMeter, whenSettled } from "../wrapFunction.ts"
import { registerCallbacks } from "./callbacks.ts"
import { providerSource } from "./directions.ts"
import { checked, inletOf, inward, offerFor, outward, type OutletSettings, provided, recordLife } from "./opening.ts"
import { id, outletOptions, readOptions } from "./options.ts"
import type { ProvidedStream } from "./ProvidedStream.ts"
import { send } from "./sinks.ts"
import { streamOf } from "./start.ts"
import type { StreamValue } from "../StreamValue.ts"

const bothWays = {
  ...outletOptions,
  "sink-buffer-size": defaulted(count, 512, "how many items that were not written yet it takes in; then senders wait")
}

export const openBidirectional: ControlCapability = defineControl({
  id: "marketplace.stream.open-bidirectional",
  summary: "Opens a stream that both takes and gives items, and gives its handle.",
  spec: "beside §5; what `(stream-bidirectional id)` stands for",
  arguments: ["options"],
  options: {
    id: required(id, "the provider; without its version the newest one"),
    config: optional(anything, "what the provider is opened with"),
    ...bothWays
  },
  notes: [
    "The handle serves `:marketplace.stream.send` and everything that takes items. `:marketplace.stream.close` writes what was sent and ends both directions."
  ],
  example:
    '(do (register-stream-capability :capability-id "com.example:v1:echo" :type :stream-bidirectional :open (fn [config] [1 2]) :write (fn [item] item)) (let [h (stream-bidirectional "com.example:echo")] (call :marketplace.stream.send {:handle h :item 1}) (stream-close h)))',
  perform: ([map], context) => {
    const options = readOptions(openBidirectional, map)
    const config = options.config ?? {}
    const offer = offerFor(openBidirectional.id, options.id, ["bidirectional", "duplex"], config, context)
    const begin = (open: () => unknown, items: StreamValue) => {
      const handle: ProvidedStream = provided(offer, [
        outward(checked(items, offer.checkOutput, offer.id, "fail"), options as OutletSettings, context, () => handle.tell("backpressure")),
        inward(offer.id, options["sink-buffer-size"], open, context)
      ])
      recordLife(openBidirectional.id, offer, handle, context)
      return handle
    }
    if (offer.isOfProgram === true) {
      return whenSettled(offer.open(config), (opened) => begin(() => opened, receiving(offer.id, opened, context)))
    }
    // Both directions are of one opening.
    let opened: Promise<unknown> | undefined
    const open = () => (opened ??= Promise.resolve(offer.open(config)))
    return begin(
      open,
      providerSource(offer.id, async () => received(offer.id, await open()))
    )
  }
})

const received = (provider: string, opened: unknown): unknown => {
  if (typeof opened === "object" && opened !== null && "receive" in opened) return opened.receive
  throw new InvalidResult(openBidirectional.id, `open of ${provider}`, "a writer with an iterable receive", opened)
}

const receiving = (provider: string, opened: unknown, context: CallContext): StreamValue => {
  const value = received(provider, opened)
  const stream = context.asStream(value)
  if (stream !== undefined) return stream
  throw new InvalidCall(openBidirectional.id, `expects :open of ${provider} to give a stream or a collection, but it gave ${shown(value)}.`)
}

export const openDuplex: ControlCapability = defineControl({
  id: "marketplace.stream.open-duplex",
  summary: "Opens a source and a sink as one stream, and gives its handle.",
  spec: "beside §5; what `(stream-duplex …)` stands for",
  arguments: ["options"],
  options: {
    "input-capability": required(id, "the source that its items come from"),
    "output-capability": required(id, "the sink that what is sent goes to"),
    config: optional(anyMap, "what both are opened with; `{:input config :output config}` where they differ"),
    ...bothWays
  },
  notes: ["The handle serves `:marketplace.stream.send` and everything that takes items."],
  example:
    '(do (register-stream-capability :capability-id "a:in" :type :stream-source :open (fn [config] [1 2])) (register-stream-capability :capability-id "a:out" :type :stream-sink :write (fn [item] item)) (stream-close (stream-duplex :input-capability "a:in" :output-capability "a:out")))',
  perform: ([map], context) => {
    const options = readOptions(openDuplex, map)
    const config = options.config ?? {}
    const isSplit = "input" in config || "output" in config
    const [inputConfig, outputConfig] = isSplit ? [config.input ?? {}, config.output ?? {}] : [config, config]
    const source = offerFor(openDuplex.id, options["input-capability"], ["source"], inputConfig, context)
    const sink = offerFor(openDuplex.id, options["output-capability"], ["sink"], outputConfig, context)
    return whenSettled(streamOf(source, inputConfig, context), (stream) => {
      const handle: ProvidedStream = provided({ id: `${source.id} and ${sink.id}`, checkInput: sink.checkInput }, [
        outward(checked(stream as StreamValue, source.checkOutput, source.id, "fail"), options as OutletSettings, context, () =>
          handle.tell("backpressure")
        ),
        inward(sink.id, options["sink-buffer-size"], () => sink.open(outputConfig), context)
      ])
      recordLife(openDuplex.id, source, handle, context)
      recordLife(openDuplex.id, sink, handle, context)
      return handle
    })
  }
})

export const interact: ControlCapability = defineControl({
  id: "marketplace.stream.interact",
  summary: "Sends a message into a stream, and calls functions with what comes back.",
  spec: "beside §5; what `(stream-interact handle :config …)` stands for",
  arguments: ["options"],
  options: {
    handle: required(anything, "a stream that both takes and gives items"),
    send: optional(anything, "the message"),
    config: optional(
      anyMap,
      "`{:on-send f :on-receive f :on-error f}`: called with the message once it was taken in, with each item, and with the error of the stream or of sending"
    )
  },
  notes: [
    "Gives the answer of `:marketplace.stream.send`, or with `:on-receive` the handle of the registration, as `:marketplace.stream.register-callbacks` does."
  ],
  example:
    '(do (register-stream-capability :capability-id "a:echo" :type :stream-bidirectional :open (fn [config] [1]) :write (fn [item] item)) (let [h (stream-bidirectional "a:echo") r (stream-interact h :send 1 :config {:on-receive (fn [x] x)})] (call :stream.await r) (stream-close h)))',
  perform: ([map], context) => {
    const options = readOptions(interact, map)
    const callbacks = readOptions({ ...interact, id: `${interact.id} :config`, options: interactCallbacks }, options.config) as {
      readonly "on-send"?: StreamFunction
      readonly "on-receive"?: StreamFunction
      readonly "on-error"?: StreamFunction
    }
    const { "on-error": onError, "on-receive": onReceive, "on-send": onSend } = callbacks
    if (!("send" in options) && onReceive === undefined)
      throw new InvalidCall(interact.id, "needs a message (:send), or :on-receive in its :config.")
    const { handle } = inletOf(interact.id, options.handle)
    // Who answers may do so at once, so whoever listens is there first.
    const registration =
      onReceive === undefined
        ? undefined
        : registerCallbacks.perform([{ handle, "on-item": onReceive, ...(onError === undefined ? {} : { "on-error": onError }) }], context)
    if (!("send" in options)) return registration
    return whenSettled(send.perform([{ handle, item: options.send }], context), async (answer) => {
      const { error, status } = answer as { readonly status: { readonly name: string }; readonly error?: unknown }
      if (status.name === "queued") {
        if (onSend !== undefined) await callWithMeter(onSend, options.send)
      } else if (onError !== undefined) await callWithMeter(onError, error ?? status)
      return registration ?? answer
    })
  }
})

const interactCallbacks = { "on-send": optional(fn, ""), "on-receive": optional(fn, ""), "on-error": optional(fn, "") }
