import { type ControlCapability, defineControl } from "../Capability.ts"
import { decodeControlOptions } from "../decodeCall.ts"
import { anything, optional, required, text } from "../Option.ts"
import { beginStream, type StartSettings } from "./beginStream.ts"
import { keptSnapshot } from "./SnapshotKeeper.ts"
import { withDashes } from "./withDashes.ts"

export const mcpStreamResume: ControlCapability = defineControl({
  id: "mcp.stream.resume",
  summary: "Goes on with an MCP stream that an earlier process left, and gives its handle; lets one that is paused here go on.",
  spec: "MCP streaming",
  arguments: ["options"],
  options: {
    "stream-id": required(text, "the id of the stream"),
    processor: optional(anything, "a function, or the name of one, in place of the one that it was started with")
  },
  effects: [":mcp"],
  notes: [
    "It has the state and the status that it had after the last chunk that was worked off: one that was paused is paused still, one that had ended has ended, one that had failed tries again. Chunks that waited then are asked for again, where the peer can be asked: by Last-Event-ID, or by reading the resource. The call of a tool has ended with its process, see :reissue.",
    "A processor that was given by name is looked up in this program and its host; one that was written out is made again from its text and what it had captured.",
    "A stream that runs in another process is refused, and so is an id that the host's store does not know. One that has ended is known as long as it was started with a :stream-id of its own, and not stopped."
  ],
  example: '(try (call :mcp.stream.resume {:stream-id "mcp-unknown"}) (catch e (:type e)))',
  perform: async ([map], context) => {
    const options = decodeControlOptions(mcpStreamResume, withDashes(map))
    const id = options["stream-id"] as string
    const { access, revive, stateStore } = context.mcp
    const running = access.streams.find(id)
    if (running !== undefined && !running.isOver) {
      await running.resume()
      return running
    }
    const left = await keptSnapshot(await context.perform(stateStore), id, context.perform)
    const { options: settings } = revive(id, left.registration.stream)
    const processor = options["processor"] ?? settings["processor"]
    return beginStream(mcpStreamResume.id, { ...settings, processor } as unknown as StartSettings, context, left)
  }
})
