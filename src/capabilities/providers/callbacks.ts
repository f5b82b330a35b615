import { type CallContext, type ControlCapability, defineControl } from "../Capability.ts"
import { forEach } from "../composition/for-each.ts"
import { decodeCall } from "../decodeCall.ts"
import { BoundExceeded, HandleMisuse, InvalidCall } from "../errors.ts"
import { isKeyword } from "../../serialization/index.ts"
import type { StreamFunction } from "../../scheduler/index.ts"
import { anyMap, anything, choice, count, fn, milliseconds, optional, required, text, wholeNumber } from "../Option.ts"
import { StreamValue } from "../StreamValue.ts"
import type { StreamHandle } from "../StreamHandle.ts"
import { callWithMeter, whenSettled, wrapFunctions } from "../wrapFunction.ts"
import { outOf } from "./directions.ts"
import type { Group, Outlet } from "./Outlet.ts"
import { givenStream, onPaper, outletOf } from "./opening.ts"
import { readOptions } from "./options.ts"
import { isOver, type ProvidedStream } from "./ProvidedStream.ts"
import { registrations } from "./register.ts"

const call = "marketplace.stream.register-callbacks"

export const registerCallbacks: ControlCapability = defineControl({
  id: call,
  summary: "Calls functions with the items of a stream and with what happens to it, until it ends or is unregistered.",
  spec: "beside §5; what `(stream-consume handle {:on-item f …})` and `(stream-callbacks …)` stand for",
  arguments: ["options"],
  options: {
    handle: required(anything, "the stream"),
    "on-item": optional(
      fn,
      "receives each item in order. `:nack` as its result counts as a failure of the item, anything else acknowledges it"
    ),
    "on-start": optional(fn, "called once, before the first item"),
    "on-complete": optional(fn, "called once, after the last item, where the stream has ended in order"),
    "on-error": optional(fn, "called once, after the last item, with the error that the stream or a callback has failed with"),
    "on-pause": optional(fn, "called when the stream is paused"),
    "on-resume": optional(fn, "called when it goes on"),
    "on-cancel": optional(fn, "called when it was cancelled, in place of `:on-complete` and `:on-error`"),
    "on-backpressure": optional(fn, "called each time that the stream begins to wait for its consumers"),
    group: optional(text, "the consumer group, which keeps its place when the registration ends. By default one of its own, gone with it"),
    cursor: optional(wholeNumber, "begins behind the item of this number"),
    "error-handling": optional(
      anyMap,
      "`{:on-processing-error :skip :retry-attempts 3 :retry-delay-ms 100}`: what becomes of an item that `:on-item` fails on, `:fail` by default, or `:skip`, `:dead-letter`, or `:retry`, which tries it again and then fails"
    ),
    backpressure: optional(
      anyMap,
      "`{:strategy :drop-oldest :buffer-size 100}`: what happens to items while `:on-item` is slow: `:block` (by default), `:drop-oldest` or `:drop-newest`"
    )
  },
  notes: [
    "Gives a handle. The callbacks run as a stream of the program, one after the other; `:stream.await` waits for the end, `:marketplace.stream.unregister` ends it, also inside a callback. After that no callback is called, and items that were not worked off stay with the group.",
    "Each registration has the whole stream, unless they share a `:group`. A group takes its items either by callbacks or by `:marketplace.stream.next`.",
    "Items that are given up on are stored as `{:sequence n :item item}`."
  ],
  example:
    "(call :stream.await (call :marketplace.stream.register-callbacks {:handle (call :stream.create [1 2 3]) :on-item (fn [x] x) :on-complete (fn [] nil)}))",
  perform: ([map], context) => {
    const options = readOptions(registerCallbacks, map) as Callbacks
    if (!Object.keys(options).some((name) => name.startsWith("on-")))
      throw new InvalidCall(call, "needs at least one callback, such as :on-item.")
    const handle = givenStream(call, options.handle, context)
    const paper = onPaper(handle)
    if (paper !== undefined) return paper
    return registered(handle, outletOf(call, handle), options, context)
  }
})

