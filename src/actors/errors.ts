import type { NodeSpec } from "./NodeSpec.ts"
import { TaggedError } from "../serialization/index.ts"

/** A frame was not taken: the mailbox has no room, and its strategy is to say so. */
export class MailboxFull extends TaggedError {
  readonly _tag = "MailboxFull"
  readonly address: string
  readonly edge: number

  constructor(fields: {
    readonly address: string
    readonly edge: number
    readonly maxFrames: number
    readonly maxItems: number
    readonly maxBytes: number
  }) {
    super(
      `Input ${fields.edge} of ${fields.address} is full at ${fields.maxFrames} frames, ${fields.maxItems} items or ${fields.maxBytes} bytes: `
        + `it works more slowly than its senders offer. Use :overflow :backpressure, raise :buffer-size or add :parallelism.`
    )
    this.address = fields.address
    this.edge = fields.edge
  }
}

/** A frame was not taken: its receiver takes no more. */
export class MailboxClosed extends TaggedError {
  readonly _tag = "MailboxClosed"
  readonly address: string
  readonly reason: string

  constructor(fields: { readonly address: string; readonly reason: string }) {
    super(
      `${fields.address} takes no more frames (${fields.reason}): what is offered now would never be worked off. `
        + `Stop the senders before their receiver, or send to the actor that replaced it.`
    )
    this.address = fields.address
    this.reason = fields.reason
  }
}

/** A mailbox can't be made: its bounds or its marks contradict each other. */
export class InvalidMailboxBounds extends TaggedError {
  readonly _tag = "InvalidMailboxBounds"
  readonly address: string

  constructor(fields: { readonly address: string; readonly problem: string }) {
    super(
      `The mailbox of ${fields.address} can't be made: ${fields.problem}. `
        + `Give :low-water-mark and :high-water-mark between 0 and :buffer-size, the low one below the high one.`
    )
    this.address = fields.address
  }
}

/** Frames could not be moved between memory and disk. None is lost: they are where they were. */
export class SpillFailure extends TaggedError {
  readonly _tag = "SpillFailure"
  readonly operation: "open" | "write" | "read" | "remove" | "sweep"
  readonly path: string | undefined
  /** The operating system's code, such as `ENOSPC`. */
  readonly code: string | undefined
  override readonly cause: unknown

  constructor(fields: { readonly operation: SpillFailure["operation"]; readonly path?: string | undefined; readonly cause: unknown }) {
    const why = fields.cause instanceof Error ? fields.cause.message : String(fields.cause)
    super(
      `Spilling to disk failed (${fields.operation} ${fields.path ?? "a new file"}): ${why}. `
        + `Free space on the disk, check it and its permissions, or give another :temp-dir.`
    )
    this.operation = fields.operation
    this.path = fields.path
    this.code = (fields.cause as { readonly code?: string } | undefined)?.code
    this.cause = fields.cause
  }
}

/** What a sink's `write` fails with when one of the items is to blame; those before it are handed over. */
export class ItemFailure extends TaggedError {
  readonly _tag = "ItemFailure"
  /** Its place in the items that `write` was given. */
  readonly index: number
  override readonly cause: unknown

  constructor(fields: { readonly index: number; readonly cause: unknown }) {
    super(messageOf(fields.cause))
    this.index = fields.index
    this.cause = fields.cause
  }
}

/** A function that was to decide about a failing item failed itself, or gave an answer that means nothing. */
export class RecoveryFailed extends TaggedError {
  readonly _tag = "RecoveryFailed"
  readonly capability: string
  /** What the item failed with. */
  readonly itemError: unknown

  private constructor(capability: string, problem: string, fix: string, itemError: unknown, cause?: unknown) {
    super(`${problem} The item had failed in ${capability} with: ${clipped(messageOf(itemError))}. ${fix}`, { cause })
    this.capability = capability
    this.itemError = itemError
  }

