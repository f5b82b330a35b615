import type { StreamFunction } from "../../scheduler/index.ts"
import { keyword } from "../../serialization/index.ts"
import { asStream } from "../asStream.ts"
import type { CallContext } from "../Capability.ts"
import { forEach } from "../composition/for-each.ts"
import { decodeCall } from "../decodeCall.ts"
import { InvalidCall, shown } from "../errors.ts"
import type { OptionsOf } from "../Option.ts"
import { StreamValue } from "../StreamValue.ts"
import { readEndpoint, streamIdOf } from "./Endpoint.ts"
import { mcpSource } from "./mcpSource.ts"
import { McpStream } from "./McpStream.ts"
import { McpStreamHandle } from "./McpStreamHandle.ts"
import { resolveEndpoint } from "./resolveEndpoint.ts"
import { type Registration, type Snapshot, SnapshotKeeper } from "./SnapshotKeeper.ts"
import type { startOptions } from "./startOptions.ts"

/** What an earlier process left of a stream. */
export interface Left {
  readonly snapshot: Snapshot
  readonly registration: Registration
}

export type StartSettings = OptionsOf<typeof startOptions>

/**
 * Starts a stream, anew or from what an earlier process left.
 *
 * **Fails** with `InvalidCall`, `PermissionDenied`, and with `StreamInUse` while another process runs it.
 */
export const beginStream = async (
  capability: string,
  settings: StartSettings,
  context: CallContext,
  left?: Left
): Promise<McpStreamHandle> => {
  const { mcp, network, now, perform } = context
  const { access } = mcp
  const endpoint = readEndpoint(capability, settings.endpoint)
  const processor = processorOf(capability, settings.processor, context)
  const id = settings["stream-id"] ?? streamIdOf(endpoint, crypto.randomUUID())
  const transport = resolveEndpoint(endpoint, {
    capability,
    mcp: access,
    network,
    perform,
    now,
    config: settings.config,
    timeoutMs: settings.timeout,
    idleMs: settings["idle-timeout"],
    reissue: settings.reissue,
    wasCalled: left !== undefined
  })
  access.streams.checkRoom(capability)
  if (access.streams.find(id)?.isOver === false) {
    throw new InvalidCall(
      capability,
      `has a :stream-id under which a stream of this host runs: ${id}. Stop that one first, or go on with it (:mcp.stream.resume).`,
      "stream-id"
    )
  }
  const value = new StreamValue(mcpSource, { ...settings, "stream-id": id }, [])
  const isNamed = left?.registration.isNamed ?? settings["stream-id"] !== undefined
  const registration = { stream: mcp.keep(value), isNamed }
  const keeper = await SnapshotKeeper.open(await perform(mcp.stateStore), id, registration, perform, context.log)
  try {
    const stream = new McpStream({
      id,
      endpoint: settings.endpoint,
      processor: processor.fn,
      processorName: processor.name,
      initialState: settings["initial-state"],
      capacity: settings["queue-capacity"],
      outputSchema: settings["output-schema"],
      timeoutMs: settings.timeout,
      autoConnect: access.base.autoConnect || keywordName(transport.resolved()["by"]) !== "environment",
      transport,
      keeper,
      isNamed,
      perform,
      now,
      from: left?.snapshot
    })
    await keeper.save(stream.snapshot(), now())
    const actor = context.start(
      decodeCall(
        forEach,
        [
          value.copy({ ...value.options, stream }),
          { callback: (output: unknown) => stream.outputs.offer(output), as: "output", "buffer-size": 32 }
        ],
        asStream
      ).value
    )
    const handle = new McpStreamHandle(stream, actor)
    access.streams.add(handle)
    return handle
  } catch (error) {
    await keeper.close()
    throw error
  }
}

const keywordName = (value: unknown): string | undefined => (value === keyword("environment") ? "environment" : undefined)

interface NamedProcessor {
  readonly fn: StreamFunction | undefined
  readonly name: string | null
}

/** A function, or the name of one that the program or its host defines. */
const processorOf = (capability: string, written: unknown, { mcp }: CallContext): NamedProcessor => {
  if (written === undefined || written === null) return { fn: undefined, name: null }
  if (typeof written === "function") return { fn: written as StreamFunction, name: null }
  // Names come as text, as keywords and as quoted symbols.
  const name =
    typeof written === "string" ? written : typeof written === "object" ? (written as { readonly name?: unknown }).name : undefined
  if (typeof name !== "string")
    throw new InvalidCall(capability, `expects :processor to be a function or the name of one, but got ${shown(written)}.`, "processor")
  const fn = mcp.global(name)
  if (typeof fn === "function") return { fn: fn as StreamFunction, name }
  throw new InvalidCall(
    capability,
    `has no function ${name} for its :processor: define it before the call, or let the host bind it.`,
    "processor"
  )
}
