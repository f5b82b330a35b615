import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { UsageError } from "./UsageError.ts"

/**
 * Waits on this machine for a browser to come back from an authorization server.
 *
 * Only one request counts: the first to the path of the redirect URL with the state of this login. Others, such as those
 * of a page that guesses the port, are refused and change nothing.
 */
export class CallbackListener {
  readonly redirectUrl: string
  readonly #server: Server
  readonly #path: string
  #awaited: { readonly state: string; readonly take: (url: string) => void } | undefined

  private constructor(server: Server, redirectUrl: string) {
    this.#server = server
    this.redirectUrl = redirectUrl
    this.#path = new URL(redirectUrl).pathname
    server.on("request", (request: IncomingMessage, response: ServerResponse) => this.#answer(request, response))
  }

  /**
   * @param wanted the redirect URL of the configuration; by default any free port of 127.0.0.1
   *
   * **Fails** with `UsageError` for one that is not on this machine, and with the system's error where its port is taken.
   */
  static async open(wanted: string | undefined): Promise<CallbackListener> {
    const url = new URL(wanted ?? "http://127.0.0.1:0/callback")
    if (url.protocol !== "http:" || !["127.0.0.1", "localhost", "[::1]"].includes(url.hostname)) {
      throw new UsageError(
        `The redirectUrl ${url.href} is not on this machine, so nobody can log in from here; leave it out, or use the host's option authorize.`
      )
    }
    const server = createServer({ maxHeaderSize: 16 * 1024, headersTimeout: 5_000, requestTimeout: 5_000 })
    const address = url.hostname === "[::1]" ? "::1" : "127.0.0.1"
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject)
      server.listen(Number(url.port === "" && wanted !== undefined ? 80 : url.port), address, resolve)
    })
    url.port = String((server.address() as AddressInfo).port)
    return new CallbackListener(server, url.href)
  }

  /** The URL that the browser came with. Rejects when the signal says so. */
  next(state: string, signal: AbortSignal): Promise<string> {
    return new Promise((resolve, reject) => {
      const stop = () => reject(signal.reason as Error)
      signal.addEventListener("abort", stop, { once: true })
      this.#awaited = {
        state,
        take: (url) => {
          signal.removeEventListener("abort", stop)
          resolve(url)
        }
      }
    })
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve))
    this.#server.closeAllConnections()
    await closed
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const url = URL.parse(request.url ?? "", this.redirectUrl)
    const say = (status: number, text: string) =>
      response
        .writeHead(status, {
          "Content-Type": "text/plain; charset=utf-8",
          "Cache-Control": "no-store",
          "Referrer-Policy": "no-referrer",
          Connection: "close"
        })
        .end(`${text}\n`)
    if (request.method !== "GET" || url?.pathname !== this.#path) return void say(404, "There is nothing here.")
    const awaited = this.#awaited
    if (awaited === undefined || url.searchParams.get("state") !== awaited.state)
      return void say(400, "This belongs to no login that is under way.")
    this.#awaited = undefined
    response.once("finish", () => awaited.take(url.href))
    say(200, "You can close this page and go back to the terminal.")
  }
}