interface Callbacks {
  readonly handle: unknown
  readonly "on-item"?: StreamFunction
  readonly "on-start"?: StreamFunction
  readonly "on-complete"?: StreamFunction
  readonly "on-error"?: StreamFunction
  readonly "on-pause"?: StreamFunction
  readonly "on-resume"?: StreamFunction
  readonly "on-cancel"?: StreamFunction
  readonly "on-backpressure"?: StreamFunction
  readonly group?: string
  readonly cursor?: number
  readonly "error-handling"?: Readonly<Record<string, unknown>>
  readonly backpressure?: Readonly<Record<string, unknown>>
}

let ordinal = 0

const registered = (handle: ProvidedStream, outlet: Outlet, given: Callbacks, context: CallContext): StreamHandle => {
  const isOwn = given.group === undefined
  const name = given.group ?? `callbacks-${++ordinal}`
  const known = outlet.groups().find((group) => group.name === name)
  if (known?.isAttached === true) {
    throw new HandleMisuse(
      `The consumer group ${name} takes its items by ${known.use === "callbacks" ? "callbacks already: unregister those first, or leave out :group" : "next, so it can't have callbacks: give them a :group of their own"}.`
    )
  }
  const { dropping, onBackpressure, settings } = settingsOf(given)
  const callbacks = onBackpressure === undefined ? given : { ...given, "on-backpressure": onBackpressure }
  const group = outlet.group(name, "callbacks")
  if (callbacks.cursor !== undefined) outlet.seek(group, callbacks.cursor)
  const source = handle.streamOf("outlet")
  if (callbacks["on-error"] !== undefined) source.awaitResult().catch(() => {})

  let isUnregistered = false
  let isStarted = false
  const onItem = callbacks["on-item"] ?? nothing
  const leave = (left: Group) => {
    if (isOwn) outlet.forget(left)
    else outlet.detach(left)
  }
  const reader = {
    join: () => group,
    leave,
    isNumbered: true,
    // What was dropped is never worked off.
    acknowledges: dropping,
    isOver: () => isUnregistered
  }
  // What stands before it is worked off, given up or dropped: it is not given again.
  const perform = ({ item, sequence }: { readonly sequence: number; readonly item: unknown }): unknown => {
    if (isUnregistered) return null
    outlet.acknowledge(group, sequence - 1)
    return whenSettled(callWithMeter(onItem, item), (verdict) => {
      if (isKeyword(verdict) && verdict.name === "nack") throw new Error(`:on-item gave :nack for item ${sequence}.`)
      outlet.acknowledge(group, sequence)
      return null
    })
  }
  const begin = (): unknown => {
    if (isStarted || callbacks["on-start"] === undefined) return undefined
    isStarted = true
    return callWithMeter(callbacks["on-start"])
  }
  const callback = wrapFunctions("on-item", [onItem, callbacks["on-start"]], 1, (envelope) => {
    if (isUnregistered) return null
    return whenSettled(begin(), () => perform(envelope))
  })
  const finish = (error: { readonly error: unknown } | undefined): unknown => {
    if (isUnregistered) return undefined
    return whenSettled(begin(), () => {
      if (error === undefined) return callbacks["on-complete"] === undefined ? undefined : callWithMeter(callbacks["on-complete"])
      if (source.status === "cancelled") return callbacks["on-cancel"] === undefined ? undefined : callWithMeter(callbacks["on-cancel"])
      return callbacks["on-error"] === undefined
        ? undefined
        : callWithMeter(callbacks["on-error"], context.marketplace.errorValue(error.error))
    })
  }
  const value = decodeCall(
    forEach,
    [
      outOf(outlet, reader),
      {
        callback,
        as: "on-item",
        ...settings,
        "on-complete": () => finish(outlet.failure),
        "on-error": (error: unknown) =>
          isUnregistered || callbacks["on-error"] === undefined ? undefined : callWithMeter(callbacks["on-error"], error)
      }
    ],
    (input) => (input instanceof StreamValue ? input : undefined)
  ).value
  const running = context.start(value)
  if (callbacks["on-error"] !== undefined) running.awaitResult().catch(() => {})
  const stopListening = listen(handle, callbacks, context)
  const unregister = () => {
    if (isUnregistered || isOver(running.status)) return false
    isUnregistered = true
    stopListening()
    outlet.wake()
    return true
  }
  registrations.set(running, unregister)
  running.result.then(stopListening, stopListening)
  return running
}

