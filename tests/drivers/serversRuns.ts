import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { StoredItem } from "../../src/host/DeadLetterAccess.ts"
import { decodeDeadLetter } from "../../src/host/deadLetter.ts"
import { openQueueBackend, openStateStore } from "../../src/state/index.ts"
import { randomOf } from "./numberedLines.ts"
import { serverKinds, type ServerName, withMySql, withPostgres } from "./serversKinds.ts"
import { KilledProcess } from "./serversKilledProcess.ts"
import { OwnServer, type ServerKind } from "./serversProcess.ts"
import { brokenMessage, brokenQueue, failsAlways, ids, programOf, queueName, refusedRow, type Scenario } from "./serversStreams.ts"

export interface ServerRunOptions {
  readonly server: ServerName
  readonly scenario: Scenario
  readonly items: number
  readonly serverKills: number
  /** Of our own process. */
  readonly ownKills: number
  readonly seed: number
  readonly itemsPerPause?: number
}

export interface ServerRunReport extends Omit<ServerRunOptions, "itemsPerPause"> {
  readonly killedServers: number
  readonly killedProcesses: number
  /** Ids that are nowhere, and those that are in the output more often than once. */
  readonly lost: number
  readonly repeated: number
  readonly deadLetters: number
  readonly repeatedLetters: number
  readonly expectedDeadLetters: number
  /** In the queue of the server for what can't be read; each of them once. */
  readonly brokenMessages: number
  /** Left in the server's queue. */
  readonly left: number
  /** What `inspect` showed, or the log, while the server was away: without numbers, each once. */
  readonly waitedFor: ReadonlyArray<string>
  /** How often nothing said that the stream waits, though the server was away for a while. */
  readonly unseenOutages: number
  readonly mostMegabytes: number
  /** How often another stream of the host stood still while the server was away. */
  readonly stalls: number
  readonly seconds: number
  readonly failures: ReadonlyArray<string>
}

/** Until the stream has to have done something after its server is back. */
const patienceMs = 60_000

/**
 * Runs a stream against a server, kills both again and again, and adds up what has become of each item.
 *
 * @param shared one on which this scenario has not run; left out, one of its own is started and removed
 */
export const serverRun = async (options: ServerRunOptions, shared?: OwnServer): Promise<ServerRunReport> => {
  const kind: ServerKind = serverKinds[options.server]
  const server = shared ?? (await OwnServer.start(kind))
  const folder = mkdtempSync(join(tmpdir(), "rtfs-streams-servers-"))
  try {
    await prepare(options, server.url)
    const run = new Run(options, server, folder)
    await run.toEnd()
    return await run.report()
  } finally {
    if (shared === undefined) await server.remove()
    rmSync(folder, { recursive: true, force: true })
  }
}

const prepare = async ({ items, scenario, server }: ServerRunOptions, url: string): Promise<void> => {
  const sql = async (...statements: ReadonlyArray<string>) => {
    const run = async (query: (statement: string) => Promise<unknown>) => {
      for (const statement of statements) await query(statement)
    }
    if (server === "postgres") await withPostgres(url, (client) => run((statement) => client.query(statement)))
    else await withMySql(url, (connection) => run((statement) => connection.query(statement)))
  }
  // RabbitMQ writes down a moment later that a quorum queue is there: killed before that, it loses all that is in it.
  if (server === "rabbitmq") {
    const made = Effect.flatMap(openQueueBackend(url), (backend) => Effect.forEach([queueName, brokenQueue], (name) => backend.depth(name)))
    await Effect.runPromise(Effect.scoped(made))
    await sleep(3000)
  }
  if (scenario === "insert") await sql("CREATE TABLE target (id INT NOT NULL, place BIGINT, CHECK (id % 400 <> 21))")
  if (scenario === "query") {
    await sql("CREATE TABLE source (id INT PRIMARY KEY, pad VARCHAR(1000))")
    for (let from = 0; from < items; from += 2000) {
      const rows = Array.from({ length: Math.min(2000, items - from) }, (_, at) => `(${from + at},'${"x".repeat(1000)}')`)
      await sql(`INSERT INTO source VALUES ${rows.join(",")}`)
    }
  }
}

class Run {
  readonly #options: ServerRunOptions
  readonly #server: OwnServer
  readonly #folder: string
  readonly #random: () => number
  readonly #begun = performance.now()
  readonly #waitedFor = new Set<string>()
  readonly #failures: Array<string> = []
  #child: KilledProcess
  #killedServers = 0
  #killedProcesses = 0
  #unseenOutages = 0
  #stalls = 0
  #mostBytes = 0
  #lookedAt = 0

