// Starts, reads and stops many streams at once, and measures what they take while they run and what is left of them.
//
//   node tests/drivers/manyStreams.ts --streams 1000 --rounds 8 [--through mcp,host]
//
// `mcp` starts them through `rtfs-streams mcp --http`, a process of its own with a heap of at most 256 MB; `host` by `host.spawn`
// in this process. Prints a JSON line for each round: `heldBefore` and `heldAfter` are what is reachable once all was collected,
// `resident` is what the kernel counts, with what V8 has not given back. Exit status 1 where a stream is missing, one is left, or
// the rounds after the first one, which loads and compiles what there is, add more than 8 MB to what is held.
import { existsSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client"
import { StreamHost } from "../../src/index.ts"
import { ServiceProcess } from "../service/ServiceProcess.ts"
import { askHeldMemory } from "./askHeldMemory.ts"
import { heldMegabytes } from "./heldMemory.ts"

/** One round: so many streams begun, each read or running, all of them ended. */
export interface Round {
  readonly through: "mcp" | "host"
  readonly streams: number
  /** How many gave what they should. */
  readonly running: number
  /** How many the host still knows after they were stopped, and how many resources keep its event loop awake beyond before. */
  readonly left: number
  readonly leftHandles: number
  /** Megabytes. */
  readonly heldBefore: number
  readonly heldAfter: number
  readonly residentRunning: number
  readonly residentAfter: number
  /** What starting, reading and stopping one took of this process (`host`) or of the server (`mcp`). */
  readonly cpuMsEach: number
  readonly seconds: number
}

const program = (index: number): string =>
  `(call :stream.map (call :stream.generate {:generator (fn [n] [n (inc n)]) :initial-state ${index}}) {:transform (fn [n] {:n n :text (str "item " n)})})`

/** What V8 of the server may use for objects. Some 1,000 streams that run take less than half of it. */
const heapMegabytes = 256

/** More than that beyond the first round is a leak: what is compiled late takes a part of it. */
const mostAdded = 8

export const roundsThroughMcp = async (streams: number, rounds: number): Promise<ReadonlyArray<Round>> => {
  const service = new ServiceProcess()
  const client = new Client({ name: "driver", version: "1" }, { versionNegotiation: { mode: "auto" } })
  const pid = () => service.running.process.pid!
  const { env, held } = askHeldMemory(service, `--max-old-space-size=${heapMegabytes}`)
  try {
    await service.start(["mcp", "--http"], { longestMs: 3_600_000, env })
    const requestInit = { headers: { authorization: `Bearer ${service.token}` } }
    await client.connect(new StreamableHTTPClientTransport(new URL(`${service.url}/mcp`), { requestInit }))
    const call = async (name: string, args: Record<string, unknown>): Promise<any> => {
      const { content, isError, structuredContent } = await client.callTool({ name, arguments: args })
      if (isError === true) throw new Error((content as ReadonlyArray<{ text: string }>)[0]!.text)
      return structuredContent
    }
    return await inTurn(rounds, async () => {
      const heldBefore = await held()
      const cpuBefore = cpuMilliseconds(pid())
      const startedAt = performance.now()
      const started = await atOnce(streams, (index) => call("stream_start", { rtfs: program(index), queue_capacity: 5, ttl_s: 60 }))
      const read = await atOnce(streams, (index) =>
        call("stream_read", { stream_id: started[index].stream_id, max_items: 2, wait_ms: 10_000 })
      )
      const running = read.filter(({ items }, index) => items[0]?.value.n === index).length
      const residentRunning = residentMegabytes(pid())
      await atOnce(streams, (index) =>
        call("stream_stop", { stream_id: started[index].stream_id, mode: index % 2 === 0 ? "cancel" : "drain" })
      )
      const seconds = (performance.now() - startedAt) / 1000
      const cpuMsEach = each(cpuMilliseconds(pid()) - cpuBefore, streams)
      const left = (await call("stream_list", { state: "running" })).total as number
      return {
        through: "mcp",
        streams,
        running,
        left,
        leftHandles: 0,
        heldBefore,
        heldAfter: await held(),
        residentRunning,
        residentAfter: residentMegabytes(pid()),
        cpuMsEach,
        seconds
      }
    })
  } catch (error) {
    const { exitCode, signalCode } = service.running.process
    throw new Error(`The server ${exitCode ?? signalCode ?? "runs still"}: ${String(error)}`, { cause: error })
  } finally {
    await client.close().catch(() => {})
    await service.stop().catch(() => {})
    service.remove()
  }
}

export const roundsThroughHost = async (streams: number, rounds: number): Promise<ReadonlyArray<Round>> => {
  const host = await StreamHost.start({ print: () => {}, log: () => {} })
  try {
    return await inTurn(rounds, async () => {
      const heldBefore = await heldMegabytes()
      const cpuBefore = process.cpuUsage()
      const handlesBefore = process.getActiveResourcesInfo().length
      const startedAt = performance.now()
      const handles = await atOnce(streams, (index) =>
        host.spawn(
          `(call :stream.for-each (call :stream.periodic {:interval 100 :generator (fn [t] ${index})}) {:callback (fn [x] nil)})`,
          { name: `s-${index}` }
        )
      )
      const running = handles.filter(({ status }) => status === "running").length
      const residentRunning = residentMegabytes(process.pid)
      await atOnce(streams, (index) => (index % 2 === 0 ? handles[index]!.cancel() : handles[index]!.drain({ timeoutMs: 10_000 })))
      const seconds = (performance.now() - startedAt) / 1000
      const { system, user } = process.cpuUsage(cpuBefore)
      const cpuMsEach = each((system + user) / 1000, streams)
      await new Promise(setImmediate)
      const inspected = host.inspect() as { readonly services: ReadonlyArray<unknown>; readonly streams: ReadonlyArray<unknown> }
      const left = inspected.services.length + inspected.streams.length
      const leftHandles = Math.max(0, process.getActiveResourcesInfo().length - handlesBefore)
      return {
        through: "host",
        streams,
        running,
        left,
        leftHandles,
        heldBefore,
        heldAfter: await heldMegabytes(),
        residentRunning,
        residentAfter: residentMegabytes(process.pid),
        cpuMsEach,
        seconds
      }
    })
  } finally {
    await host.stop({ timeout: 0 })
  }
}

const inTurn = async (rounds: number, one: () => Promise<Round>): Promise<ReadonlyArray<Round>> => {
  const done: Array<Round> = []
  while (done.length < rounds) done.push(await one())
  return done
}

/** Some at a time, as clients do. */
const atOnce = async <Value>(count: number, one: (index: number) => Promise<Value>): Promise<ReadonlyArray<Value>> => {
  const done = new Array<Value>(count)
  let next = 0
  const worker = async (): Promise<void> => {
    for (let index = next++; index < count; index = next++) done[index] = await one(index)
  }
  await Promise.all(Array.from({ length: 32 }, worker))
  return done
}

/** What the kernel counts; 0 where it has no /proc. */
export const residentMegabytes = (pid: number): number => {
  if (!existsSync(`/proc/${pid}/status`)) return 0
  const [, kilobytes] = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))!
  return Math.round(Number(kilobytes) / 1024)
}

