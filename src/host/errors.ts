import { type Position, withPlace } from "../rtfs/index.ts"
import { keyword, TaggedError } from "../serialization/index.ts"
import type { UnboundedNode } from "./Explanation.ts"

/** A program asked for something that the policy does not grant. Nothing was touched. */
export class PermissionDenied extends TaggedError {
  readonly _tag = "PermissionDenied"
  /** What RTFS programs see as the error's type. */
  readonly type = keyword("capability-denied")
  /** Where the program asks for it, if its text alone shows that. */
  at: Position | undefined

  constructor(fields: { readonly what: string; readonly remedy: string }) {
    super(`Not permitted: ${fields.what}; ${fields.remedy}.`)
  }

  /** The message for a person, with the line of the program where its text shows it. */
  render(source?: string): string {
    return withPlace(this.message, this.at, source)
  }
}

/** A stream or program was cancelled, so it has no result. */
export class StreamCancelled extends TaggedError {
  readonly _tag = "StreamCancelled"
  readonly type = keyword("stream-error")

  constructor(id: string, kind: "stream" | "service" | "program") {
    super(`The ${kind} ${id} was cancelled, so it has no result.`)
  }
}

/** An input of a session was cancelled. No `catch` of a program takes it: its name marks it as an interruption of the host. */
export class EvaluationCancelled extends Error {
  readonly _tag = "EvaluationCancelled"

  constructor() {
    super("The evaluation was cancelled.")
    this.name = "AbortError"
  }
}

/** The host was stopped, or a name is taken: the request can't be carried out, whatever it asks for. */
export class HostUnavailable extends TaggedError {
  readonly _tag = "HostUnavailable"

  constructor(message: string) {
    super(message)
  }
}

/** A program ran longer than it was given. */
export class ProgramTimeout extends TaggedError {
  readonly _tag = "ProgramTimeout"

  constructor(timeoutMs: number) {
    super(
      `The program did not end within ${timeoutMs} ms, so it was cancelled. Give it more with --timeout (timeoutMs), or drain it earlier.`
    )
  }
}

/** The mailboxes of the streams that run hold all of the memory that the host was given. Nothing was started. */
export class MemoryExhausted extends TaggedError {
  readonly _tag = "MemoryExhausted"

  constructor({ needed, rest, total }: { readonly needed: number; readonly rest: number; readonly total: number }) {
    super(
      `The stream's mailboxes need ${needed} bytes, but of the ${total} that all streams of the host share only ${rest} are left. `
        + "Let other streams end first, or give the host more memory (--memory, the option memory)."
    )
  }
}

/** A host that was told to run bounded programs only was given one that is not. Nothing was started. */
export class UnboundedProgram extends TaggedError {
  readonly _tag = "UnboundedProgram"
  readonly type = keyword("stream-error")
  readonly nodes: ReadonlyArray<UnboundedNode>

  /** @param nodes at least one */
  constructor(nodes: ReadonlyArray<UnboundedNode>) {
    const [{ capability, node, pipeline, remedy, why }] = nodes as [UnboundedNode]
    const others =
      nodes.length === 1
        ? ""
        : ` So are ${nodes.length - 1} more: ${nodes
            .slice(1)
            .map((other) => other.node)
            .join(", ")}.`
    super(
      `The node ${node} (:${capability}) of ${pipeline} is unbounded: ${why}. This host runs bounded programs only (--bounded, the option bounded), `
        + `so nothing was started. ${remedy}${others}`
    )
    this.nodes = nodes
  }
}

/** **Fails** by throwing `UnboundedProgram` where there is one. */
export const refuseUnbounded = (nodes: ReadonlyArray<UnboundedNode>): void => {
  if (nodes.length > 0) throw new UnboundedProgram(nodes)
}

/** A checkpoint can't be gone on with: it does not fit the program, or is another version's. Nothing was started. */
export class CheckpointRefused extends TaggedError {
  readonly _tag = "CheckpointRefused"
  readonly type = keyword("stream-error")
  readonly stream: string

  constructor(stream: string, problem: string, fix: string) {
    super(`The checkpoint of the stream ${stream} ${problem}. ${fix}`)
    this.stream = stream
  }
}

/** A checkpoint was written by another version of rtfs-streams, which has another form of it. Nothing was started. */
export class CheckpointOfOtherVersion extends TaggedError {
  readonly _tag = "CheckpointOfOtherVersion"
  readonly stream: string

  constructor(stream: string, format: unknown) {
    super(
      `The checkpoint of the stream ${stream} was written by another version (format ${String(format)}). `
        + "Go on with the version that wrote it, or give the stream another :stream-id to begin anew."
    )
    this.stream = stream
  }
}

/** No checkpoint of a stream can be read, though there are some. Nothing was started. */
export class CheckpointDamaged extends TaggedError {
  readonly _tag = "CheckpointDamaged"
  readonly stream: string

  constructor(stream: string, damage: string) {
    super(
      `${damage} None that is whole is left: restore the data directory from a copy, or give the stream ${stream} another :stream-id to begin anew.`
    )
    this.stream = stream
  }
}
