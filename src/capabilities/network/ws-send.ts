import { defineControl } from "../Capability.ts"
import { HandleMisuse, InvalidCall, shown } from "../errors.ts"
import { StreamHandle } from "../StreamHandle.ts"

const id = "stream.ws.send"

/** How long a stream that was only just started may take to connect. */
const mostWaitMs = 10_000
const stepMs = 5

export const wsSend = defineControl({
  id,
  summary: "Sends a message to the WebSocket that a stream reads.",
  spec: "beside §2",
  arguments: ["handle", "message"],
  effects: [":network"],
  notes: [
    "The message is a string, or bytes; `(json/stringify …)` makes a string of anything else. The call gives the handle when another message may follow: while 64 KiB wait to be sent, it waits, too.",
    "A stream that was only just started is waited for, up to 10 s. One that has no open connection is an error, and so is one that reads several."
  ],
  example: '(try (call :stream.ws.send (call :stream.create [1]) "hello") (catch e "no WebSocket"))',
  perform: async ([handle, message], context) => {
    if (!(handle instanceof StreamHandle)) throw new InvalidCall(id, `needs a handle as its first argument, but got ${shown(handle)}.`)
    if (typeof message !== "string" && !(message instanceof Uint8Array))
      throw new InvalidCall(id, `needs a string or bytes, but got ${shown(message)}.`)
    const { peers } = context.network
    const found = () => [...peers].filter(([address]) => address.startsWith(`/pipelines/${handle.id}/`)).map(([, peer]) => peer)
    for (let waited = 0; handle.status === "running" && found().every(({ isOpen }) => !isOpen) && waited < mostWaitMs; waited += stepMs)
      await context.sleep(stepMs)
    const [peer, ...others] = found()
    if (peer === undefined)
      throw new HandleMisuse(`:${id} needs a handle of a stream that reads a WebSocket, but ${handle.label} (${handle.status}) does not.`)
    if (others.length > 0)
      throw new HandleMisuse(
        `:${id} can't tell to which of the ${others.length + 1} WebSockets of ${handle.label} it is to send: consume each in a stream of its own.`
      )
    await peer.send(message)
    return handle
  }
})
