// What a server pushes into a stream whose consumer is slow: through a proxy that counts the bytes, in a process of its own.
//
//   node tests/drivers/serversPressure.ts --rate 50 --seconds 10 [--only postgres,redis]
//
// Prints a line for each source: what was pushed, how much of that the consumer had not taken yet, and the resident memory.
// Exit status 1 where more than 48 MB came ahead of the consumer, or the process took 400 MB. The embedded queue and SQLite
// push over no socket: of them only the memory is looked at.
import { fork } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { setTimeout as sleep } from "node:timers/promises"
import { parseArgs } from "node:util"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { StreamHost } from "../../src/index.ts"
import { openQueueBackend, openStateStore, type QueueBackend } from "../../src/state/index.ts"
import { CutProxy } from "../state/queues/CutProxy.ts"
import { serverKinds } from "./serversKinds.ts"
import { OwnServer } from "./serversProcess.ts"

export const mostBytes = 48 * 1024 ** 2
const mostMegabytes = 400
/** Of a message, and of a row. */
export const bodyBytes = 32 * 1024

/** @param rows how many, or endlessly many */
export const queryOf = (server: "mariadb" | "postgres" | "sqlite", rows = 1_000_000): string => {
  const from = {
    postgres: `generate_series(1, ${rows}) AS seq`,
    mariadb: `seq_1_to_${rows}`,
    sqlite: `(WITH RECURSIVE s(seq) AS (SELECT 1 UNION ALL SELECT seq + 1 FROM s WHERE seq < ${rows}) SELECT seq FROM s)`
  }[server]
  const pad = server === "sqlite" ? `hex(zeroblob(${bodyBytes / 2}))` : `repeat('x', ${bodyBytes})`
  return `(call :stream.db.query "SELECT seq, ${pad} AS pad FROM ${from}" {:connection :db-conn})`
}

/** Publishes so many messages. */
export const fill = (backend: QueueBackend, queue: string, messages: number) =>
  Effect.forEach(Array.from({ length: messages / 64 }), (_, round) =>
    backend.publish(
      queue,
      Array.from({ length: 64 }, (_, at) => ({
        body: Buffer.alloc(bodyBytes, "x"),
        contentType: "text/plain",
        headers: {},
        time: 0,
        key: `${round}-${at}`
      }))
    )
  )

interface Measured {
  readonly seen: number
  readonly pushed: number
  readonly mostRss: number
}

interface Source {
  readonly program: string
  readonly rate: number
  readonly seconds: number
  /** Where the server is; with the embedded queue and SQLite, the folder. */
  readonly url: string | undefined
  readonly folder: string
}

/** Runs the stream in this process, in which nothing else was done before. */
const measure = async ({ folder, program, rate, seconds, url }: Source): Promise<Measured> => {
  const proxy = url === undefined ? undefined : await CutProxy.to(url)
  const through = url === undefined ? `sqlite:${join(folder, "rows.db")}` : proxy!.urlOf(url)
  let seen = 0
  let mostRss = 0
  const sampling = setInterval(() => (mostRss = Math.max(mostRss, process.memoryUsage.rss())), 50)
  const host = await StreamHost.start({
    dataDir: join(folder, "data"),
    connections: { "db-conn": through, ...(url === undefined ? {} : { queue: through }) },
    policy: { all: true },
    bindings: { see: () => (seen++, sleep(1000 / rate)) },
    print: () => {},
    log: () => {}
  })
  const before = proxy?.received ?? 0
  const failed = host.run(program).then(
    () => "ended",
    (error: unknown) => String(error)
  )
  const early = await Promise.race([failed, sleep(seconds * 1000)])
  if (typeof early === "string") throw new Error(`the stream did not go on: ${early}`)
  const measured = { seen, pushed: (proxy?.received ?? 0) - before, mostRss }
  clearInterval(sampling)
  await host.stop({ timeout: 0 })
  proxy?.close()
  return measured
}

const elsewhere = async (source: Source): Promise<Measured> => {
  const child = fork(import.meta.filename, ["--measure", JSON.stringify(source)], { stdio: ["ignore", "inherit", "inherit", "ipc"] })
  return new Promise((resolve, reject) => {
    child.on("message", (measured: Measured) => resolve(measured))
    child.on("exit", (status) => reject(new Error(`measuring ended with ${status}`)))
  })
}

const queries = ["postgres", "mariadb", "sqlite"] as const
const queues = ["redis", "nats", "rabbitmq", "embedded"] as const

const run = async (rate: number, seconds: number, only: ReadonlyArray<string>): Promise<boolean> => {
  // Twice of what the consumer may take and have ahead of it.
  const messages = 64 * Math.ceil((2 * (rate * seconds * bodyBytes + mostBytes)) / bodyBytes / 64)
  let isKept = true
  for (const name of [...queries, ...queues].filter((each) => only.length === 0 || only.includes(each))) {
    const isServer = name !== "sqlite" && name !== "embedded"
    const server = isServer ? await OwnServer.startUnlessMissing(serverKinds[name]) : undefined
    if (typeof server === "string") {
      console.log(`${name.padEnd(9)} skipped: ${server}`)
      continue
    }
    const folder = mkdtempSync(join(tmpdir(), "rtfs-streams-pressure-"))
    try {
      if (name === "sqlite") new DatabaseSync(join(folder, "rows.db")).close()
      const isQueue = queues.includes(name as never)
      if (isQueue) {
        const backend: Effect.Effect<QueueBackend, unknown, Scope.Scope> =
          server === undefined
            ? Effect.flatMap(openStateStore(`sqlite:${join(folder, "data", "state.db")}`), ({ queues }) => queues!)
            : openQueueBackend(server.url)
        await Effect.runPromise(Effect.scoped(Effect.flatMap(backend, (opened) => fill(opened, "q", messages))))
      }
      const source = isQueue ? `(call :stream.queue.consume "q"${isServer ? "" : " {:connection :embedded}"})` : queryOf(name as never)
      const program = `(call :stream.for-each ${source} {:callback see})`
      const { mostRss, pushed, seen } = await elsewhere({ program, rate, seconds, url: server?.url, folder })
      const ahead = pushed - seen * bodyBytes
      const megabytes = (bytes: number) => (bytes / 1024 ** 2).toFixed(1)
      const isWithin = seen > 5 && ahead <= mostBytes && mostRss < mostMegabytes * 1024 ** 2
      isKept &&= isWithin
      const sent = isServer ? `pushed ${megabytes(pushed)} MB, ahead of it ${megabytes(ahead)} MB, ` : ""
      console.log(
        `${name.padEnd(9)} consumed ${seen} in ${seconds} s, ${sent}resident ${megabytes(mostRss)} MB${isWithin ? "" : "  TOO MUCH"}`
      )
    } finally {
      await server?.remove()
      rmSync(folder, { recursive: true, force: true })
    }
  }
  return isKept
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      rate: { type: "string", default: "50" },
      seconds: { type: "string", default: "10" },
      only: { type: "string" },
      measure: { type: "string" }
    }
  })
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(1))
  if (values.measure !== undefined) {
    process.send!(await measure(JSON.parse(values.measure) as Source))
    process.disconnect()
  } else process.exitCode = (await run(Number(values.rate), Number(values.seconds), values.only?.split(",") ?? [])) ? 0 : 1
}
