import { type ChildProcessByStdio, spawn } from "node:child_process"
import { createInterface, type Interface } from "node:readline"
import type { Readable, Writable } from "node:stream"
import { fileURLToPath } from "node:url"

const script = fileURLToPath(new URL("./kafkaMock.py", import.meta.url))

/** Keys of calls of the protocol. */
export const kafkaApi = { produce: 0, fetch: 1, offsetCommit: 8, offsetFetch: 9, findCoordinator: 10, joinGroup: 11, heartbeat: 12 }

/**
 * Brokers of Kafka's protocol in a process of their own: librdkafka's mock cluster, by Python's `ctypes`. It needs `python3` and
 * `librdkafka.so.1` (Debian: librdkafka1, which comes with kcat).
 */
export class KafkaMock {
  readonly #process: ChildProcessByStdio<Writable, Readable, null>
  readonly #lines: Interface
  readonly #brokers: string
  readonly #answers: Array<(line: string) => void> = []

  private constructor(process: ChildProcessByStdio<Writable, Readable, null>, lines: Interface, brokers: string) {
    this.#process = process
    this.#lines = lines
    this.#brokers = brokers
    lines.on("line", (line) => this.#answers.shift()!(line))
  }

  /** @returns why there is none, where it can't be started */
  static async start(brokers = 3): Promise<KafkaMock | string> {
    const child = spawn("python3", [script, String(brokers)], { stdio: ["pipe", "pipe", "ignore"] })
    const lines = createInterface({ input: child.stdout })
    const first = await new Promise<string | undefined>((resolve) => {
      lines.once("line", resolve)
      child.once("error", () => resolve(undefined))
      child.once("exit", () => resolve(undefined))
    })
    return first === undefined ? "needs python3 and librdkafka.so.1" : new KafkaMock(child, lines, first)
  }

  get url(): string {
    return `kafka://${this.#brokers}`
  }

  topic(name: string, partitions: number): Promise<void> {
    return this.#act(`topic ${name} ${partitions}`)
  }

  down(broker: number): Promise<void> {
    return this.#act(`down ${broker}`)
  }

  up(broker: number): Promise<void> {
    return this.#act(`up ${broker}`)
  }

  leader(topic: string, partition: number, broker: number): Promise<void> {
    return this.#act(`leader ${topic} ${partition} ${broker}`)
  }

  coordinator(group: string, broker: number): Promise<void> {
    return this.#act(`coordinator ${group} ${broker}`)
  }

  /** The next calls of that API are answered so, one code each. */
  errors(api: number, ...codes: ReadonlyArray<number>): Promise<void> {
    return this.#act(`errors ${api} ${codes.join(" ")}`)
  }

  /** Answers as usual again. */
  clear(api: number): Promise<void> {
    return this.#act(`clear ${api}`)
  }

  stop(): void {
    this.#lines.close()
    this.#process.kill("SIGKILL")
  }

  async #act(command: string): Promise<void> {
    const answer = await new Promise<string>((resolve) => {
      this.#answers.push(resolve)
      this.#process.stdin.write(`${command}\n`)
    })
    if (answer !== "0") throw new Error(`${command}: ${answer}`)
  }
}
