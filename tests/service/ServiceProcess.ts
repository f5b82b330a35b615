import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { connect } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { start } from "../cli/command.ts"

/** A folder with programs, and a service of them as a process of its own. */
export class ServiceProcess {
  readonly folder = mkdtempSync(join(tmpdir(), "rtfs-streams-service-"))
  readonly tokenFile = join(this.folder, "token")
  #url = ""
  running!: ReturnType<typeof start>

  write(name: string, program: string): string {
    const file = join(this.folder, name)
    writeFileSync(file, program)
    return file
  }

  /** @param command what listens: `serve` with files, or `mcp --http` */
  async start(
    command: ReadonlyArray<string>,
    options: { readonly flags?: ReadonlyArray<string>; readonly env?: NodeJS.ProcessEnv; readonly longestMs?: number } = {}
  ): Promise<void> {
    const { env, flags = [], longestMs = 120_000 } = options
    this.running = start([...command, "--port", "0", "--token-file", this.tokenFile, ...flags], {
      env: { ...process.env, ...env },
      timeout: longestMs
    })
    let log = ""
    this.running.process.stderr!.on("data", (text: string) => (log += text))
    await this.running.complained("the token is in")
    this.#url = /Listening on (http:\/\/[\d.:]+\d)/.exec(log)![1]!
  }

  get url(): string {
    return this.#url
  }

  get port(): number {
    return Number(new URL(this.#url).port)
  }

  /** The first one, where there are several with names. */
  get token(): string {
    return readFileSync(this.tokenFile, "utf8").split("\n")[0]!.split(" ").at(-1)!
  }

  request(path: string, init: RequestInit = {}): Promise<Response> {
    return fetch(`${this.#url}${path}`, { ...init, headers: { authorization: `Bearer ${this.token}`, ...init.headers } })
  }

  async json(path: string, init: RequestInit = {}): Promise<any> {
    return (await this.request(path, init)).json()
  }

  /** Sends bytes as they are, and gives everything that comes back until the other side closes. */
  raw(bytes: string): Promise<string> {
    return new Promise((resolve) => {
      const socket = connect(this.port, "127.0.0.1")
      let answer = ""
      socket.setEncoding("latin1").on("data", (text: string) => (answer += text))
      socket.on("error", () => {})
      socket.on("close", () => resolve(answer))
      socket.write(bytes)
    })
  }

  async stop(): Promise<number> {
    this.running.process.kill("SIGTERM")
    return (await this.running.outcome).status
  }

  remove(): void {
    if (this.running?.process.exitCode === null) this.running.process.kill("SIGKILL")
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/** Asks again and again until the answer is as wanted; the test's own timeout is the limit. */
export const until = async <Value>(ask: () => Promise<Value>, isWanted: (value: Value) => boolean): Promise<Value> => {
  for (;;) {
    const value = await ask()
    if (isWanted(value)) return value
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

export const ticking = (everyMs: number, more = ""): string =>
  `(call :stream.for-each (call :stream.periodic {:interval ${everyMs} :generator (fn [t] t)}) {:callback (fn [x] nil)})${more}`
