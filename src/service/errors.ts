/** The service can't be started, or can't be reached or talked to by a client of it. */
export class ServiceFailure extends Error {
  readonly _tag = "ServiceFailure"

  constructor(fields: { readonly what: string; readonly fix: string; readonly cause?: unknown }) {
    super(`${fields.what}. ${fields.fix}`, { cause: fields.cause })
    this.name = "ServiceFailure"
  }
}

/** The token of the service is not a secret, or is none, or the service does not take it. */
export class TokenRefused extends Error {
  readonly _tag = "TokenRefused"

  constructor(fields: { readonly what: string; readonly fix: string }) {
    super(`${fields.what}. ${fields.fix}`)
    this.name = "TokenRefused"
  }
}

/** What a request is answered with where it can't be carried out; `fix` says what to send instead. */
export class HttpProblem extends Error {
  readonly status: number
  readonly fix: string
  readonly headers: Readonly<Record<string, string>>

  constructor(status: number, what: string, fix: string, headers: Readonly<Record<string, string>> = {}) {
    super(what)
    this.name = "HttpProblem"
    this.status = status
    this.fix = fix
    this.headers = headers
  }
}
