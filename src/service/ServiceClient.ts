import { ServiceFailure, TokenRefused } from "./errors.ts"
import type { ServiceStatus } from "./ServiceStatus.ts"
import { readTokens } from "./Token.ts"

export interface ServiceClientOptions {
  readonly address: { readonly host: string; readonly port: number }
  readonly tokenFile: string
}

/** What one answer may take. */
const answerMs = 10_000

/** Asks a service that runs on this machine, as `rtfs-streams inspect` and `top` do. */
export class ServiceClient {
  readonly url: string
  readonly #token: string
  readonly #tokenFile: string

  /** **Fails** with `TokenRefused`, or `ServiceFailure` where there is no token file. */
  static async open({ address: { host, port }, tokenFile }: ServiceClientOptions): Promise<ServiceClient> {
    const [first] = await readTokens(tokenFile).catch((cause: NodeJS.ErrnoException) => {
      if (cause.code !== "ENOENT") throw cause
      throw new ServiceFailure({
        what: `There is no token file ${tokenFile}`,
        fix: "Start rtfs-streams serve, or name its file with --token-file.",
        cause
      })
    })
    return new ServiceClient(`http://${host.includes(":") ? `[${host}]` : host}:${port}`, first!.token, tokenFile)
  }

  private constructor(url: string, token: string, tokenFile: string) {
    this.url = url
    this.#token = token
    this.#tokenFile = tokenFile
  }

  /** **Fails** with `ServiceFailure` or `TokenRefused`. */
  async status(): Promise<ServiceStatus> {
    const response = await this.#get("/status")
    const body = await response.json().catch(() => undefined)
    if (response.status === 401) {
      throw new TokenRefused({
        what: `The service at ${this.url} does not take the token of ${this.#tokenFile}`,
        fix: "Name its own with --token-file."
      })
    }
    if (response.status !== 200 || !isStatus(body)) {
      throw new ServiceFailure({
        what: `What listens at ${this.url} answered ${response.status}, and not as rtfs-streams serve does`,
        fix: "Check --host and --port."
      })
    }
    return body
  }

  #get(path: string): Promise<Response> {
    const init = { headers: { authorization: `Bearer ${this.#token}` }, redirect: "error" as const, signal: AbortSignal.timeout(answerMs) }
    return fetch(`${this.url}${path}`, init).catch((cause: unknown) => {
      throw new ServiceFailure({
        what: `No service answers at ${this.url}`,
        fix: "Start rtfs-streams serve, or say where it is with --host and --port.",
        cause
      })
    })
  }
}

const isStatus = (body: unknown): body is ServiceStatus =>
  typeof body === "object"
  && body !== null
  && Array.isArray((body as ServiceStatus).services)
  && Array.isArray((body as ServiceStatus).streams)
