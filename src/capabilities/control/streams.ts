import { type CallContext, defineControl } from "../Capability.ts"
import { HandleMisuse, InvalidCall, shown } from "../errors.ts"
import { keyword } from "../../serialization/index.ts"
import { StreamHandle } from "../StreamHandle.ts"
import { StreamValue } from "../StreamValue.ts"

export const create = defineControl({
  id: "stream.create",
  summary: "Makes a handle of a stream without starting it: it can be paused, given a consumer, and resumed.",
  spec: "§5 Manual Flow Control",
  arguments: ["stream"],
  notes: [
    "Nothing runs until the handle is the input of a call that consumes it, or until it is resumed; resumed without a consumer, its items are worked off and counted. A handle that was paused before it got its consumer stays paused.",
    "A handle has one consumer: giving it a second one is an error."
  ],
  example: "(let [h (call :stream.create [1 2 3])] (call :stream.pause h) (:state (call :stream.status h)))",
  perform: ([stream], context) => {
    if (stream instanceof StreamHandle) return stream
    return context.start(asStream("stream.create", stream, context), { cold: true })
  }
})

export const awaitResult = defineControl({
  id: "stream.await",
  summary: "Waits until a stream has ended and gives its result.",
  spec: "beside §5",
  arguments: ["handle"],
  notes: [
    "The result of a reduction is its value, of `to-collection` the vector, of a file sink its receipt, otherwise `nil`. If the stream failed, so does the call, with its error. Given a stream value instead of a handle, it runs it and gives the vector of its items."
  ],
  example: "(call :stream.await (call :stream.reduce [1 2 3] {:initial 0 :reducer + :on-result (fn [sum] sum)}))",
  perform: ([subject], context) => {
    if (subject instanceof StreamHandle) return subject.awaitResult()
    return context.collect(asStream("stream.await", subject, context)).awaitResult()
  }
})

export const status = defineControl({
  id: "stream.status",
  summary: "Says what a stream is doing, as a map: its state, counts of items, and what waits.",
  spec: "beside §5",
  arguments: ["handle"],
  example: "(:state (call :stream.status (call :stream.create [1 2 3])))",
  notes: ["The map has `:id`, `:state`, and the counts `:accepted`, `:processed`, `:skipped`, `:dropped`, `:dead-lettered` and `:undrained` of items."],
  perform: ([handle]) => {
    const { accepted, deadLettered, dropped, id, processed, skipped, status, undrained } = handleOf("stream.status", handle).report()
    return { id, state: keyword(status), accepted, processed, skipped, dropped, "dead-lettered": deadLettered, undrained }
  }
})

export const pause = defineControl({
  id: "stream.pause",
  summary: "Stops new demand of a stream. Items in flight finish. Idempotent.",
  spec: "§5 Manual Flow Control",
  arguments: ["handle"],
  example: "(call :stream.pause (call :stream.create [1 2 3]))",
  perform: ([handle]) => handleOf("stream.pause", handle).pause().then(() => handle)
})

export const resume = defineControl({
  id: "stream.resume",
  summary: "Lets a paused stream go on: what is queued first, in order. Starts one that was only created. Idempotent.",
  spec: "§5 Manual Flow Control",
  arguments: ["handle"],
  example: "(let [h (call :stream.create [1 2 3])] (call :stream.resume h))",
  perform: ([handle]) => handleOf("stream.resume", handle).resume().then(() => handle)
})

export const cancel = defineControl({
  id: "stream.cancel",
  summary: "Ends a stream for good: nothing is flushed, what was written incompletely is removed. Idempotent.",
  spec: "beside §5",
  arguments: ["handle"],
  example: "(call :stream.cancel (call :stream.create [1 2 3]))",
  perform: ([handle]) => handleOf("stream.cancel", handle).cancel().then(() => handle)
})

const handleOf = (capability: string, value: unknown): StreamHandle => {
  if (value instanceof StreamHandle) return value
  if (value instanceof StreamValue) {
    throw new HandleMisuse(
      `:${capability} needs a handle, but got ${value.label}, which is not running: consume it, or make a handle with :stream.create.`
    )
  }
  throw new InvalidCall(capability, `needs a handle as its first argument, but got ${shown(value)}.`)
}

const asStream = (capability: string, value: unknown, context: CallContext): StreamValue => {
  const stream = context.asStream(value)
  if (stream === undefined) throw new InvalidCall(capability, `needs a stream or a collection, but got ${shown(value)}.`)
  return stream
}