/** What a process has used of the CPU, in steps of 10 ms. */
const cpuMilliseconds = (pid: number): number => {
  if (!existsSync(`/proc/${pid}/stat`)) return 0
  // Behind the name, which is in brackets and may have spaces.
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)!.split(" ")
  return (Number(fields[11]) + Number(fields[12])) * 10
}

const each = (milliseconds: number, streams: number): number => Math.round((milliseconds / streams) * 100) / 100

/** What is wrong with rounds; nothing, if all is well. */
export const faultsOf = (rounds: ReadonlyArray<Round>): ReadonlyArray<string> => {
  const faults: Array<string> = []
  for (const { left, leftHandles, running, streams, through } of rounds) {
    if (running !== streams) faults.push(`${through}: ${streams - running} of ${streams} streams did not give what they should`)
    if (left > 0 || leftHandles > 8) faults.push(`${through}: ${left} streams and ${leftHandles} handles are left`)
  }
  const [second, last] = [rounds[1] ?? rounds[0]!, rounds.at(-1)!]
  if (last.heldAfter - second.heldBefore > mostAdded)
    faults.push(`${last.through}: ${last.heldAfter} MB are held after the last round, ${second.heldBefore} MB before the second`)
  return faults
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({
    options: {
      streams: { type: "string", default: "1000" },
      rounds: { type: "string", default: "3" },
      through: { type: "string", default: "mcp,host" }
    }
  })
  const [streams, rounds] = [Number(values.streams), Number(values.rounds)]
  for (const through of values.through.split(",")) {
    const done = await (through === "mcp" ? roundsThroughMcp : roundsThroughHost)(streams, rounds)
    for (const round of done) console.log(JSON.stringify(round))
    for (const fault of faultsOf(done)) {
      console.log(fault)
      process.exitCode = 1
    }
  }
}