  static thrown(capability: string, option: string, error: unknown, itemError: unknown): RecoveryFailed {
    const problem = `The function given as ${option} failed itself: ${clipped(messageOf(error))}.`
    return new RecoveryFailed(capability, problem, "It must not throw: the item fails then.", itemError, error)
  }

  static answer(capability: string, answer: unknown, itemError: unknown): RecoveryFailed {
    const problem = `The function given as :error-handler answered ${clipped(shown(answer))}, which means nothing.`
    return new RecoveryFailed(capability, problem, "Answer :retry, :skip, :dead-letter, :fail or {:replace value}.", itemError)
  }
}

/** One life of an actor ended with an error. `cause` is the error that it began with, as it was thrown. */
export class ActorFailure extends TaggedError {
  readonly _tag = "ActorFailure"
  readonly address: string
  /** The id of the capability whose node failed. */
  readonly capability: string
  /**
   * - `item`: a function of the program, or the sink, failed on one item (`item`, for the `attempts`th time)
   * - `node`: the node itself failed: opening, reading, an observing callback
   * - `upstream`: an actor before this one failed for good and said so
   * - `output`: a receiver does not take any more
   */
  readonly reason: "item" | "node" | "upstream" | "output"
  /** Which of the items that entered the actor, from 1 on. */
  readonly item: number | undefined
  readonly attempts: number
  /** Another life of the actor would fail in the same way: there is no point in restarting it. */
  readonly isFinal: boolean
  override readonly cause: unknown

  constructor(fields: {
    readonly address: string
    readonly capability: string
    /** What kind of node failed, for the remedy in the message. */
    readonly kind?: NodeSpec["kind"]
    readonly reason: ActorFailure["reason"]
    readonly item?: number
    readonly attempts?: number
    readonly isFinal: boolean
    readonly cause: unknown
  }) {
    super(`${fields.address}: ${fields.capability} ${whatFailed(fields)}: ${clipped(messageOf(fields.cause))}${howToFix(fields)}`)
    this.address = fields.address
    this.capability = fields.capability
    this.reason = fields.reason
    this.item = fields.item
    this.attempts = fields.attempts ?? 1
    this.isFinal = fields.isFinal
    this.cause = fields.cause
  }
}

/**
 * A stream that a function awaits may fail with the failure of a stream that its own function awaits, and so on: each
 * message would hold all those below it.
 */
const clipped = (message: string): string => (message.length > longestMessage ? `${message.slice(0, longestMessage)}…` : message)

const longestMessage = 2000

const whatFailed = ({ attempts = 1, item, reason }: { reason: ActorFailure["reason"]; item?: number; attempts?: number }): string => {
  switch (reason) {
    case "item":
      return `failed on item ${item}${attempts > 1 ? ` (attempt ${attempts})` : ""}`
    case "node":
      return "failed"
    case "upstream":
      return "was ended by a failure before it"
    case "output":
      return "can't hand over its output"
  }
}

const howToFix = ({ kind = "stage", reason }: { readonly reason: ActorFailure["reason"]; readonly kind?: NodeSpec["kind"] }): string => {
  switch (reason) {
    case "item":
      return `. ${handlingAnItem[kind]}`
    case "output":
      return ". Stop senders before their receivers."
    default:
      return ""
  }
}

const overItems = "A source can't leave an item out: let it deal with this itself, and give something else in its place."

const handlingAnItem: Readonly<Record<NodeSpec["kind"], string>> = {
  stage: "Let its function handle such an item, or give the node :on-failure :skip or :dead-letter.",
  "async-sink": "Give it items that it can write, or the node :on-failure :skip or :dead-letter.",
  "sync-source": overItems,
  "async-source": overItems,
  "fan-in": overItems
}

const messageOf = (cause: unknown): string =>
  cause instanceof Error ? cause.message.replace(/\.$/, "") : typeof cause === "string" ? cause : shown(cause)

const shown = (value: unknown): string => {
  try {
    return JSON.stringify(value) ?? String(value)
  } catch {
    return "an error that can't be shown"
  }
}