  constructor(options: ServerRunOptions, server: OwnServer, folder: string) {
    this.#options = options
    this.#server = server
    this.#folder = folder
    this.#random = randomOf(options.seed)
    this.#child = this.#newChild()
  }

  async toEnd(): Promise<void> {
    const { ownKills, serverKills } = this.#options
    while (!this.#child.hasEnded && (this.#killedServers < serverKills || this.#killedProcesses < ownKills)) {
      await this.#flowing()
      await sleep(20 + this.#random() * 300)
      if (this.#child.hasEnded) break
      const left = { server: serverKills - this.#killedServers, own: ownKills - this.#killedProcesses }
      if (this.#random() * (left.server + left.own) < left.server) await this.#killServer()
      else await this.#killProcess()
    }
    this.#child.hurry()
    await this.#ended()
    await this.#child.close()
  }

  async report(): Promise<ServerRunReport> {
    const { items, itemsPerPause: _, scenario, ...rest } = this.#options
    const found = await this.#found()
    const expected = Array.from({ length: items }, (_, id) => id).filter((id) => isExpected(scenario, id))
    const counts = new Map<number, number>()
    for (const id of found) counts.set(id, (counts.get(id) ?? 0) + 1)
    const { brokenMessages, left } = scenario === "queue" ? await this.#queues() : { brokenMessages: 0, left: 0 }
    if (scenario !== "queue" && scenario !== "insert" && found.some((id, at) => at > 0 && id <= found[at - 1]!))
      this.#failures.push("out of order")
    const letters = await this.#deadLetters()
    if (found.some((id) => !isExpected(scenario, id))) this.#failures.push("an item is in the output that can't be")
    return {
      ...rest,
      scenario,
      items,
      killedServers: this.#killedServers,
      killedProcesses: this.#killedProcesses,
      lost: expected.filter((id) => !counts.has(id)).length,
      repeated: found.length - counts.size,
      deadLetters: new Set(letters).size,
      repeatedLetters: letters.length - new Set(letters).size,
      expectedDeadLetters: ids(items, failsAlways) + (scenario === "insert" ? ids(items, refusedRow) : 0),
      brokenMessages,
      left,
      waitedFor: [...this.#waitedFor],
      unseenOutages: this.#unseenOutages,
      mostMegabytes: Math.round(this.#mostBytes / 1024 ** 2),
      stalls: this.#stalls,
      seconds: Math.round((performance.now() - this.#begun) / 100) / 10,
      failures: this.#failures
    }
  }

  #newChild(): KilledProcess {
    const { items, itemsPerPause = 20, scenario } = this.#options
    const store = scenario === "store" ? this.#server.url : undefined
    const program = programOf(scenario, items, this.#folder)
    return new KilledProcess({ scenario, folder: this.#folder, program, url: this.#server.url, store, itemsPerPause })
  }

  async #killServer(): Promise<void> {
    await this.#server.kill()
    this.#killedServers++
    await this.#seeOutage()
    await this.#server.start()
  }

  /** The server stays away until the stream has noticed, now and then long enough for the waits to have grown. */
  async #seeOutage(): Promise<void> {
    const before = await this.#child.look()
    const began = performance.now()
    const said: Array<string> = []
    let away = before
    for (let looks = 0; looks < 200 && said.length === 0 && away !== undefined; looks++) {
      said.push(...away.waitsFor.filter((text) => text.includes("://")), ...away.logged)
      await sleep(50)
      away = await this.#child.look()
    }
    await sleep(this.#random() < 0.2 ? 3000 : this.#random() * 500)
    // A busy machine alone may keep that other stream from beating for a moment.
    do {
      await sleep(20)
      away = await this.#child.look()
    } while (before !== undefined && away !== undefined && away.beats <= before.beats && performance.now() - began < 5000)
    if (before === undefined || away === undefined) return
    for (const text of said) this.#waitedFor.add(text.replaceAll(/\d+/g, "#"))
    if (said.length === 0) this.#unseenOutages++
    if (away.beats <= before.beats) this.#stalls++
    this.#mostBytes = Math.max(this.#mostBytes, away.rss)
  }

  async #killProcess(): Promise<void> {
    if (!(await this.#child.kill())) return
    this.#killedProcesses++
    this.#child = this.#newChild()
  }

  /** Until the stream does something. */
  async #flowing(): Promise<void> {
    const before = this.#child.worked
    await this.#until(() => this.#child.worked > before)
  }

  async #ended(): Promise<void> {
    if (this.#options.scenario === "queue") {
      await this.#until(() => this.#isWorkedOff())
      if (!this.#child.hasEnded) {
        await this.#emptied()
        this.#child.stop()
      }
    }
    await this.#until(() => false)
    const { failure } = this.#child
    if (failure !== undefined) this.#failures.push(failure)
  }

  /** What was published twice, or had begun in a process that was killed, comes once more. */
  async #emptied(): Promise<void> {
    const depth = Effect.flatMap(openQueueBackend(this.#server.url), (backend) => backend.depth(queueName))
    for (let looks = 0; looks < 100; looks++) {
      // A server that was just started may not have all its queues ready.
      const found = await Effect.runPromise(Effect.option(Effect.scoped(depth)))
      if (Option.isSome(found) && found.value.waiting + (found.value.held ?? 0) === 0) return
      await sleep(200)
    }
  }

  /** Until that holds or the process has ended, as long as the stream gets on. */
  async #until(holds: () => boolean): Promise<void> {
    let { worked } = this.#child
    let at = performance.now()
    while (!holds() && !this.#child.hasEnded) {
      await sleep(20)
      if (this.#child.worked !== worked) {
        worked = this.#child.worked
        at = performance.now()
      } else if (performance.now() - at > patienceMs) {
        const shown = await this.#child.look()
        this.#failures.push(`stands still: ${JSON.stringify(shown)}`)
        await this.#child.kill()
        return
      }
    }
  }

  #isWorkedOff(): boolean {
    // The file is long, and all of it is read.
    if (performance.now() - this.#lookedAt < 300) return false
    this.#lookedAt = performance.now()
    const { items } = this.#options
    const file = join(this.#folder, "worked.txt")
    const most = ids(items, (id) => isExpected("queue", id))
    const lines = numbersOf(file)
    return lines.length >= most && new Set(lines).size >= most
  }

  async #found(): Promise<ReadonlyArray<number>> {
    const { scenario, server } = this.#options
    if (scenario === "queue") return numbersOf(join(this.#folder, "worked.txt"))
    if (scenario !== "insert") return numbersOf(join(this.#folder, "out.txt"))
    const query = "SELECT id, place FROM target"
    const rows =
      server === "postgres"
        ? (await withPostgres(this.#server.url, (client) => client.query(query))).rows
        : (await withMySql(this.#server.url, (connection) => connection.query(query)))[0]
    const read = rows as ReadonlyArray<{ readonly id: number; readonly place: unknown }>
    if (read.some(({ id, place }) => Number(place) !== 2 * id)) this.#failures.push("a row has another value than was sent")
    return read.map(({ id }) => id)
  }

  /** The ids of the items in them; those of a queue may come twice, as its messages may. */
  async #deadLetters(): Promise<ReadonlyArray<number>> {
    const store = this.#options.scenario === "store" ? this.#server.url : `sqlite:${join(this.#folder, "data", "state.db")}`
    const listed = Effect.flatMap(openStateStore(store), ({ deadLetters }) => deadLetters.list({ limit: 1_000_000 }))
    return (await Effect.runPromise(Effect.scoped(listed))).map((letter) => idOf(decodeDeadLetter(letter).item))
  }

  async #queues(): Promise<{ readonly brokenMessages: number; readonly left: number }> {
    const look = Effect.gen({ self: this }, function* () {
      const backend = yield* openQueueBackend(this.#server.url)
      const { held = 0, waiting } = yield* backend.depth(queueName)
      const keys = new Set<string>()
      const broken = yield* backend.subscribe(brokenQueue, { leaseMs: 30_000, maxHeld: 100_000 })
      for (let empty = 0; empty < 2;) {
        const some = yield* broken.receive(1000)
        for (const { body } of some) keys.add(Buffer.from(body).toString())
        empty = some.length === 0 ? empty + 1 : 0
      }
      const unexpected = [...keys].filter((key) => !brokenMessage(Number(key.slice("broken ".length))))
      if (unexpected.length > 0) this.#failures.push(`unreadable that was readable: ${unexpected.slice(0, 3).join(", ")}`)
      return { brokenMessages: keys.size, left: waiting + held }
    })
    return Effect.runPromise(Effect.scoped(look))
  }
}

const isExpected = (scenario: Scenario, id: number): boolean =>
  !failsAlways(id) && !(scenario === "insert" && refusedRow(id)) && !(scenario === "queue" && brokenMessage(id))

/** Nothing where the stream has failed before there was a file. */
const numbersOf = (file: string): ReadonlyArray<number> =>
  existsSync(file) ? readFileSync(file, "utf8").trimEnd().split("\n").map(Number) : []

const idOf = (item: StoredItem["item"]): number => {
  if ("printed" in item) throw new Error(`a dead letter has no value: ${item.printed}`)
  const { body, id, value = item.value } = item.value as { readonly body?: number; readonly id?: number; readonly value?: unknown }
  return Number(body ?? id ?? value)
}
