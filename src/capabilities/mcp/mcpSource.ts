import * as Effect from "effect/Effect"
import type { AsyncSource } from "../../actors/index.ts"
import { defineCapability } from "../Capability.ts"
import { anything, optional } from "../Option.ts"
import type { McpStream } from "./McpStream.ts"
import type { McpStreamHandle } from "./McpStreamHandle.ts"
import { startOptions } from "./startOptions.ts"

/**
 * The actor behind a handle of `mcp.stream.start`: reading runs the processor. Not in the marketplace, since only a start
 * or a resumption makes one.
 */
export const mcpSource = defineCapability({
  id: "mcp.stream.chunks",
  summary: "Works off the chunks of an MCP stream and emits its outputs.",
  spec: "MCP streaming",
  kind: "source",
  options: { ...startOptions, stream: optional(anything, "the stream itself, in its own process") },
  effects: [":mcp"],
  order: "That of the chunks.",
  delivery: "Each chunk is worked off once; one that its processor failed on is tried again by the next life.",
  backpressure: "A chunk is worked off when an output is asked for.",
  example: "",
  boundary: () => "it waits for a peer",
  node: ({ stream }) => ({
    kind: "async-source",
    capability: "mcp.stream.start",
    open: () =>
      Effect.sync(() => {
        ;(stream as McpStream).open()
        return chunksOf(stream as McpStream)
      })
  })
})

const chunksOf = (stream: McpStream): AsyncSource => ({
  read: Effect.suspend(() =>
    Effect.map(Effect.tryPromise({ try: () => stream.next(), catch: (error) => error }), (next) => {
      stream.taken()
      return next === null ? null : { items: [next.value ?? null] }
    })
  ),
  position: () => ({ processed: stream.processed }),
  isRepeatable: () => stream.isRepeatable
})

/** The outputs of a running MCP stream, as the stream that its consumer reads. */
export const mcpOutputs = defineCapability({
  id: "mcp.stream.outputs",
  summary: "The outputs of an MCP stream that runs.",
  spec: "MCP streaming",
  kind: "source",
  options: { handle: optional(anything, "the handle, in its own process") },
  order: "That of the chunks that they came of.",
  delivery: "Once, to one consumer.",
  backpressure: "With 32 of them waiting, the stream waits, too.",
  example: "",
  boundary: () => "it waits for a peer",
  node: ({ handle }) => ({
    kind: "async-source",
    capability: "mcp.stream.outputs",
    open: () => {
      const { stream } = handle as McpStreamHandle
      const taken = Effect.try({ try: () => (handle as McpStreamHandle).consume(), catch: (error) => error })
      return Effect.map(
        Effect.acquireRelease(taken, (giveBack) => Effect.sync(giveBack)),
        (): AsyncSource => {
          const read: AsyncSource["read"] = Effect.flatMap(
            Effect.promise(() => stream.outputs.ready()),
            () =>
              Effect.flatMap(Effect.try({ try: () => stream.outputs.take(), catch: (error) => error }), (items): AsyncSource["read"] =>
                items === null ? Effect.succeed(null) : items.length === 0 ? read : Effect.succeed({ items })
              )
          )
          return { read, position: () => ({ given: stream.outputs.given }) }
        }
      )
    }
  })
})
