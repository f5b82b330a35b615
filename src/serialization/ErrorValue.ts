import { isKeyword, type Keyword, keyword } from "./Keyword.ts"

/**
 * An error as a value: what `catch` binds, what an error frame carries and what a dead letter keeps.
 *
 * To RTFS it is a map with `:type`, `:message` and `:data`. It is no JavaScript `Error`, since capturing a stack costs
 * some 3 µs and a stack must not leave the process.
 */
export class ErrorValue {
  /** Such as `:division-by-zero`; `:host-error` for an error of the host that has none. */
  readonly type: Keyword
  readonly message: string
  readonly data: unknown
  /** The name of the host's error class, or of the thrower: `TypeError`, `MailboxFull`. */
  readonly name: string | null

  constructor(fields: { readonly type: Keyword; readonly message: string; readonly data?: unknown; readonly name?: string | null }) {
    this.type = fields.type
    this.message = fields.message
    this.data = fields.data ?? null
    this.name = fields.name ?? null
  }

  /** What a JavaScript error tells of itself, without its stack and cause. */
  static of(error: Error): ErrorValue {
    const { data, type } = error as { readonly data?: unknown; readonly type?: unknown }
    return new ErrorValue({ type: isKeyword(type) ? type : hostError, message: error.message, data, name: error.name })
  }

  toString(): string {
    return `#<error: ${this.message}>`
  }
}

const hostError = keyword("host-error")
