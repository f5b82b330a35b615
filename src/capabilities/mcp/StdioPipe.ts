import { type ChildProcess, spawn } from "node:child_process"
import type { JSONRPCMessage, Transport } from "@modelcontextprotocol/client"
import { McpFailure } from "./errors.ts"
import { type Perform, within } from "./waiting.ts"

export interface StdioPipeOptions {
  readonly server: string
  readonly command: string
  readonly args: ReadonlyArray<string>
  /** What the process sees beside `PATH`, `HOME` and their kin. */
  readonly env: Readonly<Record<string, string>>
  readonly cwd: string | undefined
  readonly perform: Perform
  readonly room: () => Promise<void>
  readonly alive: () => void
}

/** Nothing else of the host's environment reaches a server. */
const inherited = ["HOME", "LOGNAME", "PATH", "SHELL", "TERM", "USER", "TMPDIR", "SYSTEMROOT", "APPDATA", "USERPROFILE", "TEMP"]

/** The longest message. */
const mostLineBytes = 16 * 1024 * 1024

/** How long a server has to end by itself, and then by a signal. */
const endingMs = 1_000

/**
 * A server as a child process that speaks a message a line.
 *
 * **Backpressure** a message is passed on only when there is room; while there is none the pipe is not read, so the server
 * waits once it is full.
 * **Stopping** `close` ends its input; a second later it is sent SIGTERM, and after another one SIGKILL.
 */
export class StdioPipe implements Transport {
  onclose?: () => void
  onerror?: (error: Error) => void
  onmessage?: Transport["onmessage"]
  readonly #options: StdioPipeOptions
  #child: ChildProcess | undefined
  #exited: Promise<void> = Promise.resolve()

  constructor(options: StdioPipeOptions) {
    this.#options = options
  }

  async start(): Promise<void> {
    const { args, command, cwd, env, server } = this.#options
    const base = Object.fromEntries(inherited.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])))
    const child = spawn(command, args, { env: { ...base, ...env }, cwd, stdio: ["pipe", "pipe", "ignore"], windowsHide: true })
    this.#child = child
    this.#exited = new Promise((resolve) => child.once("close", () => resolve()))
    child.stdin.on("error", (error) => this.onerror?.(error))
    await new Promise<void>((resolve, reject) => {
      child.once("spawn", resolve)
      child.once("error", (error: NodeJS.ErrnoException) =>
        reject(
          new McpFailure({
            stream: `of the server ${server}`,
            reason: "server",
            problem: `its command can't be started (${error.code ?? error.message})`,
            fix: "Check the command and the folder of mcpServers."
          })
        )
      )
    })
    void this.#read(child).catch((error: unknown) => this.onerror?.(error as Error))
  }

  async #read(child: ChildProcess): Promise<void> {
    let rest = ""
    child.stdout!.setEncoding("utf8")
    try {
      for await (const piece of child.stdout!) {
        this.#options.alive()
        rest += piece as string
        let from = 0
        for (let end = rest.indexOf("\n", from); end !== -1; end = rest.indexOf("\n", from)) {
          const line = rest.slice(from, end).trim()
          from = end + 1
          if (line !== "") await this.#pass(line)
        }
        rest = rest.slice(from)
        if (rest.length > mostLineBytes)
          throw new Error(`The MCP server ${this.#options.server} sent a line longer than ${mostLineBytes} bytes.`)
      }
    } finally {
      this.onclose?.()
    }
  }

  async #pass(line: string): Promise<void> {
    let message: JSONRPCMessage
    try {
      message = JSON.parse(line) as JSONRPCMessage
    } catch {
      // Servers that print to their standard output are many.
      return this.onerror?.(new Error(`The MCP server ${this.#options.server} wrote a line that is no JSON.`))
    }
    await this.#options.room()
    this.onmessage?.(message)
    // The message is dispatched before the next one asks for room.
    await new Promise((resolve) => setImmediate(resolve))
  }

  send(message: JSONRPCMessage): Promise<void> {
    const input = this.#child?.stdin
    if (input === null || input === undefined || !input.writable)
      return Promise.reject(new Error(`The MCP server ${this.#options.server} is not running.`))
    return new Promise((resolve, reject) => {
      input.write(`${JSON.stringify(message)}\n`, (error) => (error ? reject(error) : resolve()))
    })
  }

  async close(): Promise<void> {
    const child = this.#child
    this.#child = undefined
    if (child === undefined) return
    const isOver = () => child.exitCode !== null || child.signalCode !== null
    child.stdin?.end()
    // What it still writes is nobody's business, and must not keep it from ending.
    child.stdout?.destroy()
    await within(this.#options.perform, endingMs, this.#exited)
    if (!isOver()) child.kill("SIGTERM")
    if (!isOver()) await within(this.#options.perform, endingMs, this.#exited)
    if (!isOver()) child.kill("SIGKILL")
  }
}
