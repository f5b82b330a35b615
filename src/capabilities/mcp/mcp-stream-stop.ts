import { type ControlCapability, defineControl } from "../Capability.ts"
import { decodeControlOptions } from "../decodeCall.ts"
import { anything, required } from "../Option.ts"
import { findStream } from "./mcp-stream-inspect.ts"
import { McpStreamHandle } from "./McpStreamHandle.ts"
import { forgetLeft, stopStream } from "./stopStream.ts"
import { withDashes } from "./withDashes.ts"

export const mcpStreamStop: ControlCapability = defineControl({
  id: "mcp.stream.stop",
  summary: "Ends an MCP stream for good and forgets what is kept of it; gives its last state.",
  spec: "MCP streaming",
  arguments: ["options"],
  options: { "stream-id": required(anything, "the id of the stream, or its handle") },
  effects: [":mcp"],
  notes: [
    "A chunk that is being worked off is given up, a call under way is cancelled at the peer, the connection is closed. After that the id is unknown. Outputs that were given before still reach their consumer, whose stream ends in order.",
    "An id that this host does not know, but of which its store keeps something, is forgotten there: an earlier process has left it. It gives the state that was kept.",
    "An unknown id gives an error value, and throws nothing. One that another process runs is refused."
  ],
  example: '(:type (call :mcp.stream.stop {:stream-id "mcp-unknown"}))',
  perform: async ([map], context) => {
    const options = decodeControlOptions(mcpStreamStop, map instanceof McpStreamHandle ? { "stream-id": map } : withDashes(map))
    const found = findStream(mcpStreamStop.id, options["stream-id"], context)
    const { access, stateStore } = context.mcp
    const parts = { streams: access.streams, stateStore, perform: context.perform }
    if (found instanceof McpStreamHandle) return stopStream(found, parts)
    const left = await forgetLeft(options["stream-id"] as string, parts)
    return left === undefined ? found : left.state
  }
})