const nothing: StreamFunction = () => null

/** Tells the callbacks what happens to the stream, one after the other; what they throw is noted in the host's log. */
const listen = (handle: ProvidedStream, callbacks: Callbacks, context: CallContext): (() => void) => {
  const events = { pause: "on-pause", resume: "on-resume", backpressure: "on-backpressure" } as const
  if (Object.values(events).every((name) => callbacks[name] === undefined)) return () => {}
  let telling: Promise<unknown> = Promise.resolve()
  const stop = handle.listen((event) => {
    const fn = event === "cancel" ? undefined : callbacks[events[event]]
    if (fn === undefined) return
    telling = telling
      .then(() => callWithMeter(fn))
      .catch(
        (error: unknown) =>
          void context.log(`A callback of ${handle.label} for ${event} failed: ${error instanceof Error ? error.message : String(error)}`)
      )
  })
  if (stop === undefined)
    throw new BoundExceeded(call, "has 64 registrations with such callbacks on one stream already", "Unregister some.")
  return stop
}

const errorHandling = {
  "on-processing-error": optional(choice("fail", "skip", "retry", "dead-letter"), ""),
  "retry-attempts": optional(wholeNumber, ""),
  "retry-delay-ms": optional(milliseconds, "")
}
const backpressure = {
  "on-backpressure": optional(fn, ""),
  strategy: optional(choice("block", "backpressure", "drop-oldest", "drop-newest"), ""),
  "buffer-size": optional(count, "")
}

/** The options of the node that calls back, as the language's older words say them. */
const settingsOf = (
  callbacks: Callbacks
): {
  readonly settings: Readonly<Record<string, unknown>>
  readonly dropping: boolean
  readonly onBackpressure: StreamFunction | undefined
} => {
  const errors = readOptions(
    { ...registerCallbacks, id: `${call} :error-handling`, options: errorHandling } as ControlCapability,
    callbacks["error-handling"]
  )
  const pressure = readOptions(
    { ...registerCallbacks, id: `${call} :backpressure`, options: backpressure } as ControlCapability,
    callbacks.backpressure
  )
  const then = errors["on-processing-error"] as string | undefined
  const attempts = (errors["retry-attempts"] as number | undefined) ?? (then === "retry" ? 3 : undefined)
  if (errors["retry-delay-ms"] !== undefined && attempts === undefined)
    throw new InvalidCall(call, "has :retry-delay-ms but no :retry-attempts in :error-handling.", "error-handling")
  const dropping = pressure["strategy"] === "drop-oldest" || pressure["strategy"] === "drop-newest"
  if (dropping && pressure["buffer-size"] === undefined)
    throw new InvalidCall(call, "needs a :buffer-size in :backpressure to drop what does not fit.", "backpressure")
  return {
    dropping,
    onBackpressure: pressure["on-backpressure"],
    settings: {
      ...(then === undefined ? {} : { "on-failure": then === "retry" ? "fail" : then }),
      ...(attempts === undefined ? {} : { "max-retries": attempts }),
      ...(errors["retry-delay-ms"] === undefined ? {} : { "retry-backoff": errors["retry-delay-ms"] }),
      ...(pressure["buffer-size"] === undefined ? {} : { "buffer-size": pressure["buffer-size"] }),
      ...(dropping ? { overflow: pressure["strategy"] } : {})
    }
  }
}
