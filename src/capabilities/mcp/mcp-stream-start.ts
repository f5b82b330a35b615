import { type ControlCapability, defineControl } from "../Capability.ts"
import { decodeControlOptions } from "../decodeCall.ts"
import { InvalidCall } from "../errors.ts"
import { problemOfSchema } from "../types/schemaOption.ts"
import { beginStream, type StartSettings } from "./beginStream.ts"
import { startOptions } from "./startOptions.ts"
import { withDashes } from "./withDashes.ts"

export const mcpStreamStart: ControlCapability = defineControl({
  id: "mcp.stream.start",
  summary: "Reads what an MCP tool, an MCP resource or a feed of server-sent events streams, and gives the handle at once.",
  spec: "MCP streaming; what `(mcp-stream …)` stands for",
  arguments: ["options"],
  options: startOptions,
  effects: [":mcp"],
  notes: [
    'A text as :endpoint is read in this order: `"tool:NAME"`, `"resource:URI"` and `"sse:URL"`, the first two also as `"SERVER/tool:NAME"`; a URL, which is a feed of server-sent events; a name of the host\'s mcpEndpoints; a tool or a resource of that name on the default server, which is asked; a path below the base URL of the environment. `:mcp.stream.inspect` says under `:resolved` what it came to.',
    "The processor is called as `(f state chunk metadata)`. Left out, `:state` stays as it is, `:action` is `:continue`, and there is no output. The actions are :continue, :pause, :resume, :complete, :stop and :cancel; another one, or anything but a map, is an error of the processor. Data never steer a stream: only the processor and calls do.",
    "What it gives as `:output` can be consumed: the handle stands for a stream of its outputs, for one consumer at a time, which the stream waits for. Without a consumer the last 32 are kept, and `:outputs-dropped` counts the others.",
    "While it is paused, or behind, up to :queue-capacity chunks wait; then the peer is not read. No chunk is dropped, and none changes its place. A message that is larger than 16 MiB, or an event over 1 MiB, is an error.",
    "A connection that breaks is made again, three attempts in a row, 250 ms and 500 ms apart; one that stood for ten seconds, or that got further, ends the row. A feed goes on by Last-Event-ID, a resource is subscribed to and read again, a call of a tool is not made twice (but see :reissue).",
    "After each chunk its state, status and cursor are kept in the host's store, before the output goes on: `:mcp.stream.resume` goes on from there. Outputs that were on their way when the process was killed are not given again.",
    "In a service, a processor that fails is tried with the same chunk again, as often as the supervisor restarts it; the connection stays open meanwhile. See [MCP streams](../mcp.md)."
  ],
  example:
    '(let [feed (call :mcp.stream.start {:endpoint {:sse "http://127.0.0.1:2025/weather"} :processor (fn [seen chunk metadata] {:state (conj seen chunk)}) :initial-state []})] (call :mcp.stream.stop {:stream-id feed}))',
  perform: async ([map], context) => {
    const options = decodeControlOptions(mcpStreamStart, withDashes(map)) as unknown as StartSettings
    const problem = options["output-schema"] === undefined ? undefined : problemOfSchema("output-schema", options["output-schema"])
    if (problem !== undefined) throw new InvalidCall(mcpStreamStart.id, problem, "output-schema")
    return beginStream(mcpStreamStart.id, options, context)
  }
})
