import { keyword, TaggedError } from "../../serialization/index.ts"

interface McpFailureFields {
  /** The stream, or the server where there is no stream yet. */
  readonly stream: string
  readonly problem: string
  readonly fix: string
  /** What programs tell failures apart by: `disconnected`, `input-required`, `processor`, `tool`, `endpoint`, `server`, `authorization`. */
  readonly reason: string
  /** Whether trying again later may help. */
  readonly isTemporary?: boolean
}

/** An MCP stream can't begin or go on. */
export class McpFailure extends TaggedError {
  readonly _tag = "McpFailure"
  /** What RTFS programs see as the error's type. */
  readonly type = keyword("mcp-error")
  readonly reason: string
  readonly isTemporary: boolean
  readonly data: unknown

  constructor({ fix, isTemporary = false, problem, reason, stream }: McpFailureFields) {
    super(`The MCP stream ${stream} can't go on: ${problem}. ${fix}`)
    this.reason = reason
    this.isTemporary = isTemporary
    this.data = { stream, reason: keyword(reason) }
  }
}
