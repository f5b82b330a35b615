// Runs one stream against a server until it has ended, is told to stop, or is killed: a process of its own, for `serversRuns.ts`.
import { appendFileSync, existsSync, readFileSync } from "node:fs"
import { setTimeout as sleep } from "node:timers/promises"
import { StreamHost } from "../../src/index.ts"
import { brokenMessage, failsAlways, failsOnce, type ChildOptions, type FromChild } from "./serversStreams.ts"

const options = JSON.parse(process.argv[2]!) as ChildOptions
const { folder, program, scenario, store, url } = options
/** Until nobody is killed any more. */
let { itemsPerPause } = options

const tell = (message: FromChild) => process.send?.(message)

let worked = 0
let committed = 0
/** Once in all processes: what was tried before a kill counts. */
const failedFile = `${folder}/failed.txt`
const failed = new Set(existsSync(failedFile) ? readFileSync(failedFile, "utf8").trimEnd().split("\n").map(Number) : [])
const work = async (item: unknown): Promise<unknown> => {
  const id = typeof item === "number" ? item : ((item as { readonly body?: number }).body ?? (item as { readonly id: number }).id)
  if (++worked % itemsPerPause === 0) await sleep(1)
  if (worked % 100 === 0 && scenario !== "insert") tell({ type: "progress", worked })
  if (failsAlways(id)) throw new Error(`never ${id}`)
  if (failsOnce(id) && !failed.has(id)) {
    failed.add(id)
    appendFileSync(failedFile, `${id}\n`)
    throw new Error(`not yet ${id}`)
  }
  return scenario === "insert" ? { id, place: id * 2 } : scenario === "queue" ? id : String(id)
}

const logged: Array<string> = []
const host = await StreamHost.start({
  ...(store === undefined ? { dataDir: `${folder}/data` } : { store }),
  connections: { "db-conn": url, queue: url },
  policy: { all: true },
  bindings: {
    work,
    "text-of": async (n: number) => {
      if (n % itemsPerPause === 0) await sleep(1)
      return brokenMessage(n) ? `broken ${n}` : String(n)
    },
    // A sink may hold all of its stream while the server is away: rows count.
    committed: (rows: number) => tell({ type: "progress", worked: (committed += rows) }),
    beat: () => void beats++,
    note: (id: number) => appendFileSync(`${folder}/worked.txt`, `${id}\n`),
    acknowledged: (ids: ReadonlyArray<string>) => appendFileSync(`${folder}/acknowledged.txt`, `${ids.length}\n`)
  },
  print: () => {},
  log: (line) => void logged.push(line)
})

/** Another stream of the host, which no server concerns. */
let beats = 0
void host.run("(call :stream.periodic {:interval 20 :generator (fn [] 1) :on-value (fn [x] (beat))})").catch(() => {})

const waiting = (): ReadonlyArray<string> => {
  const { streams } = host.inspect() as {
    readonly streams: ReadonlyArray<{ readonly actors: ReadonlyArray<{ readonly waitsFor?: string }> }>
  }
  return streams.flatMap(({ actors }) => actors.flatMap(({ waitsFor }) => (waitsFor === undefined ? [] : [waitsFor])))
}

process.on("message", (message: "hurry" | "look" | "stop") => {
  if (message === "hurry") return void (itemsPerPause = Infinity)
  if (message === "look") tell({ type: "looked", waitsFor: waiting(), logged: logged.splice(0), beats, rss: process.memoryUsage.rss() })
  else void host.stop({ timeout: 20_000 })
})
process.on("disconnect", () => process.exit(1))

try {
  const { value } = await host.run(program)
  await host.stop()
  tell({ type: "ended", value: value as never, failure: undefined })
} catch (error) {
  tell({ type: "ended", value: undefined, failure: `${(error as Error).name}: ${(error as Error).message}` })
}
process.disconnect()
