import { type ControlCapability, defineControl } from "../Capability.ts"
import { InvalidCall, shown } from "../errors.ts"
import { anything, required } from "../Option.ts"
import { StreamHandle } from "../StreamHandle.ts"
import { readOptions } from "./options.ts"
import { ProvidedStream } from "./ProvidedStream.ts"

const options = { handle: required(anything, "the stream") }

const handleOf = (id: string, value: unknown): StreamHandle => {
  if (value instanceof StreamHandle) return value
  throw new InvalidCall(id, `needs a handle, but got ${shown(value)}.`, "handle")
}

export const close: ControlCapability = defineControl({
  id: "marketplace.stream.close",
  summary: "Ends a stream in order: what was sent is written, a source is asked for no more. Idempotent.",
  spec: "beside §5; what `(stream-close handle)` and the end of `with-resource` stand for",
  arguments: ["options"],
  options,
  notes: [
    "Of a sink it waits until everything is written, and fails if that fails. Every `:marketplace.stream.send` after it gets `:closed`.",
    "Of a source it ends what the provider still does; consumers get what is kept, and then the end. Any other handle is drained."
  ],
  example: "(call :marketplace.stream.close {:handle (call :stream.create [1 2 3])})",
  perform: ([map]) => {
    const handle = handleOf(close.id, readOptions(close, map).handle)
    if (handle.status === "created" && handle instanceof ProvidedStream) return null
    return (handle instanceof ProvidedStream ? handle.close() : handle.drain()).then(() => null)
  }
})

export const abort: ControlCapability = defineControl({
  id: "marketplace.stream.abort",
  summary: "Ends a stream for good: what was sent and not written is given up. Idempotent.",
  spec: "beside §5",
  arguments: ["options"],
  options,
  notes: ["The provider's `abort` is called in place of its `close`. Consumers get what is kept, and then `:error`."],
  example: "(call :marketplace.stream.abort {:handle (call :stream.create [1 2 3])})",
  perform: ([map]) =>
    handleOf(abort.id, readOptions(abort, map).handle)
      .cancel()
      .then(() => null)
})
