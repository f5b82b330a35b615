import { ErrorValue, keyword } from "../../serialization/index.ts"
import { type CallContext, type ControlCapability, defineControl } from "../Capability.ts"
import { decodeControlOptions } from "../decodeCall.ts"
import { InvalidCall, shown } from "../errors.ts"
import { anything, defaulted, flag, optional } from "../Option.ts"
import { inspectStream } from "./inspectStream.ts"
import { McpStreamHandle } from "./McpStreamHandle.ts"
import { withDashes } from "./withDashes.ts"

export const mcpStreamInspect: ControlCapability = defineControl({
  id: "mcp.stream.inspect",
  summary: "Says what an MCP stream of this host is doing, or all of them, as a map. No stream waits for it.",
  spec: "Streaming inspection",
  arguments: ["options"],
  options: {
    "stream-id": optional(anything, "the id of the stream, or its handle; without it, all streams of the host"),
    "include-state": defaulted(flag, true, "whether `:current-state` is there"),
    "include-initial-state": defaulted(flag, true, "whether `:initial-state` is there"),
    "include-queue": defaulted(flag, true, "whether `:queue` is there: the chunks that wait, with their metadata")
  },
  effects: [":mcp"],
  notes: [
    "`:status` is `{:state :active}`, `:paused`, `:completed`, `:stopped`, `:cancelled` or `:error`, which has a `:message`, too. `:stats` has counts of chunks, bytes and outputs, how long the oldest chunk waits, and how often it was restarted.",
    "`:resolved` says what its endpoint came to: by which rule, which server, which transport, and which era of the protocol. `:cursor` is where it would go on.",
    "An unknown id gives an error value, and throws nothing. Of streams that have ended the last 100 are known."
  ],
  example: "(:total (call :mcp.stream.inspect {}))",
  perform: ([map], context) => {
    const options = decodeControlOptions(mcpStreamInspect, map instanceof McpStreamHandle ? { "stream-id": map } : withDashes(map))
    const parts = {
      state: options["include-state"] === true,
      initialState: options["include-initial-state"] === true,
      queue: options["include-queue"] === true
    }
    const asked = options["stream-id"]
    const { base, streams } = context.mcp.access
    if (asked === undefined || asked === null) {
      const all = streams.all()
      return {
        total: all.length,
        "observed-at-epoch-ms": context.now(),
        "auto-connect": base.autoConnect,
        "persistence-enabled": true,
        "server-url": base.url,
        streams: all.map(({ stream }) => inspectStream(stream, parts))
      }
    }
    const found = findStream(mcpStreamInspect.id, asked, context)
    return found instanceof McpStreamHandle ? inspectStream(found.stream, parts) : found
  }
})

/** A stream by id or handle; an error value where this host knows no such. */
export const findStream = (capability: string, asked: unknown, { mcp }: CallContext): McpStreamHandle | ErrorValue => {
  if (asked instanceof McpStreamHandle) return asked
  if (typeof asked !== "string")
    throw new InvalidCall(
      capability,
      `expects :stream-id to be the id or the handle of an MCP stream, but got ${shown(asked)}.`,
      "stream-id"
    )
  return (
    mcp.access.streams.find(asked)
    ?? new ErrorValue({
      type: keyword("unknown-stream"),
      message: `This host knows no MCP stream ${asked}. (call :mcp.stream.inspect {}) lists them; :mcp.stream.resume goes on with one that an earlier process left.`,
      data: { "stream-id": asked },
      name: "McpFailure"
    })
  )
}
