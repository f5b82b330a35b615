import { HostObject } from "../serialization/index.ts"
import type { ItemPolicy } from "../scheduler/index.ts"
import type { StreamCapability } from "./Capability.ts"

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

  constructor(
    capability: StreamCapability,
    options: Readonly<Record<string, unknown>>,
    inputs: ReadonlyArray<StreamValue>,
    onFailure: ItemPolicy = "fail"
  ) {
    super()
    this.capability = capability
    this.options = options
    this.inputs = inputs
    this.onFailure = onFailure
  }

  get label(): string {
    return `stream ${this.capability.id.replace(/^stream\./, "")}`
  }

  toJSON(): unknown {
    return { stream: this.capability.id }
  }
}
