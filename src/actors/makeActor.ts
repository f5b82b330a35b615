import type { Actor, ActorDefinition } from "./Actor.ts"
import { ProcessorShell } from "./ProcessorShell.ts"
import { SinkShell } from "./SinkShell.ts"
import { SourceShell } from "./SourceShell.ts"

/**
 * Makes an actor. Nothing runs before its first life.
 *
 * **Fails** (throws) where the definition is none of the three kinds that `ActorDefinition` tells of.
 */
export const makeActor = (definition: ActorDefinition): Actor => {
  const { address, input, sink } = definition
  if ("source" in input) {
    if (sink) throw new Error(`${address} is a source with an asynchronous sink: that is two actors.`)
    return input.source.kind === "async-source" ? new SourceShell(definition, input.source) : new ProcessorShell(definition)
  }
  return sink ? new SinkShell(definition, sink, input) : new ProcessorShell(definition)
}
