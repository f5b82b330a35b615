import type { IncomingMessage } from "node:http"
import { isIP } from "node:net"
import { HttpProblem } from "./errors.ts"
import { type Credential, principalOf } from "./Token.ts"

export interface GuardOptions {
  readonly tokens: ReadonlyArray<Credential>
  /** Names by which clients may address the service beside those of this machine's loopback. */
  readonly hosts: ReadonlyArray<string>
}

/** Why a request was refused before anybody looked at what it wants. */
export type Refusal = "host" | "origin" | "token"

const ofLoopback = ["127.0.0.1", "localhost", "[::1]"]

/**
 * Stands before every request. A page in a browser on this machine can reach the service's port, by its address or by a name
 * that is made to lead there: the `Host` and `Origin` of such requests give them away. A page of the service itself does not
 * exist, so the only origin that passes is the one that the request goes to.
 */
export class RequestGuard {
  readonly #principalOf: (presented: string) => string | undefined
  readonly #hosts: ReadonlySet<string>
  readonly refused: Record<Refusal, number> = { host: 0, origin: 0, token: 0 }

  constructor({ hosts, tokens }: GuardOptions) {
    this.#principalOf = principalOf(tokens)
    this.#hosts = new Set([...ofLoopback, ...hosts.map(inUrl)])
  }

  /** **Fails** by throwing `HttpProblem`. */
  checkWhere(request: IncomingMessage): void {
    const { host, origin } = request.headers
    // Where there are two, Node gives the first one, and whoever stands in between may have seen the other.
    const headers = request.rawHeaders.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase())
    const url = host === undefined || !/^[^\s/@?#\\]+$/.test(host) ? null : URL.parse(`http://${host}/`)
    if (url === null || headers.filter((name) => name === "host").length !== 1 || !this.#hosts.has(url.hostname)) {
      this.refused.host++
      throw new HttpProblem(
        403,
        "The Host of the request is none of this service",
        "Use 127.0.0.1 or localhost, or start it with --allow-host NAME."
      )
    }
    if (origin !== undefined && origin !== `http://${url.host}`) {
      this.refused.origin++
      throw new HttpProblem(
        403,
        "Requests of web pages are refused",
        "Use a client that sends no Origin: rtfs-streams inspect, curl, an MCP host."
      )
    }
  }

  /** @returns whose token it has. **Fails** by throwing `HttpProblem`. */
  checkToken({ headers }: IncomingMessage): string {
    const [, presented] = /^Bearer +([\x21-\x7e]+)$/i.exec(headers.authorization ?? "") ?? []
    const principal = presented === undefined ? undefined : this.#principalOf(presented)
    if (principal !== undefined) return principal
    this.refused.token++
    const what = headers.authorization === undefined ? "The request has no token" : "The token of the request is not that of this service"
    throw new HttpProblem(401, what, "Send the header Authorization: Bearer TOKEN; the token is in the service's token file.", {
      "www-authenticate": 'Bearer realm="rtfs-streams"'
    })
  }
}

/** As `URL` writes it: lower case, an IPv6 address in brackets. */
const inUrl = (host: string): string => URL.parse(`http://${isIP(host) === 6 ? `[${host}]` : host}/`)?.hostname ?? host
