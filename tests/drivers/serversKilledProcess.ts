import { fork, type ChildProcess } from "node:child_process"
import { fileURLToPath } from "node:url"
import type { ChildOptions, FromChild } from "./serversStreams.ts"

const childFile = fileURLToPath(new URL("serversChild.ts", import.meta.url))

/** A process that runs `serversChild.ts` and is killed. */
export class KilledProcess {
  readonly #process: ChildProcess
  readonly #exited: Promise<void>
  #looked: ((answer: FromChild & { type: "looked" }) => void) | undefined
  #stderr = ""
  worked = 0
  hasEnded = false
  failure: string | undefined

  constructor(options: ChildOptions) {
    this.#process = fork(childFile, [JSON.stringify(options)], { stdio: ["ignore", "ignore", "pipe", "ipc"] })
    this.#process.stderr!.setEncoding("utf8").on("data", (text: string) => (this.#stderr = `${this.#stderr}${text}`.slice(-2000)))
    this.#process.on("message", (message: FromChild) => {
      if (message.type === "progress") this.worked = message.worked
      else if (message.type === "looked") this.#looked?.(message)
      else {
        this.hasEnded = true
        this.failure = message.failure
      }
    })
    this.#exited = new Promise((resolve) => {
      this.#process.on("exit", (code, signal) => {
        if (!this.hasEnded && signal !== "SIGKILL") this.failure = `ended with ${code ?? signal}: ${this.#stderr}`
        this.hasEnded = true
        resolve()
      })
    })
  }

  /** What it shows now, or nothing where it has ended. */
  async look(): Promise<(FromChild & { type: "looked" }) | undefined> {
    if (this.hasEnded) return undefined
    const answer = new Promise<FromChild & { type: "looked" }>((resolve) => (this.#looked = resolve))
    this.#process.send("look", () => {})
    return Promise.race([answer, this.#exited.then(() => undefined)])
  }

  /** Nobody is killed any more. */
  hurry(): void {
    if (!this.hasEnded) this.#process.send("hurry", () => {})
  }

  stop(): void {
    this.#process.send("stop", () => {})
  }

  /** @returns whether it was killed before it had ended */
  async kill(): Promise<boolean> {
    const isAlive = !this.hasEnded
    this.#process.kill("SIGKILL")
    await this.#exited
    return isAlive
  }

  async close(): Promise<void> {
    const late = setTimeout(() => this.#process.kill("SIGKILL"), 20_000)
    await this.#exited
    clearTimeout(late)
  }
}
