import { HostObject } from "../serialization/index.ts"
import { failItems, type ItemPolicy } from "../scheduler/index.ts"
import type { StreamCapability } from "./Capability.ts"
import type { SubStream } from "./GraphParts.ts"

/**
 * A stream as a value: a cold, reusable description of a source and what is done with its items.
 *
 * Nothing runs until it is consumed, and each consumption runs an instance of its own.
 */
export class StreamValue extends HostObject {
  readonly capability: StreamCapability
  /** Validated options, without the streams among them. */
  readonly options: Readonly<Record<string, unknown>>
  readonly inputs: ReadonlyArray<StreamValue>
  readonly onFailure: ItemPolicy
  /** Streams inside of it: what a branch or a partition does. */
  readonly subStreams: ReadonlyArray<SubStream>

  constructor(
    capability: StreamCapability,
    options: Readonly<Record<string, unknown>>,
    inputs: ReadonlyArray<StreamValue>,
    onFailure: ItemPolicy = failItems,
    subStreams: ReadonlyArray<SubStream> = []
  ) {
    super()
    this.capability = capability
    this.options = options
    this.inputs = inputs
    this.onFailure = onFailure
    this.subStreams = subStreams
  }

  /** The same stream, as another value. */
  copy(options: Readonly<Record<string, unknown>> = this.options): StreamValue {
    return new StreamValue(this.capability, options, this.inputs, this.onFailure, this.subStreams)
  }

  get label(): string {
    return `stream ${this.capability.id.replace(/^stream\./, "")}`
  }

  toJSON(): unknown {
    return { stream: this.capability.id }
  }
}
