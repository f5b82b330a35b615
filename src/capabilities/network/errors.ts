import { keyword, TaggedError } from "../../serialization/index.ts"

interface NetworkFailureFields {
  /** As the program wrote it, so that no secret is in it. */
  readonly url: string
  /** What was being done: `resolve`, `connect to`, `send to`, `read from`. */
  readonly operation: string
  readonly problem: string
  readonly fix: string
  /** Whether trying again later may help. */
  readonly isTemporary?: boolean
  /** The system's name of the error, such as `ECONNREFUSED`, where there is one. */
  readonly code?: string | undefined
  /** The status of the answer, where there was one. */
  readonly status?: number | undefined
  /** How long the peer asked to be left alone. */
  readonly retryAfterMs?: number | undefined
  /** The beginning of what the peer said about it. */
  readonly body?: string | undefined
}

/** A peer can't be reached, breaks off, says that it can't, or says what makes no sense. */
export class NetworkFailure extends TaggedError {
  readonly _tag = "NetworkFailure"
  /** What RTFS programs see as the error's type. */
  readonly type = keyword("network-error")
  readonly isTemporary: boolean
  readonly code: string | undefined
  readonly status: number | undefined
  readonly retryAfterMs: number | undefined
  /** What programs see of it beside its message. */
  readonly data: unknown

  constructor(fields: NetworkFailureFields) {
    const { code, operation, problem, status } = fields
    const url = shownUrl(fields.url)
    super(`Can't ${operation} ${url}: ${problem}${code === undefined ? "" : ` (${code})`}. ${fields.fix}`)
    this.isTemporary = fields.isTemporary ?? false
    this.code = code
    this.status = status
    this.retryAfterMs = fields.retryAfterMs
    const { body } = fields
    const known = Object.entries({ url, operation, code, status, body }).filter(([, value]) => value !== undefined)
    this.data = Object.fromEntries(known)
  }

  /** The failure that the system or Node reported. */
  static of(operation: string, url: string, error: unknown): NetworkFailure {
    if (error instanceof NetworkFailure) return error
    const { code, errors } = error as { readonly code?: string; readonly errors?: ReadonlyArray<unknown> }
    // Node tries all addresses of a peer and reports all failures.
    if (Array.isArray(errors) && errors.length > 0) return NetworkFailure.of(operation, url, errors[0])
    const isProtocol = code?.startsWith("HPE_") === true
    const known = code === undefined ? undefined : (systemErrors[code] ?? (isProtocol ? noHttp : undefined))
    const message = error instanceof Error ? error.message : String(error)
    const [problem, fix] = known ?? [
      /certificate|self.signed|altnames/i.test(`${code} ${message}`) ? "its certificate is not one to be trusted" : "the connection failed",
      "Check the peer; Node's option NODE_EXTRA_CA_CERTS adds certificates of one's own."
    ]
    return new NetworkFailure({ url, operation, problem, fix, code, isTemporary: known !== undefined && !isProtocol })
  }
}

/** Queries hold tokens and personal data more often than they help: messages do without. */
export const shownUrl = (url: string): string => {
  const end = url.search(/[?#]/)
  const shown = end === -1 ? url : url.slice(0, end)
  return shown.length > 200 ? `${shown.slice(0, 200)}…` : shown
}

const later = "Try again later, or check that the peer is up and reachable from here."

const noHttp = [
  "what it says breaks the rules of HTTP",
  "Check that this is the right peer and port, and http or https as it expects."
] as const

const systemErrors: Readonly<Record<string, readonly [problem: string, fix: string]>> = {
  ENOTFOUND: ["its name does not resolve", "Check the spelling of the host, and the name server."],
  EAI_AGAIN: ["the name server does not answer", "Check the network and the name server."],
  ECONNREFUSED: ["nothing listens there", "Check host and port, and that the peer is up."],
  ECONNRESET: ["the peer broke the connection off", later],
  EPIPE: ["the peer broke the connection off", later],
  EHOSTUNREACH: ["no way leads there", "Check the network."],
  ENETUNREACH: ["no way leads there", "Check the network."],
  ETIMEDOUT: ["the peer does not answer", later],
  HPE_HEADER_OVERFLOW: ["its headers are longer than 32 KB", "Check that this is the right peer."]
}
