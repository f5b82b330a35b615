import { type ControlCapability, defineControl } from "../Capability.ts"
import { decodeControlOptions } from "../decodeCall.ts"
import { anything, required } from "../Option.ts"
import { findStream } from "./mcp-stream-inspect.ts"
import { McpStreamHandle } from "./McpStreamHandle.ts"
import { forgetKept } from "./SnapshotKeeper.ts"
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
    "An unknown id gives an error value, and throws nothing."
  ],
  example: '(:type (call :mcp.stream.stop {:stream-id "mcp-unknown"}))',
  perform: async ([map], context) => {
    const options = decodeControlOptions(mcpStreamStop, map instanceof McpStreamHandle ? { "stream-id": map } : withDashes(map))
    const found = findStream(mcpStreamStop.id, options["stream-id"], context)
    if (!(found instanceof McpStreamHandle)) return found
    if (found.isOver) {
      // What it had of the store was given back when it came down.
      await found.closed
      await forgetKept(await context.perform(context.mcp.stateStore), found.id, context.perform)
    } else await found.stop()
    context.mcp.access.streams.forget(found)
    return found.stream.state
  }
})
